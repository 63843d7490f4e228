/** The main way: a sample set, a few steps, the slider; and that the page is alive before the weights. How fast the slider is: slide.test.ts. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, baseReady, foreign, full, ids, loadSample, openStage, sampleId, slide, stepsDone, twin, untilPhase, visit, type Stage } from './studio';

let stage: Stage;
beforeAll(async () => { stage = await openStage(); });
afterAll(async () => { await stage?.close(); });

it('answers before the weights are in, and takes pictures then', async () => {
  await stage.context.route('**/base/transformer/*.safetensors', async (route) => { await new Promise((later) => setTimeout(later, 2500)); await route.continue(); });
  await visit(stage, { stage1Steps: 7, stage2Steps: 3, previewEvery: 1000 });
  await at(stage.page, sampleId('guide-dog')).first().waitFor({ timeout: 2500 });
  expect(await at(stage.page, ids.baseStatus).getAttribute('data-ready')).not.toBe('true');
  await loadSample(stage.page, 'guide-dog');
  await at(stage.page, ids.prompt).fill('a [V] dog on a beach');
  expect(await at(stage.page, ids.prompt).inputValue()).toBe('a [V] dog on a beach');
  await stage.context.unrouteAll();
  await baseReady(stage.page);
});

it('learns through both stages', async () => {
  await at(stage.page, ids.learn).click();
  expect(await untilPhase(stage.page, ['finished'])).toBe('finished');
  expect(await stepsDone(stage.page)).toBe(10);
});

it('changes the pixels with the balance, and is the base at 0', async () => {
  await full(stage.page, ids.twinConcept);
  const pictures = [];
  for (const balance of [0, 2]) {
    await slide(stage.page, balance);
    await at(stage.page, ids.balanceValue).filter({ hasText: balance.toFixed(2) }).waitFor();
    await stage.page.waitForTimeout(700);
    await full(stage.page, ids.twinConcept);
    await stage.page.waitForSelector(`[data-testid=${ids.draw}]`);
    pictures.push((await twin(stage.page, ids.twinConcept))!);
  }
  const base = (await twin(stage.page, ids.twinBase))!;
  expect(pictures[0]!.hash).toBe(base.hash);
  expect(pictures[1]!.hash).not.toBe(base.hash);
  // A picture of NaN would be one flat colour.
  for (const picture of pictures) expect(picture.spread).toBeGreaterThan(10);
});

it('asks nothing of any other origin', () => {
  expect(stage.requests.length).toBeGreaterThan(10);
  expect(foreign(stage)).toEqual([]);
});
