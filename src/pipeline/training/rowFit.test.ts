/** Concept rows that begin from the picture: nearer to what the object encoder sees than the class word, the same each time, and only where asked for. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { methods } from '../../methods';
import { disposePictureAdapter, loadPictureAdapter, type PictureAdapter } from '../../models/objectEncoder';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { adapterSource } from '../../testing/pictureAdapter';
import { noise } from '../../testing/kernels/suite';
import { tinyStored, TINY_SIDE } from '../../testing/session/tinyFiles';
import { tinyBase, tinyDataset, tinyRecipe } from '../../testing/tiny';
import { disposeBase, loadBase, type FlowBase } from '../base';
import { evaluate } from '../evaluate';
import { noised } from '../flow';
import { Part } from '../parts';
import { disposePrompts, pickPrompts } from '../prompts';
import { buildDataset, disposeDataset, type Dataset } from './dataset';
import { seeReferences, referenceChances } from './references';
import { fittedRows, initialRows } from './rowInit';
import { createTrainer } from './train';

let base: FlowBase;
let adapter: PictureAdapter;
let released = 0;
beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  adapter = await loadPictureAdapter(adapterSource());
});

const tokensOf = (count: number) => Array.from({ length: count }, (_, i) => tf.tensor3d(noise(24, 40 + i), [1, 3, 8]));
const looking = (pictures = 3): Dataset => {
  const dataset = tinyDataset(pictures);
  return { ...dataset, look: async () => {
    const tokens = tokensOf(pictures === 1 ? 4 : pictures);
    return { adapter, tokens, single: pictures === 1, release: () => { released++; tf.dispose(tokens); } };
  } };
};
const fit = async (dataset: Dataset, steps: number, seed = 1) => fittedRows(base, dataset, seed, await initialRows(base, dataset, seed), { steps, learningRate: 5e-2 });

/** Mean square of v(Complete; rows) − v(Base, e), on noise that no step of fitting saw. */
async function distance(dataset: Dataset, rows: Float32Array): Promise<number> {
  const { hidden, depth } = base.mmdit.config;
  const table = { rows: tf.tensor2d(rows, [depth, hidden]), pooledDelta: null };
  let sum = 0;
  for (let picture = 0; picture < dataset.pictures; picture++) {
    const words = [dataset.words.complete!, dataset.words.base!].map((each) => pickPrompts(each, [picture]));
    const x = noised(tf.slice(dataset.latents, picture, 1), tf.tensor4d(noise(64, 90 + picture), [1, 4, 4, 4]), [0.6]).xSigma;
    const tokens = tf.tensor3d(noise(24, 40 + ((picture + 1) % dataset.pictures)), [1, 3, 8]);
    const [own, seen] = await evaluate(base, x, [0.6], [{ words: words[0]!, adapter: null, rows: table }, { words: words[1]!, adapter: null, rows: null, seen: { adapter, tokens, weight: 1 } }], async () => {});
    sum += tf.mean(tf.squaredDifference(own!, seen!)).dataSync()[0]! / dataset.pictures;
    words.forEach(disposePrompts);
  }
  return sum;
}

describe('rows fitted to the encoder', () => {
  it('come nearer to what it sees, the more steps the nearer, by the same numbers each time', async () => {
    const dataset = looking();
    const start = await initialRows(base, dataset, 1);
    const [before, some, more] = [start, await fit(dataset, 4), await fit(dataset, 16)];
    const [d0, d4, d16] = [await distance(dataset, before), await distance(dataset, some), await distance(dataset, more)];
    expect(d4).toBeLessThan(0.98 * d0);
    expect(d16).toBeLessThan(0.98 * d4);
    expect(await fit(dataset, 4)).toEqual(some);
    expect(await fit(dataset, 4, 2)).not.toEqual(some);
  });

  it('see another picture than the one they are fitted on, of a single one its changed copies', async () => {
    // the tokens of all pictures but one are the same: that one's own step must not see its own
    const used: number[] = [];
    const dataset: Dataset = { ...tinyDataset(2), look: async () => {
      const tokens = tokensOf(2);
      return { adapter, single: false, release: () => tf.dispose(tokens), tokens: new Proxy(tokens, { get: (target, key) => { if (key === '0' || key === '1') used.push(Number(key)); return Reflect.get(target, key) as unknown; } }) };
    } };
    await fit(dataset, 1);
    expect(used.slice(0, 2)).toEqual([1, 0]); // pictures 0 and 1
    expect(await fit(looking(1), 2)).not.toEqual(await fit(looking(1), 1));
  });

  it('leave nothing behind, also where the encoder fails', async () => {
    const dataset = looking();
    await fit(dataset, 1); // makes the kept transposes
    released = 0;
    await expectNoLeak(() => fit(dataset, 2));
    expect(released).toBe(1);
    await expect(fit({ ...dataset, look: undefined } as unknown as Dataset, 1)).rejects.toThrow(/object encoder sees/);
  });
});

