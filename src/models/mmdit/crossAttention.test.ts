import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { adapterSource } from '../../testing/pictureAdapter';
import { noise } from '../../testing/kernels/suite';
import { tinyBase } from '../../testing/tiny';
import { disposePictureAdapter, loadPictureAdapter, type PictureAdapter } from '../objectEncoder';
import { drain } from '../steps';
import { forwardSteps } from './forward';
import { injected, noiseLevel } from './crossAttention';
import { expectCrossFits } from './crossWeights';
import { disposeMmdit, loraSites, velocity, velocityVjp, type Adapter, type Injection, type Mmdit, type MmditInput } from './index';

let model: Mmdit;
let adapter: PictureAdapter;
let input: MmditInput;
let tokens: tf.Tensor3D;
let direction: tf.Tensor4D; // the scalar under test is sum(direction · v)

const random = <T extends tf.Tensor>(shape: number[], seed: number, size = 1): T => tf.tidy(() => tf.mul(tf.tensor(noise(shape.reduce((a, b) => a * b, 1), seed), shape), size)) as T;
const bits = (x: tf.Tensor) => x.dataSync();
const dot = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.sum(tf.mul(a, b)).dataSync()[0]!);
const injection = (change: Partial<Injection> = {}): Injection => ({ weights: adapter.cross, tokens, weight: 1, ...change });
const drawn = (change: Partial<Injection> | null, given: MmditInput = input, lora: Adapter | null = null) => bits(velocity(model, { ...given, ...(change && { injection: injection(change) }) }, lora, null));

beforeAll(async () => {
  await useBackend('wasm');
  model = (await tinyBase()).mmdit;
  adapter = await loadPictureAdapter(adapterSource());
  input = { x: random([2, 4, 4, 4], 1), sigma: [0.3, 0.8], context: random([2, 6, 12], 2), pooled: random([2, 10], 3) };
  tokens = random([2, 3, 8], 4);
  direction = random([2, 4, 4, 4], 5);
});
afterAll(() => {
  disposePictureAdapter(adapter);
  disposeMmdit(model);
});

describe('what it leaves alone', () => {
  it('is the base bit for bit at weight 0 and without tokens, and something else otherwise', () => {
    const plain = drawn(null);
    expect(drawn({ weight: 0 })).toEqual(plain);
    expect(drawn({ tokens: tf.zeros([2, 0, 8]) })).toEqual(plain);
    expect(drawn({})).not.toEqual(plain);
    expect(drawn({ weight: 0, ortho: 'ortho_v2', zeroTokens: 4, tokens: tf.fill([2, 3, 8], NaN) })).toEqual(plain);
  });

  it('is the base bit for bit before training, when its output is zero', async () => {
    const fresh = await loadPictureAdapter(adapterSource({ fresh: true }));
    for (const ortho of ['none', 'ortho', 'ortho_v2'] as const) expect(drawn({ weights: fresh.cross, ortho })).toEqual(drawn(null));
    disposePictureAdapter(fresh);
  });

  it('I8: stands behind the blocks that the file names, and reaches text tokens only through the next block', () => {
    expect([...adapter.cross.blocks.keys()]).toEqual([0, 2]);
    const seen = (given: MmditInput) => {
      const texts: Float32Array[] = [];
      drain(forwardSteps(model, given, null, null, { visit: (y) => texts.push(bits(y) as Float32Array) })).dispose();
      return texts;
    };
    const [plain, changed] = [seen(input), seen({ ...input, injection: injection() })];
    expect(changed[0]).toEqual(plain[0]);
    expect(changed[1]).toEqual(plain[1]); // behind block 0 the pictures' tokens alone differ
    expect(changed[2]).not.toEqual(plain[2]);
    // each of the two alone changes the velocity
    for (const index of [0, 2]) expect(drawn({ weights: { ...adapter.cross, blocks: new Map([[index, adapter.cross.blocks.get(index)!]]) } })).not.toEqual(drawn(null));
  });

  it('refuses a transformer of another width, and one with fewer blocks', async () => {
    const other = await loadPictureAdapter(adapterSource({ hidden: 24 }));
    const longer = await loadPictureAdapter(adapterSource({ behind: [0, 3] }));
    for (const { cross } of [other, longer]) expect(() => expectCrossFits(model, cross)).toThrow(/width 16 and 3 blocks/);
    expectCrossFits(model, adapter.cross);
    [other, longer].forEach(disposePictureAdapter);
  });
});

