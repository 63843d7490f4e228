import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { pack, type PackedLayer, type Packing } from '../formats/packing';
import { expectNoLeak, useBackend } from '../testing/backend';
import { noise } from '../testing/kernels/suite';
import { tinySource, tinyWords } from '../testing/tiny';
import { packedLayer } from './weights';
import type { WeightSource } from './weightSource';
import { blockLayers, disposeMmdit, loadMmdit, loraSites, velocityAsync, velocityVjpAsync, type Adapter, type Mmdit, type MmditInput } from './mmdit';
import { planStream } from './streaming';

const int8: Packing = { precision: 'int8' };
const input = (): MmditInput => ({ ...tinyWords(2, false, 1), x: tf.tensor4d(noise(2 * 64, 5), [2, 4, 4, 4]), sigma: [0.3, 0.7] });
const adapterOf = (model: Mmdit): Adapter => Object.fromEntries(loraSites(model).map(({ name, inFeatures, outFeatures }, i) => [
  name, { a: tf.tensor2d(noise(inFeatures * 2, 2 * i), [inFeatures, 2]), b: tf.tensor2d(noise(2 * outFeatures, 2 * i + 1), [2, outFeatures]), scale: 0.5 },
]));
const numbers = (x: tf.Tensor) => Array.from(x.dataSync());
const pass = async () => {};

/** The tiny model's file with its blocks packed, as an import stores them; `broken` once fails the reading of that key. */
function stored(broken = { key: '' }): WeightSource & { reads: string[] } {
  const source = tinySource();
  const reads: string[] = [];
  return {
    ...source, reads,
    packed(key): PackedLayer | null {
      const [out = 0, inputs = 0] = source.shape(key);
      if (!/^transformer_blocks.*\.weight$/.test(key) || source.shape(key).length !== 2) return null;
      return { packing: int8, async read() {
        reads.push(key);
        if (key === broken.key) {
          broken.key = '';
          throw new Error('the disk is gone');
        }
        const values = await source.read(key);
        return pack(Float32Array.from(values, (_, i) => values[(i % out) * inputs + Math.floor(i / out)]!), inputs, out, int8);
      } };
    },
  };
}
const blocksAt = (model: Mmdit) => model.blocks.filter((block) => blockLayers(block).some(({ packed }) => packed !== null)).map(({ index }) => index);
const blockBytes = (model: Mmdit) => model.blocks.map((block) => blockLayers(block).reduce((total, { sizeBytes }) => total + sizeBytes, 0));

describe('planning', () => {
  it('keeps all where all fits, else as many as there is room for beside two places, else one', () => {
    expect(planStream([4, 4, 2], 10)).toEqual({ staying: 3, places: 0, mostBytes: 10 });
    expect(planStream([4, 4, 4, 2], 13)).toEqual({ staying: 1, places: 2, mostBytes: 12 });
    expect(planStream([4, 4, 2], 9)).toEqual({ staying: 0, places: 2, mostBytes: 8 });
    expect(planStream([4, 4, 2], 5)).toEqual({ staying: 0, places: 1, mostBytes: 4 });
    expect(planStream([4, 4, 2], 0)).toEqual({ staying: 0, places: 1, mostBytes: 4 });
  });
});

