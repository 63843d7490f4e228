/** A concept leaves as a file and comes back the same; a saved picture brings its parameters back. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, baseReady, foreign, full, ids, loadSample, openStage, twin, untilPhase, visit, type Stage } from './studio';

let stage: Stage;
beforeAll(async () => { stage = await openStage(); });
afterAll(async () => { await stage?.close(); });

const settled = async () => {
  await full(stage.page, ids.twinConcept);
  await stage.page.waitForSelector(`[data-testid=${ids.draw}]`);
};

async function download(click: () => Promise<void>): Promise<{ name: string; buffer: Buffer }> {
  const [file] = await Promise.all([stage.page.waitForEvent('download'), click()]);
  return { name: file.suggestedFilename(), buffer: await readFile(await file.path()) };
}

it('exports, deletes, imports, and draws the same picture', async () => {
  const { page } = stage;
  await visit(stage, { stage1Steps: 12, stage2Steps: 6, previewEvery: 1000 });
  await baseReady(page);
  await loadSample(page, 'birthday-cake');
  await at(page, ids.learn).click();
  await untilPhase(page, ['finished']);
  await at(page, ids.keep).click();
  await at(page, ids.tabShelf).click();
  await at(page, 'concept-open-0').click();
  await settled();
  const before = (await twin(page, ids.twinConcept))!;
  const picture = await download(() => at(page, ids.savePicture).first().click());
  expect(picture.buffer.subarray(1, 4).toString()).toBe('PNG');

  await at(page, ids.tabShelf).click();
  await at(page, 'concept-export-0').click();
  await page.waitForSelector(`[data-testid=${ids.exportSave}]:not([disabled])`, { timeout: 120_000 });
  const lora = await download(() => at(page, ids.exportSave).click());
  const header = lora.buffer.subarray(8, 8 + Number(lora.buffer.readBigUInt64LE(0))).toString();
  expect(header).toContain('transformer.transformer_blocks.0.attn.to_q.lora_A.weight');
  expect(header).not.toContain('on a beach');
  await page.keyboard.press('Escape');
  await at(page, 'concept-delete-0').click();
  await at(page, ids.confirmDelete).click();
  await at(page, 'concept-0').waitFor({ state: 'detached' });

  await at(page, ids.importInput).setInputFiles({ ...lora, mimeType: 'application/octet-stream' });
  await at(page, 'concept-open-0').click();
  await settled();
  expect((await twin(page, ids.twinConcept))!.hash).toBe(before.hash);

  await at(page, ids.prompt).fill('a dog');
  await at(page, ids.tabShelf).click();
  await at(page, ids.importInput).setInputFiles({ ...picture, mimeType: 'image/png' });
  await page.waitForFunction((id) => document.querySelector<HTMLInputElement>(`[data-testid=${id}]`)?.value.includes('[V]'), ids.prompt);
  expect(await at(page, ids.seed).inputValue()).toBe('42');
  expect(foreign(stage)).toEqual([]);
});