describe('the branch', () => {
  const behind = () => adapter.cross.blocks.get(0)!;
  const x = () => random<tf.Tensor3D>([2, 4, 16], 6);
  const branch = (change: Partial<Injection>, at = x()) => tf.tidy(() => tf.sub<tf.Tensor3D>(injected(behind(), at, change.tokens ?? tokens, noiseLevel(adapter.cross, input.sigma), injection(change)), at));

  it('is the formula, counted in doubles', async () => {
    const source = adapterSource();
    const w = Object.fromEntries(await Promise.all(source.keys().map(async (key) => [key, await source.read(key)] as const)));
    const read = (name: string) => w[`cross.0.${name}`]!;
    const times = (matrix: Float32Array, v: number[]) => Array.from({ length: matrix.length / v.length }, (_, o) => v.reduce((sum, value, i) => sum + value * matrix[o * v.length + i]!, 0));
    const norm = (v: number[], name: string) => {
      const m = v.reduce((a, b) => a + b) / v.length;
      const r = 1 / Math.sqrt(v.reduce((sum, each) => sum + (each - m) ** 2, 0) / v.length + 1e-5);
      return v.map((each, i) => (each - m) * r * read(`${name}.weight`)[i]! + read(`${name}.bias`)[i]!);
    };
    const silu = (v: number[]) => v.map((each) => each / (1 + Math.exp(-each)));
    const plus = (v: number[], bias: Float32Array) => v.map((each, i) => each + bias[i]!);
    const wanted: number[] = [];
    const [given, tokenValues] = [bits(x()), bits(tokens)];
    for (let b = 0; b < 2; b++) {
      const angles = Array.from({ length: 128 }, (_, k) => 1000 * input.sigma[b]! * Math.exp((-Math.log(10000) * k) / 128));
      const level = silu(plus(times(w['time.linear_2.weight']!, silu(plus(times(w['time.linear_1.weight']!, [...angles.map(Math.cos), ...angles.map(Math.sin)]), w['time.linear_1.bias']!))), w['time.linear_2.bias']!));
      const modulation = plus(times(read('modulation.weight'), level), read('modulation.bias'));
      const kv = [0, 1, 2].map((t) => times(read('to_kv.weight'), norm([...tokenValues.slice((b * 3 + t) * 8, (b * 3 + t + 1) * 8)], 'norm_tokens').map((each, i) => each * (1 + modulation[8 + i]!) + modulation[i]!)));
      for (let n = 0; n < 4; n++) {
        const q = times(read('to_q.weight'), norm([...given.slice((b * 4 + n) * 16, (b * 4 + n + 1) * 16)], 'norm_image'));
        const scores = kv.map((row) => Math.exp(row.slice(0, 64).reduce((sum, value, i) => sum + value * q[i]!, 0) / 8));
        const total = scores.reduce((a, c) => a + c);
        wanted.push(...times(read('to_out.weight'), Array.from({ length: 64 }, (_, i) => kv.reduce((sum, row, t) => sum + (scores[t]! / total) * row[64 + i]!, 0))));
      }
    }
    const found = bits(branch({ weight: 0.5 }));
    wanted.forEach((value, i) => expect(Math.abs(found[i]! - 0.5 * value)).toBeLessThan(2e-5));
  });

  it('I12: loses weight to zero tokens by the factor that softmax gives', () => {
    // one token alone has all the attention; equal scores of 0 leave it 1 of 1 + z
    const still = { ...behind(), q: { ...behind().q, weight: tf.zeros<tf.Rank.R2>([16, 64]) } };
    const one = tf.slice(tokens, [0, 0, 0], [2, 1, 8]);
    const made = (zeroTokens: number) => bits(tf.tidy(() => tf.sub(injected(still, x(), one, noiseLevel(adapter.cross, input.sigma), injection({ zeroTokens })), x())));
    const [all, diluted] = [made(0), made(7)];
    all.forEach((value, i) => expect(diluted[i]).toBeCloseTo(value / 8, 5));
    expect(Math.max(...all.map(Math.abs))).toBeGreaterThan(0.1);
  });

  it('takes several pictures’ tokens one after the other: twice the same is the same as once', () => {
    const [once, twice] = [bits(branch({})), bits(branch({ tokens: tf.concat([tokens, tokens], 1) as tf.Tensor3D }))];
    once.forEach((value, i) => expect(twice[i]).toBeCloseTo(value, 5));
  });

  it('acts in its region alone', () => {
    const region = tf.tensor3d([1, 0, 0.5, 0], [1, 4, 1]);
    const [whole, part] = [branch({}), branch({ region })].map(bits);
    part!.forEach((value, i) => expect(value).toBeCloseTo(whole![i]! * [1, 0, 0.5, 0][Math.floor(i / 16) % 4]!, 5));
  });

  it('is at right angles to the stream with ortho, channel by channel, and keeps the share of the first tokens with ortho_v2', () => {
    const at = x();
    const [plain, ortho, second] = (['none', 'ortho', 'ortho_v2'] as const).map((each) => branch({ ortho: each }, at));
    const against = bits(tf.sum(tf.mul(ortho!, at), 1));
    against.forEach((value) => expect(Math.abs(value)).toBeLessThan(1e-4));
    expect(Math.max(...bits(tf.sum(tf.mul(plain!, at), 1)).map(Math.abs))).toBeGreaterThan(0.1);
    // of three tokens all are among the first five: nothing is taken away
    bits(second!).forEach((value, i) => expect(value).toBeCloseTo(bits(plain!)[i]!, 4));
    // with zeros beside them their share is lower, and something is
    const [diluted, kept] = [branch({ zeroTokens: 9 }, at), branch({ zeroTokens: 9, ortho: 'ortho_v2' }, at)];
    expect(dot(kept, at)).not.toBeCloseTo(dot(diluted, at), 3);
  });

  it('has no NaN where a channel of the stream is zero, or all of it', () => {
    const mask = tf.tensor1d(Array.from({ length: 16 }, (_, i) => (i === 3 ? 0 : 1)));
    for (const at of [tf.mul<tf.Tensor3D>(x(), mask), tf.zeros<tf.Rank.R3>([2, 4, 16])]) {
      for (const ortho of ['ortho', 'ortho_v2'] as const) expect(bits(branch({ ortho }, at)).every(Number.isFinite)).toBe(true);
    }
  });
});