describe('a model that streams its blocks', () => {
  beforeAll(async () => { await useBackend('wasm'); });
  let whole: Mmdit;
  beforeAll(async () => { whole = await loadMmdit(tinySource(), undefined, { blockLayer: packedLayer(int8) }); });

  it.each([[1, 1], [2, 2], [2.5, 2], [10, 3]])('with room for %d blocks equals the resident one, forward and backward, with at most %d in place', async (room, most) => {
    const source = stored();
    const model = await loadMmdit(source, undefined, { streamBytes: room * Math.max(...blockBytes(whole)) });
    const [given, dv] = [input(), tf.tensor4d(noise(2 * 64, 6), [2, 4, 4, 4])];
    let seen = 0;
    const look = async () => { seen = Math.max(seen, blocksAt(model).length); };
    const results = [];
    for (const each of [model, whole]) {
      const run = await velocityVjpAsync(each, given, adapterOf(whole), null, { recompute: true, wantRows: false }, look);
      const { sites } = await run.pullback(dv);
      results.push([numbers(run.velocity), Object.values(sites).map(({ a, b }) => [numbers(a), numbers(b)])]);
    }
    expect(results[0]).toEqual(results[1]);
    expect(seen).toBe(most);
    disposeMmdit(model);
  });

  it('fetches nothing at the turn, and what stays only once', async () => {
    const source = stored();
    const blocks = blockBytes(whole);
    const model = await loadMmdit(source, undefined, { streamBytes: 2 * Math.max(...blocks) });
    const once = (index: number) => source.reads.filter((key) => key.startsWith(`transformer_blocks.${index}.`)).length / blockLayers(model.blocks[index]!).length;
    const run = await velocityVjpAsync(model, input(), adapterOf(whole), null, { recompute: true, wantRows: false }, pass);
    await run.pullback(run.velocity);
    expect([0, 1, 2].map(once)).toEqual([2, 1, 1]); // forward 0 1 2, back 2 1 0: block 0 made room for 2
    disposeMmdit(model);
  });

  it('gives blocks up when its room becomes less, also while it computes, and takes no more when it is said to be wide', async () => {
    const [source, given] = [stored(), input()];
    const model = await loadMmdit(source, undefined, { streamBytes: 1e9 });
    const wanted = numbers(await velocityAsync(whole, given, null, null, pass));
    expect(numbers(await velocityAsync(model, given, null, null, pass))).toEqual(wanted);
    expect(blocksAt(model)).toEqual([0, 1, 2]);
    model.residency!.limit!(2e9);
    expect(blocksAt(model)).toEqual([0, 1, 2]);
    model.residency!.limit!(2 * Math.max(...blockBytes(whole)));
    expect(blocksAt(model)).toEqual([1, 2]);
    const counts: number[] = [];
    const reads = source.reads.length;
    const narrowing = async () => {
      counts.push(blocksAt(model).length);
      model.residency!.limit!(0);
    };
    expect(numbers(await velocityAsync(model, given, null, null, narrowing))).toEqual(wanted);
    expect(blocksAt(model)).toHaveLength(1);
    expect(source.reads.length).toBeGreaterThan(reads);
    model.residency!.limit!(1e9);
    counts.splice(0);
    expect(numbers(await velocityAsync(model, given, null, null, async () => void counts.push(blocksAt(model).length)))).toEqual(wanted);
    expect(Math.max(...counts)).toBe(1);
    disposeMmdit(model);
    const another = await loadMmdit(stored(), undefined, { streamBytes: 1e9 });
    (await velocityAsync(another, given, null, null, pass)).dispose();
    another.residency!.limit!(0);
    expect(blocksAt(another)).toEqual([2]);
    disposeMmdit(another);
  });

  it('serves two passes at once through a single place', async () => {
    const model = await loadMmdit(stored(), undefined, { streamBytes: 0 });
    const given = input();
    const [a, b] = await Promise.all([velocityAsync(model, given, null, null, pass), velocityAsync(model, given, null, null, pass)]);
    const wanted = await velocityAsync(whole, given, null, null, pass);
    expect(numbers(a)).toEqual(numbers(wanted));
    expect(numbers(b)).toEqual(numbers(wanted));
    expect(blocksAt(model)).toHaveLength(1);
    disposeMmdit(model);
  });

  it('tells a failed fetch to who needed the block, leaks nothing, and the next one succeeds', async () => {
    const broken = { key: 'transformer_blocks.1.attn.to_k.weight' };
    const model = await loadMmdit(stored(broken), undefined, { streamBytes: 0 });
    const given = input();
    await expectNoLeak(async () => {
      await expect(velocityAsync(model, given, null, null, pass)).rejects.toThrow('the disk is gone');
    });
    expect(blocksAt(model)).toEqual([]);
    (await velocityAsync(model, given, null, null, pass)).dispose();
    disposeMmdit(model);
  });

  it('lets nothing arrive after it was disposed of', async () => {
    const model = await loadMmdit(stored(), undefined, { streamBytes: 2 * Math.max(...blockBytes(whole)) });
    const entering = model.residency!.enter(0);
    // some of its layers are there already
    while (blocksAt(model).length === 0) await Promise.resolve();
    disposeMmdit(model);
    expect(blocksAt(model)).toEqual([]);
    await expect(entering).rejects.toThrow('disposed of');
    expect(blocksAt(model)).toEqual([]);
  });

  it('refuses a file whose layers are not packed', async () => {
    await expect(loadMmdit(tinySource(), undefined, { streamBytes: 0 })).rejects.toThrow(expect.objectContaining({ code: 'base-mismatch' }));
  });
});
