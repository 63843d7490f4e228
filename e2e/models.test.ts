/** A model of one's own: chosen as a folder, as one file, as several; imported, used, and drawn with after the page has begun anew; then the way back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { embeddedCheckpoints } from '../src/testing/fakeCheckpoint/embedded';
import { violationsInBothThemes } from './axe';
import { dropOnPage } from './files';
import { at, baseReady, full, ids, loadSample, openStage, twin, type Stage } from './studio';
import { closePrivate, visitWith } from './watch';

let stage: Stage;
let dir: string;
let made: Awaited<ReturnType<typeof embeddedCheckpoints>>;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lamina-e2e-models-'));
  made = await embeddedCheckpoints('public/base', dir);
  stage = await openStage();
});
afterAll(async () => {
  await closePrivate(stage);
  await rm(dir, { recursive: true, force: true });
});

/** Draws what the page asks for; the hash of the base's picture. */
async function draw(): Promise<number> {
  const { page } = stage;
  await at(page, ids.cancelDraw).or(at(page, ids.draw)).waitFor();
  if (await at(page, ids.cancelDraw).isVisible()) await at(page, ids.cancelDraw).click();
  await at(page, ids.draw).click();
  await at(page, ids.cancelDraw).waitFor({ state: 'detached' });
  await full(page, ids.twinBase);
  return (await twin(page, ids.twinBase))!.hash;
}

const name = () => at(stage.page, ids.modelName).textContent();

/** What the recipe says of the layers and rates that each base has defaults of its own for, with pictures at hand from another base. */
const recipe = async () => {
  await at(stage.page, ids.recipe).click();
  const said = { sites: await at(stage.page, 'recipe-sites').inputValue(), learningRate: Number(await at(stage.page, 'recipe-learningRate').inputValue()) };
  await stage.page.keyboard.press('Escape');
  return said;
};

let drawn: number;
it('draws on the embedded base', async () => {
  const { page } = stage;
  await visitWith(stage, {}, { prompt: 'a dog on a beach', seed: 5, steps: 8 });
  await baseReady(page);
  await loadSample(page, 'guide-dog');
  drawn = await draw();
  await at(page, ids.tabModels).click();
  expect(await name()).toBe('Embedded base');
  await at(page, 'model-part-transformer').waitFor();
  expect(await at(page, ids.modelInput).getAttribute('multiple')).not.toBeNull();
});

it.each([
  ['a folder', () => made.folder, ids.modelFolder],
  ['one file', () => [made.single], ids.modelInput],
  ['a file a network', () => made.separate, ids.modelInput],
] as const)('draws with a model imported from %s, after a reload, what the same weights draw as the embedded base', async (layout, files, input) => {
  const { page } = stage;
  await at(page, ids.tabModels).click();
  await at(page, input).setInputFiles(files() as string | string[]);
  await at(page, ids.modelImport).waitFor();
  const called = await name();
  if (layout === 'a folder') {
    expect(called).toBe(basename(made.folder));
    expect(await violationsInBothThemes(page)).toEqual([]);
  }
  await at(page, 'precision-f16').click();
  await at(page, ids.modelImport).click();
  await at(page, ids.modelUse).waitFor();
  if (layout === 'a folder') {
    await at(page, ids.modelCheck).click();
    await at(page, ids.modelChecked).waitFor();
    expect(await at(page, ids.modelChecked).textContent()).toContain('every piece is as it was written');
  }
  await Promise.all([page.waitForEvent('load'), at(page, ids.modelUse).click()]);
  await baseReady(page);
  expect(await at(page, ids.baseStatus).textContent()).toContain(called);
  await page.waitForSelector('[data-testid=card-4][data-state=ready]');
  expect(await draw()).toBe(drawn);
  if (layout === 'a folder') expect(await recipe()).toEqual({ sites: 'attention', learningRate: 1e-4 });
});

it('says what a wrong file is beside the drop zone, of a dropped one as of a chosen one', async () => {
  const { page } = stage;
  await at(page, ids.tabModels).click();
  await dropOnPage(page, { name: 'model.ckpt', mimeType: 'application/octet-stream', buffer: Buffer.from([0x80, 2, 0x7d, 0x71, 0, 0, 0, 0, 0, 0]) });
  await at(page, ids.fault).waitFor();
  expect(await at(page, ids.fault).textContent()).toMatch(/pickle.*\.safetensors/);
});

it('goes back to the embedded base, and deletes all that was imported', async () => {
  const { page } = stage;
  expect(await at(page, ids.modelDelete).count()).toBe(0); // it is in use
  await page.locator('[data-model=embedded]').click();
  await Promise.all([page.waitForEvent('load'), at(page, ids.modelUse).click()]);
  await baseReady(page);
  expect(await at(page, ids.baseStatus).textContent()).toContain('Embedded base');
  await page.waitForSelector('[data-testid=card-4][data-state=ready]');
  expect(await recipe()).toEqual({ sites: 'attention+mlp', learningRate: 1e-3 });
  await at(page, ids.tabModels).click();
  for (const left of [2, 1, 0]) {
    await at(page, 'model-1').click();
    await at(page, ids.modelDelete).click();
    await at(page, ids.confirmDelete).click();
    await at(page, `model-${left + 1}`).waitFor({ state: 'detached' });
  }
  expect(await name()).toBe('Embedded base');
});
