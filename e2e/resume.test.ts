/** A run that is torn down half-way and continued ends in the same weights as one that was left alone. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, baseReady, ids, loadSample, openStage, stepsDone, untilPhase, visit, type Stage } from './studio';

const recipe = { stage1Steps: 24, stage2Steps: 8, previewEvery: 1000, seed: 7 };
const total = recipe.stage1Steps + recipe.stage2Steps;
/** Seconds of work between two checkpoints times steps a second, generously: what a reload may cost. */
const checkpointSteps = 16;

let stage: Stage;
beforeAll(async () => { stage = await openStage(); });
afterAll(async () => { await stage?.close(); });

/** Keeps the learned concept and gives its exported file, without the header: weights alone, in file order. */
async function exportedWeights(): Promise<Buffer> {
  const { page } = stage;
  await at(page, ids.keep).click();
  await at(page, ids.tabShelf).click();
  await at(page, 'concept-export-0').click();
  await page.waitForSelector(`[data-testid=${ids.exportSave}]:not([disabled])`, { timeout: 120_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), at(page, ids.exportSave).click()]);
  const file = await readFile(await download.path());
  await page.keyboard.press('Escape');
  return file.subarray(8 + Number(file.readBigUInt64LE(0)));
}

async function learn(): Promise<void> {
  await visit(stage, recipe);
  await stage.page.reload();
  await baseReady(stage.page);
  await loadSample(stage.page, 'birthday-cake');
  await at(stage.page, ids.learn).click();
}

it('continues after a reload to the same weights', async () => {
  await learn();
  await untilPhase(stage.page, ['finished']);
  const straight = await exportedWeights();
  expect(straight.length).toBeGreaterThan(100_000);

  await learn();
  await stage.page.waitForFunction(([id, least]) => Number(document.querySelector(`[data-testid=${id}]`)?.textContent?.split('/')[0]) >= Number(least), [ids.stepText, 14] as const, { timeout: 120_000 });
  const left = await stepsDone(stage.page);
  await stage.page.reload();
  await at(stage.page, ids.resumeContinue).click();
  await untilPhase(stage.page, ['extractor', 'student', 'finished']);
  const taken = await stepsDone(stage.page);
  expect(left - taken).toBeLessThanOrEqual(checkpointSteps);
  await untilPhase(stage.page, ['finished']);
  expect(await stepsDone(stage.page)).toBe(total);
  expect((await exportedWeights()).equals(straight)).toBe(true);
});
