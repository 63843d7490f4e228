/** A world (the null-text specialist) as the page drives it: many pictures without captions, learned, kept, exported, read back and opened. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IDBFactory } from 'fake-indexeddb';
import { readHeader } from '../formats/safetensorsMetadata';
import type { ParamsOf } from '../protocol/messages';
import { openTab, sampleFile, type Tab } from '../testing/session/tab';
import { isClosed, pixelsOf } from '../testing/session/raster';

// as in session.test.ts
vi.setConfig({ testTimeout: 240_000 });

let tab: Tab;
beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  tab = await openTab();
});
afterEach(() => tab.close());

async function giveWorld(count: number): Promise<void> {
  const { now } = tab;
  now().setKind('world');
  for (const [key, value] of Object.entries({ steps: 30, batchSize: 1, rank: 2, flip: false, previewEvery: 15, learningRate: 0.05 })) now().setField(key as never, value);
  const names = [1, 2, 3, 4, 5].map((n) => `guide-dog/${n}.png`);
  await now().addFiles(await Promise.all(Array.from({ length: count }, (_, n) => sampleFile(names[n % 5]))));
}

it('learns without captions, draws, keeps, exports, reads back and opens', async () => {
  const { now, until, asked } = tab;
  await giveWorld(20);
  now().setParams({ steps: 8 });
  await now().learn();
  const { pictures, prompt, recipe } = asked.find(({ name }) => name === 'learn')!.params as ParamsOf<'learn'>;
  expect(pictures).toHaveLength(20);
  expect(pictures.every((picture) => !('captions' in picture))).toBe(true);
  expect({ prompt, method: recipe.method }).toEqual({ prompt: 'in the snow', method: 'specialist' });
  await until('learned and drawn', ({ run, drawing, twins }) => run?.phase === 'finished' && !drawing && twins.concept?.state === 'full');
  expect(now().metrics.map(({ losses, stage }) => [stage, Object.keys(losses)])[29]).toEqual(['specialist', ['flow', 'total']]);
  expect(now().strip.map(({ step, concept, customBase }) => [step, concept?.prompt, customBase?.prompt])).toEqual([[15, 'in the snow', ''], [30, 'in the snow', '']]);
  expect(now().twins.concept).toMatchObject({ kind: 'world', balance: 1 });
  expect(pixelsOf(now().twins.concept!.bitmap)).not.toBe(pixelsOf(now().twins.base!.bitmap));
  await now().measure();
  expect(now().measureFault).toMatchObject({ code: 'concept-missing' });

  await now().keep();
  expect(now().kept).toMatchObject({ kind: 'world', name: 'My world', classWord: '', lambda: 1 });
  const made = await now().exportConcept(now().kept!.conceptId, { includeRows: true, includeCaptions: true, keys: 'diffusers', author: '', includeThumbnail: false });
  const header = await readHeader(made!.file);
  expect(header['modelspec.description']).toMatch(/without captions/);
  for (const key of ['modelspec.trigger_phrase', 'lamina.captions', 'ss_num_train_images']) expect(header).not.toHaveProperty(key);

  const drawn = pixelsOf(now().twins.concept!.bitmap);
  await now().importFiles([{ file: made!.file, name: 'world.safetensors' }]);
  const read = now().concepts.find(({ imported }) => imported)!;
  expect(read).toMatchObject({ kind: 'world', recipe: { method: 'specialist', steps: 30 } });
  await now().openConcept(read.conceptId);
  now().setParams({ steps: 8 });
  await now().draw();
  expect(pixelsOf(now().twins.concept!.bitmap)).toBe(drawn);
  now().setBalance(0);
  await now().draw();
  expect(pixelsOf(now().twins.concept!.bitmap)).toBe(pixelsOf(now().twins.base!.bitmap));
});

it('takes many pictures with few of them on the page, has them again after a reload, and refuses too few', async () => {
  await giveWorld(70);
  expect(tab.now().cards.map(({ state, fitState }) => `${state} ${fitState}`).filter((state, n) => state !== (n < 60 ? 'ready done' : 'ready none'))).toEqual([]);
  expect(tab.now().cards.map(({ info }) => isClosed(info!.bitmap)).indexOf(true)).toBe(60);
  const learn = { runId: 'few', name: 'few', recipe: tab.now().recipe, pictures: tab.now().cards.slice(0, 19).map(({ pictureId, crop }) => ({ pictureId, crop: crop! })), prompt: '', seed: 1 };
  await vi.waitFor(() => expect(tab.asked.some(({ name, params }) => name === 'keepDataSet' && (params as ParamsOf<'keepDataSet'>).dataSet?.pictures.length === 70)).toBe(true), 10_000);
  await tab.close();
  tab = await openTab();
  await tab.until('restored', ({ cards }) => cards.length === 70);
  expect(tab.now().recipe).toMatchObject({ kind: 'world', method: 'specialist', steps: 30 });
  expect(tab.now().cards[69]!.info!.bitmap.width).toBe(1);
  await expect(tab.request('learn', learn)).rejects.toMatchObject({ code: 'too-few-pictures' });
});
