/** Evaluations that see a picture: what they share a pass with, when they are the base, and the base bit for bit where nothing is seen. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as tf from '../engine/tf';
import type { Tensor3D, Tensor4D } from '../engine/tf';
import { pack, type Packing } from '../formats/packing';
import type * as Mmdit from '../models/mmdit';
import { loadMmdit, velocity, velocityVjp, type Adapter, type Injection } from '../models/mmdit';
import { disposePictureAdapter, loadPictureAdapter, type PictureAdapter } from '../models/objectEncoder';
import { packedLayer } from '../models/weights';
import { expectNoLeak, useBackend } from '../testing/backend';
import { seen as passes } from '../testing/passes';
import { adapterSource } from '../testing/pictureAdapter';
import { noise } from '../testing/kernels/suite';
import { tinyBase, tinySource, tinyWords } from '../testing/tiny';
import type { EncodedPrompts, FlowBase } from './base';
import { evaluate, evaluatePasses, sameEvaluation, type Evaluation } from './evaluate';
import { untouched } from './sampling/velocityFields';
import { atLevels, type SeenPicture } from './seen';

vi.mock('../models/mmdit', async (original) => (await import('../testing/passes')).counted(await original<typeof Mmdit>()));

let base: FlowBase;
let adapter: PictureAdapter, tuned: PictureAdapter;
let x: Tensor4D;
let tokens: Tensor3D, otherTokens: Tensor3D;
let empty: EncodedPrompts, text: EncodedPrompts;
const between = async () => {};
const sigma = 0.6;
const SITE = 'transformer_blocks.1.attn.to_v';

beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  adapter = await loadPictureAdapter(adapterSource());
  tuned = await loadPictureAdapter(adapterSource({ lora: [[SITE, 16, 16]] }));
  x = tf.tensor4d(noise(64, 5), [1, 4, 4, 4]);
  [tokens, otherTokens] = [1, 2].map((seed) => tf.tensor3d(noise(24, seed), [1, 3, 8])) as [Tensor3D, Tensor3D];
  [empty, text] = [tinyWords(1, false, 1), tinyWords(1, false, 2)];
});
afterAll(() => [adapter, tuned].forEach(disposePictureAdapter));
beforeEach(() => void passes.splice(0));

const seeing = (change: Partial<SeenPicture> = {}, words = text): Evaluation => ({ ...untouched(words), seen: { adapter, tokens, weight: 1, ...change } });
const value = async (evaluation: Evaluation, level = sigma) => (await evaluate(base, x, [level], [evaluation], between))[0]!.dataSync();
const plain = (words = text, level = sigma, lora: Adapter | null = null) => velocity(base.mmdit, { x, sigma: [level], context: words.context, pooled: words.pooled }, lora, null).dataSync();

describe('an evaluation that sees a picture', () => {
  it('is the base bit for bit at weight 0, without tokens and above its noise level', async () => {
    for (const change of [{ weight: 0 }, { tokens: tf.zeros<tf.Rank.R3>([1, 0, 8]) }, { from: 0.5 }, { weight: 0, adapter: tuned }, { from: 0.5, adapter: tuned }]) {
      expect(await value(seeing(change))).toEqual(plain());
    }
    expect(await value(seeing())).not.toEqual(plain());
    expect(await value(seeing({ from: 0.6 }))).toEqual(await value(seeing()));
  });

  it('is what the transformer makes of words and tokens', async () => {
    const wanted = velocity(base.mmdit, { x, sigma: [sigma], context: text.context, pooled: text.pooled, injection: { weights: adapter.cross, tokens, weight: 0.4, ortho: 'ortho', zeroTokens: 2 } }, null, null);
    expect(await value(seeing({ weight: 0.4, ortho: 'ortho', zeroTokens: 2 }))).toEqual(wanted.dataSync());
  });

  it('has the adapter’s LoRA where it sees, and nowhere else', async () => {
    const { lora } = tuned;
    const wanted = velocity(base.mmdit, { x, sigma: [sigma], context: text.context, pooled: text.pooled, injection: { weights: tuned.cross, tokens, weight: 1 } }, lora, null).dataSync();
    const found = await value(seeing({ adapter: tuned }));
    found.forEach((each, i) => expect(each).toBeCloseTo(wanted[i]!, 5));
    const untuned = await value({ ...untouched(text), seen: { adapter: { ...tuned, lora: null }, tokens, weight: 1 } });
    expect(Math.max(...untuned.map((each, i) => Math.abs(each - found[i]!)))).toBeGreaterThan(1e-3);
    // beside one with its LoRA, one without a picture is still the base
    const [, without] = await evaluate(base, x, [sigma], [seeing({ adapter: tuned }), untouched(text)], between);
    expect(without!.dataSync()).toEqual(plain());
  });

  it('refuses an adapter, and a LoRA, of another transformer', async () => {
    const [wide, lora] = [await loadPictureAdapter(adapterSource({ hidden: 24 })), await loadPictureAdapter(adapterSource({ lora: [['transformer_blocks.1.attn.to_v', 16, 24]] }))];
    for (const other of [wide, lora]) await expect(value(seeing({ adapter: other }))).rejects.toMatchObject({ code: 'base-mismatch' });
    [wide, lora].forEach(disposePictureAdapter);
  });
});

describe('training’s own rules', () => {
  const trained = async () => Object.fromEntries(await Promise.all(['cross.0.to_out.weight', 'cross.2.to_kv.weight'].map(async (name) => [name, tf.tensor(await adapterSource().read(name), [...adapterSource().shape(name)])] as const)));
  const dv = () => tf.tensor4d(noise(64, 8), [1, 4, 4, 4]);
  const run = async (injection: Injection | null) => {
    const made = velocityVjp(base.mmdit, { x, sigma: [sigma], context: text.context, pooled: text.pooled, injection }, null, null, { recompute: true, wantRows: false, wantTokens: true });
    return { v: made.velocity.dataSync(), gradients: made.pullback(dv()).injection };
  };

  it('T3: a picture of no object is the base’s, and gives adapter and tokens no gradient', async () => {
    const seenHere: Injection = { weights: adapter.cross, tokens, weight: 1, trained: await trained() };
    for (const general of [null, { ...seenHere, tokens: tf.zeros<tf.Rank.R3>([1, 0, 8]) }, { ...seenHere, weight: 0 }]) expect(await run(general)).toEqual({ v: plain(), gradients: null });
    const { gradients } = await run(seenHere);
    for (const gradient of [gradients!.tokens!, ...Object.values(gradients!.trained)]) expect(Math.max(...gradient.dataSync().map(Math.abs))).toBeGreaterThan(1e-4);
  });

  it('T6: captions exchanged between two pictures exchange what words do and nothing else', async () => {
    const both = tf.concat([x, x], 0) as Tensor4D;
    const words = (first: EncodedPrompts, second: EncodedPrompts): EncodedPrompts => ({ context: tf.concat([first.context, second.context], 0), pooled: tf.concat([first.pooled, second.pooled], 0), at: [-1, -1] });
    const drawn = async (pair: EncodedPrompts) => (await evaluate(base, both, [sigma, sigma], [{ ...untouched(pair), seen: { adapter, tokens, weight: 1 } }], between))[0]!.dataSync();
    const [one, swapped] = [await drawn(words(text, empty)), await drawn(words(empty, text))];
    expect(swapped.slice(0, 64)).toEqual(one.slice(64));
    expect(swapped.slice(64)).toEqual(one.slice(0, 64));
    expect(one.slice(0, 64)).not.toEqual(one.slice(64));
  });
});

describe('evaluations together', () => {
  it('are the same only with the same tokens, adapter and options', () => {
    expect(sameEvaluation(seeing(), seeing())).toBe(true);
    expect(sameEvaluation(seeing({ weight: 0 }), untouched(text))).toBe(true);
    expect(sameEvaluation(seeing({ zeroTokens: 0, ortho: 'none' }), seeing())).toBe(true);
    const changes: Partial<SeenPicture>[] = [{ tokens: otherTokens }, { weight: 0.5 }, { adapter: tuned }, { zeroTokens: 3 }, { ortho: 'ortho' }, { region: tf.ones([1, 4, 1]) as Tensor3D }, { from: 0.3 }];
    for (const change of changes) expect(sameEvaluation(seeing(change), seeing()), Object.keys(change)[0]).toBe(false);
    expect(sameEvaluation(seeing(), untouched(text))).toBe(false);
  });

  it('share a pass where only words and tokens differ; equal ones are made once', async () => {
    const wanted = [untouched(empty), untouched(text), seeing(), seeing({ tokens: otherTokens }), seeing({}, empty), seeing()];
    const found = await evaluate(base, x, [sigma], wanted, between);
    expect(passes).toEqual([2, 3]);
    for (const [i, evaluation] of wanted.entries()) {
      const alone = await value(evaluation);
      found[i]!.dataSync().forEach((each, n) => expect(each).toBeCloseTo(alone[n]!, 5));
    }
    passes.splice(0);
    await evaluate(base, x, [sigma], [seeing(), seeing({ weight: 0.5 }), seeing({ zeroTokens: 1 }), seeing({ adapter: tuned }), seeing({ tokens: tf.concat([tokens, tokens], 1) as Tensor3D })], between);
    expect(passes).toEqual([1, 1, 1, 1, 1]);
    passes.splice(0);
    await evaluate(base, x, [sigma], [untouched(text), seeing({ from: 0.5 }), seeing({ weight: 0 })], between);
    expect(passes).toEqual([1]);
  });

  it('take one row of tokens for several rows of x, or one each, and leave nothing behind', async () => {
    const two = tf.concat([x, x], 0) as Tensor4D;
    const words = tinyWords(2, false, 2);
    const [shared, own] = await evaluate(base, two, [sigma, sigma], [seeing({}, words), seeing({ tokens: tf.concat([tokens, otherTokens], 0) as Tensor3D }, words)], between);
    const [a, b] = [shared!, own!].map((each) => each.dataSync());
    expect(a!.slice(0, 64)).toEqual(b!.slice(0, 64));
    expect(a!.slice(64)).not.toEqual(b!.slice(64));
    await expectNoLeak(async () => tf.dispose((await evaluatePasses(base, x, [sigma], [seeing(), seeing({ tokens: otherTokens }), seeing({ adapter: tuned })], between)).outputs));
    expect(() => atLevels(seeing({ from: 0.5 }), [0.4, 0.6])).toThrow(/by all rows/);
  });
});

it('streams its blocks’ weights as without a picture', async () => {
  const int8: Packing = { precision: 'int8' };
  const source = tinySource();
  const packed = { ...source, packed: (key: string) => {
    const [out = 0, inputs = 0] = source.shape(key);
    if (!/^transformer_blocks.*\.weight$/.test(key) || source.shape(key).length !== 2) return null;
    return { packing: int8, read: async () => { const values = await source.read(key); return pack(Float32Array.from(values, (_, i) => values[(i % out) * inputs + Math.floor(i / out)]!), inputs, out, int8); } };
  } };
  const [whole, streamed] = [await loadMmdit(tinySource(), undefined, { blockLayer: packedLayer(int8) }), await loadMmdit(packed, undefined, { streamBytes: 1 })];
  const found = await Promise.all([whole, streamed].map(async (mmdit) => (await evaluate({ ...base, mmdit }, x, [sigma], [seeing({ adapter: tuned }), untouched(text)], between)).map((each) => each.dataSync())));
  expect(found[1]).toEqual(found[0]);
});