describe('a recipe', () => {
  const started = async (rowFitSteps: number) => {
    const dataset = looking();
    const trainer = await createTrainer({ base, method: methods.purecc, recipe: tinyRecipe({ rowFitSteps }), dataset });
    const { groups } = await trainer.exportState();
    trainer.dispose();
    disposeDataset(dataset);
    return groups;
  };

  it('asks the encoder only where it says so; everything else starts as before', async () => {
    const [plain, fitted] = [await started(0), await started(3)];
    const dataset = looking();
    expect(plain.rows!.values).toEqual(await initialRows(base, dataset, 0));
    expect(fitted.rows!.values).toEqual(await fittedRows(base, dataset, 0, await initialRows(base, dataset, 0), { steps: 3, learningRate: 1e-2 }));
    expect(fitted.rows!.values).not.toEqual(plain.rows!.values);
    expect(fitted.extractor).toEqual(plain.extractor);
    expect([...fitted.rows!.m, ...fitted.rows!.v].every((value) => value === 0)).toBe(true);
  });

  it('looks at the data set’s pictures, each in its mask, and says so where the base cannot', async () => {
    const whole = await loadBase('tiny', await tinyStored('tiny'));
    const recipe = tinyRecipe({ rowFitSteps: 2 });
    const captions = { complete: 'a [V] dog', base: 'a dog', target: '[V] dog' };
    const items = [1, 2].map((seed) => ({ pixels: noise(TINY_SIDE ** 2 * 3, seed), captions, mask: { side: 2, cells: [1, 1, 0, 0] } }));
    const { object: _, ...rest } = whole.parts;
    await expect(buildDataset({ ...whole, parts: { ...rest, object: null } }, items, recipe)).rejects.toMatchObject({ code: 'recipe-invalid', subject: 'rowFitSteps' });
    const object = new Part(() => loadPictureAdapter(adapterSource()), disposePictureAdapter, false);
    const seeing = { ...whole, parts: { ...rest, object } };
    expect((await buildDataset(seeing, items, tinyRecipe())).look).toBeUndefined();
    const dataset = await buildDataset(seeing, items, recipe);
    const looks = await dataset.look!();
    expect([looks.tokens.map(({ shape }) => shape), looks.single]).toEqual([[[1, 3, 8], [1, 3, 8]], false]);
    const bits = looks.tokens.map((each) => each.dataSync());
    const outside = items.map((item) => ({ ...item, pixels: item.pixels.map((value, i) => (i < (TINY_SIDE ** 2 * 3) / 2 ? value : 0.5)) }));
    const again = await seeReferences(seeing, outside, 0);
    expect(again.tokens.map((each) => each.dataSync())).toEqual(bits);
    const one = await seeReferences(seeing, items.slice(0, 1), 0);
    expect([one.tokens.length, one.single]).toEqual([4, true]);
    expect(new Set(one.tokens.map((each) => each.dataSync().join())).size).toBe(4);
    [looks, again, one].forEach(({ release }) => release());
    await expectNoLeak(async () => (await seeReferences(seeing, items, 0)).release());
    disposeDataset(dataset);
    disposeBase(whole);
  });

  it('draws a reference’s chances from its step and number alone', () => {
    expect(referenceChances(1, 2, 0)).toEqual(referenceChances(1, 2, 0));
    expect(referenceChances(1, 2, 1)).not.toEqual(referenceChances(1, 2, 0));
    expect(referenceChances(1, 3, 0)).not.toEqual(referenceChances(1, 2, 0));
  });
});