describe('gradients', () => {
  const near = (found: number, wanted: number, what: string) => expect(Math.abs(found - wanted), what).toBeLessThan(5e-3 * Math.max(1, Math.abs(wanted)));
  const objective = (change: Partial<Injection>, given = input) => tf.tidy(() => dot(direction, velocity(model, { ...given, injection: injection(change) }, null, null)));
  /** Central differences at two steps, extrapolated: what is left is of the fourth order. */
  const along = (at: tf.Tensor, by: tf.Tensor, value: (moved: tf.Tensor) => number) => {
    const moved = (step: number) => tf.tidy(() => value(tf.add(at, tf.mul(by, step))));
    const central = (step: number) => (moved(step) - moved(-step)) / (2 * step);
    return (4 * central(5e-3) - central(1e-2)) / 3;
  };

  it.each(['none', 'ortho', 'ortho_v2'] as const)('agree with central differences in tokens, every kind of parameter and the inputs (%s)', async (ortho) => {
    const source = adapterSource();
    const trained = Object.fromEntries(await Promise.all(source.keys().filter((key) => /^(cross|time)\./.test(key)).map(async (key) => [key, tf.tensor(await source.read(key), [...source.shape(key)])] as const)));
    const options = { ortho, zeroTokens: 2, weight: 0.7, region: tf.tensor3d([1, 0.5, 1, 0.2], [1, 4, 1]) };
    const runs = [true, false].map((recompute) => {
      const run = velocityVjp(model, { ...input, injection: injection({ ...options, trained }) }, null, null, { recompute, wantRows: false, wantInputs: true, wantTokens: true });
      return { v: bits(run.velocity), g: run.pullback(direction) };
    });
    const [{ v, g }, again] = runs as [(typeof runs)[number], (typeof runs)[number]];
    expect(v).toEqual(again.v);
    expect(Object.keys(g.injection!.trained).sort()).toEqual(Object.keys(trained).sort());
    for (const [name, value] of Object.entries(trained)) {
      const by = random(value.shape, 9);
      expect(bits(again.g.injection!.trained[name]!), name).toEqual(bits(g.injection!.trained[name]!));
      near(dot(g.injection!.trained[name]!, by), along(value, by, (moved) => objective({ ...options, trained: { ...trained, [name]: moved } })), name);
    }
    const by = random(tokens.shape, 10);
    near(dot(g.injection!.tokens!, by), along(tokens, by, (moved) => objective({ ...options, tokens: moved as tf.Tensor3D })), 'tokens');
    expect(Math.abs(dot(g.injection!.tokens!, by))).toBeGreaterThan(1e-2);
    const byX = random(input.x.shape, 11);
    near(dot(g.inputs!.x, byX), along(input.x, byX, (moved) => objective(options, { ...input, x: moved as tf.Tensor4D })), 'x');
  });

  it('give the frozen form and the trained one the same velocity, and a LoRA its gradients through the branch', async () => {
    const lora: Adapter = Object.fromEntries(loraSites(model).map(({ name, inFeatures, outFeatures }, i) => [name, { a: random([inFeatures, 2], 20 + i, 0.3), b: random([2, outFeatures], 60 + i, 0.3), scale: 1 }]));
    const run = velocityVjp(model, { ...input, injection: injection() }, lora, null, { recompute: true, wantRows: false });
    expect(bits(run.velocity)).toEqual(drawn({}, input, lora));
    const { sites, injection: none } = run.pullback(direction);
    expect(none).toEqual({ tokens: null, trained: {} });
    const name = 'transformer_blocks.0.attn.to_q';
    const by = random(lora[name]!.b.shape, 12);
    near(dot(sites[name]!.b, by), along(lora[name]!.b, by, (moved) => tf.tidy(() => dot(direction, velocity(model, { ...input, injection: injection() }, { ...lora, [name]: { ...lora[name]!, b: moved as tf.Tensor2D } }, null)))), name);
  });

  it('leak nothing, and stop at the first block that learns', async () => {
    const source = adapterSource();
    const trained = { 'cross.2.to_out.weight': tf.tensor(await source.read('cross.2.to_out.weight'), [16, 64]) };
    const whole = velocityVjp(model, { ...input, injection: injection({ trained }) }, null, null, { recompute: true, wantRows: false, wantInputs: true, wantTokens: true }).pullback(direction).injection!.trained;
    const round = () => {
      const run = velocityVjp(model, { ...input, injection: injection({ trained }) }, null, null, { recompute: true, wantRows: false });
      const { injection: gradients, inputs } = run.pullback(direction);
      expect([inputs, gradients!.tokens]).toEqual([null, null]);
      expect(bits(gradients!.trained['cross.2.to_out.weight']!)).toEqual(bits(whole['cross.2.to_out.weight']!));
      expect(Math.max(...bits(gradients!.trained['cross.2.to_out.weight']!).map(Math.abs))).toBeGreaterThan(1e-3);
      tf.dispose([run.velocity, gradients!.trained] as unknown as tf.TensorContainer);
    };
    round(); // makes the kept transposes
    await expectNoLeak(round);
    await expectNoLeak(() => {
      const run = velocityVjp(model, { ...input, injection: injection({ trained }) }, null, null, { recompute: false, wantRows: false, wantTokens: true });
      run.velocity.dispose();
      run.dispose();
    });
  });
});
