import 'fake-indexeddb/auto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import * as tf from '../engine/tf';
import { disposeBase, loadBase, type Base } from '../pipeline/base';
import { normal } from '../pipeline/random';
import { buildDataset, disposeDataset, pictureVariants, type DatasetItem } from '../pipeline/training/dataset';
import { Fault } from '../protocol/faults';
import { defaultRecipe, type Recipe } from '../protocol/recipe';
import { openDatabase, type Database, type RunRecord } from '../storage/db';
import { deleteRun, putRun, removeOldRuns } from '../storage/runStore';
import { useBackend } from '../testing/backend';
import { tinyStored } from '../testing/session/tinyFiles';
import { keptLatents } from './keptLatents';

let base: Base;
let db: Database;
/** Calls of the encoder. */
let encoded = 0;
beforeAll(async () => {
  await useBackend('wasm');
  base = await loadBase('tiny', await tinyStored('tiny'));
  db = await openDatabase('latents');
  await base.parts.autoencoder.use((autoencoder) => {
    const encode = autoencoder.encode.bind(autoencoder);
    autoencoder.encode = (...given) => { encoded++; return encode(...given); };
  });
});
afterAll(() => {
  disposeBase(base);
  db.close();
});

const captions = { complete: 'a [V] dog', base: 'a dog', target: '[V] dog' };
const picture = (step: number): DatasetItem => {
  const { height, width } = base.pictureSize();
  return { pixels: normal([height * width * 3], { seed: 1, purpose: 'test', step }), captions };
};
const recipe = (change: Partial<Recipe> = {}): Recipe => ({ ...defaultRecipe(), classWord: 'dog', flip: true, shiftCells: 0, ...change }) as Recipe;
/** The numbers of a data set as this run builds it, and how often it encoded. */
async function built(runId: string, items: DatasetItem[], { made = ['engine'], of = recipe() }: { made?: string[]; of?: Recipe } = {}): Promise<{ numbers: number[]; times: number }> {
  encoded = 0;
  const dataset = await buildDataset(base, items, of, undefined, undefined, undefined, keptLatents(db, runId, made));
  const numbers = Array.from(await dataset.latents.data());
  disposeDataset(dataset);
  return { numbers, times: encoded };
}

it('encodes a picture once, whichever run asks, and gives the same numbers in the same order', async () => {
  const [one, two, three] = [picture(1), picture(2), picture(3)];
  const variants = pictureVariants(recipe()).length;
  const before = tf.memory().numTensors;
  const fresh = await buildDataset(base, [one, two], recipe());
  const wanted = Array.from(await fresh.latents.data());
  disposeDataset(fresh);
  expect(await built('a', [one, two])).toEqual({ numbers: wanted, times: 2 * variants });
  expect(await built('a', [one, two])).toEqual({ numbers: wanted, times: 0 });
  // in another run, another order, with one that is new
  const mixed = await built('b', [two, three, one]);
  expect(mixed.times).toBe(variants);
  const each = wanted.length / 4;
  expect(mixed.numbers.slice(0, each)).toEqual(wanted.slice(each, 2 * each));
  expect(mixed.numbers.slice(2 * each, 3 * each)).toEqual(wanted.slice(0, each));
  expect(tf.memory().numTensors).toBe(before);
});

it('encodes anew what another engine, other copies or other pixels ask for', async () => {
  const one = picture(1);
  await built('a', [one]);
  expect((await built('a', [one], { made: ['another'] })).times).toBe(2);
  expect((await built('a', [one], { of: recipe({ flip: false }) })).times).toBe(1);
  const changed = Float32Array.from(one.pixels as Float32Array);
  changed[7]! += 0.01;
  expect((await built('a', [{ ...one, pixels: changed }])).times).toBe(2);
});

it('goes with its run, stays with the newest finished one, and does without where there is no room', async () => {
  const run = (runId: string, finished: boolean, updatedAt: string): RunRecord => ({ runId, name: runId, createdAt: updatedAt, updatedAt, finished, recipe: {}, prompt: '', seed: 1, engine: '', pictures: [] });
  await db.clear('latents');
  for (const [runId, finished] of [['old', true], ['new', true], ['open', false], ['gone', false]] as const) {
    await putRun(db, run(runId, finished, `2026-01-0${['old', 'new', 'open', 'gone'].indexOf(runId) + 1}`));
    await built(runId, [picture(9)]);
  }
  const kept = async () => (await db.getAllKeys('latents')).map(([runId]) => runId);
  expect(await kept()).toEqual(['gone', 'new', 'old', 'open']);
  await deleteRun(db, 'gone');
  await removeOldRuns(db);
  expect(await kept()).toEqual(['new', 'open']);

  const put = vi.spyOn(db, 'put').mockRejectedValue(new DOMException('full', 'QuotaExceededError'));
  expect((await built('full', [picture(10)])).times).toBe(2);
  put.mockRejectedValue(new Fault('internal', 'Broken.'));
  await expect(built('full', [picture(10)])).rejects.toThrow('Broken.');
  put.mockRestore();
});
