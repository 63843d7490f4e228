/** A concept is kept, renamed, exported, deleted and imported, and draws the same picture; a saved picture brings its parameters back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readZip } from '../src/formats/zip';
import { violations, violationsInBothThemes } from './axe';
import { dropOnPage, exportFirst, readTensors, saved, type SavedFile } from './files';
import { at, baseReady, full, ids, loadSample, openStage, slide, twin, untilPhase, type Stage } from './studio';
import { closePrivate, visitWith } from './watch';

const drawn = { prompt: 'a [V] cake on a beach', seed: '7', balance: 1.5 };

let stage: Stage;
let lora: SavedFile;
let picture: SavedFile;
let pixels: number;
beforeAll(async () => { stage = await openStage(); });
afterAll(() => closePrivate(stage));

/** Sets the parameters of `drawn` and draws. */
async function draw(): Promise<number> {
  const { page } = stage;
  await at(page, ids.prompt).fill(drawn.prompt);
  await at(page, ids.seed).fill(drawn.seed);
  await slide(page, drawn.balance);
  await at(page, ids.cancelDraw).or(at(page, ids.draw)).waitFor();
  return pressDraw();
}

/** Presses Draw and gives the hash of the full picture's pixels. */
async function pressDraw(): Promise<number> {
  const { page } = stage;
  if (await at(page, ids.cancelDraw).isVisible()) await at(page, ids.cancelDraw).click();
  const before = await at(page, ids.twinConcept).getAttribute('data-revision');
  await at(page, ids.draw).click();
  await page.waitForSelector(`[data-testid=${ids.twinConcept}][data-state=full]:not([data-revision="${before}"])`, { timeout: 120_000 });
  await at(page, ids.draw).waitFor();
  return (await twin(page, ids.twinConcept))!.hash;
}

it('keeps and renames a concept', async () => {
  const { page } = stage;
  await visitWith(stage, { stage1Steps: 4, stage2Steps: 3, batchSize: 1, previewEvery: 1000 }, { steps: 8 });
  await baseReady(page);
  await loadSample(page, 'birthday-cake');
  await at(page, ids.learn).click();
  await untilPhase(page, ['finished']);
  await full(page, ids.twinConcept);
  await at(page, ids.handOver).click();
  await page.waitForSelector(`[data-testid=${ids.handOverSave}]:not([disabled])`);
  expect(await violations(page)).toEqual([]);
  const archive = await saved(page, () => at(page, ids.handOverSave).click());
  expect(archive.name).toMatch(/-to-train\.zip$/);
  const names = [...readZip(archive.buffer, archive.name).keys()].map((name) => name.replace(/^[^/]+\//, ''));
  expect(names).toEqual(expect.arrayContaining(['recipe.json', 'pictures/01.png', 'pictures/metadata.jsonl', 'diffusers/train.sh', 'purecc/stage1/concept.csv', 'purecc/stage2/concept.csv', 'purecc/train.sh']));
  await page.keyboard.press('Escape');
  await at(page, ids.keep).click();
  await at(page, ids.tabShelf).click();
  await at(page, 'concept-rename-0').fill('Party cake');
  await page.keyboard.press('Enter');
  await page.getByRole('img', { name: 'Party cake' }).waitFor();
  await page.reload();
  await baseReady(page);
  await at(page, ids.tabShelf).click();
  expect(await at(page, 'concept-rename-0').inputValue()).toBe('Party cake');
  expect(await violationsInBothThemes(page)).toEqual([]);
});

it('exports a file that other tools can read, with nothing private in it', async () => {
  const { page } = stage;
  await at(page, 'concept-open-0').click();
  await full(page, ids.twinConcept);
  pixels = await draw();
  picture = await saved(page, () => at(page, ids.savePicture).click());
  await at(page, ids.tabShelf).click();
  lora = await exportFirst(page);
  const { names, metadata } = readTensors(lora);
  expect(names).toContain('transformer.transformer_blocks.0.attn.to_q.lora_A.weight');
  expect(names).toContain('lamina_lora_rows.0');
  expect(names.every((name) => name.includes('lora'))).toBe(true);
  expect(JSON.parse(metadata['lora_adapter_metadata']!)).toBeTypeOf('object');
  expect(JSON.stringify(metadata)).not.toMatch(/on a table|on a beach|\.png/);
});

it('draws the same picture after deleting and importing', async () => {
  const { page } = stage;
  await at(page, 'concept-delete-0').click();
  await at(page, ids.confirmDelete).click();
  await at(page, 'concept-0').waitFor({ state: 'detached' });
  await at(page, ids.importInput).setInputFiles(lora);
  await at(page, 'concept-0').waitFor();
  expect(await at(page, 'concept-rename-0').inputValue()).toBe('Party cake');
  await at(page, 'concept-open-0').click();
  await full(page, ids.twinConcept);
  expect(await draw()).toBe(pixels);
  picture = await saved(page, () => at(page, ids.savePicture).click());
});

it('restores concept, prompt, seed and balance of a picture dropped on the page', async () => {
  const { page } = stage;
  await page.goto('about:blank');
  await visitWith(stage, {}, { prompt: 'a dog', seed: 3 });
  await baseReady(page);
  await at(page, ids.tabShelf).click();
  await dropOnPage(page, picture);
  await page.waitForFunction(([id, prompt]) => document.querySelector<HTMLInputElement>(`[data-testid=${id}]`)?.value === prompt, [ids.prompt, drawn.prompt] as const);
  expect(await at(page, ids.seed).inputValue()).toBe(drawn.seed);
  expect(await at(page, ids.balanceValue).textContent()).toBe(drawn.balance.toFixed(2));
  expect(await at(page, ids.conceptName).inputValue()).toBe('Party cake');
  expect(await pressDraw()).toBe(pixels);
});
