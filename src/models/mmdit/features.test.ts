import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { noise } from '../../testing/kernels/suite';
import { adapterSource } from '../../testing/pictureAdapter';
import { tinyBase } from '../../testing/tiny';
import { disposePictureAdapter, loadPictureAdapter, type PictureAdapter } from '../objectEncoder';
import { disposeMmdit, injectionSites, velocity, velocityFeatures, velocityVjp, velocityVjpAsync, type Injection, type Mmdit, type MmditInput } from './index';

let model: Mmdit;
let adapter: PictureAdapter;
let input: MmditInput;
let trained: Record<string, tf.Tensor>;
let direction: tf.Tensor4D;
let weights: tf.Tensor4D[]; // of the queries

const random = <T extends tf.Tensor>(shape: number[], seed: number): T => tf.tensor(noise(shape.reduce((a, b) => a * b, 1), seed), shape) as T;
const bits = (x: tf.Tensor) => x.dataSync();
const dot = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.sum(tf.mul(a, b)).dataSync()[0]!);
const between = async () => {};
const withInjection = (change: Partial<Injection> = {}): MmditInput => ({ ...input, injection: { ...input.injection!, trained, ...change } });
const options = { wantRows: false, wantX: true, wantTokens: true, wantQueries: true };

beforeAll(async () => {
  await useBackend('wasm');
  model = (await tinyBase()).mmdit;
  adapter = await loadPictureAdapter(adapterSource());
  const source = adapterSource();
  trained = Object.fromEntries(await Promise.all(['cross.0.to_q.weight', 'cross.2.to_out.weight'].map(async (name) => [name, tf.tensor(await source.read(name), [...source.shape(name)])] as const)));
  input = { x: random([2, 4, 4, 4], 1), sigma: [0.3, 0.8], context: random([2, 6, 12], 2), pooled: random([2, 10], 3), injection: { weights: adapter.cross, tokens: random([2, 3, 8], 4), weight: 1 } };
  direction = random([2, 4, 4, 4], 5);
  weights = [0, 1, 2].map((i) => random<tf.Tensor4D>([2, 4, 2, 8], 10 + i));
});
afterAll(() => {
  disposePictureAdapter(adapter);
  disposeMmdit(model);
});

/** Σ direction·v + Σ weights·q */
async function objective(given: MmditInput, withVelocity = true): Promise<number> {
  const { velocity: v, features } = await velocityFeatures(model, given, null, null, between);
  const sum = (withVelocity ? dot(v, direction) : 0) + features.reduce((total, { q }, i) => total + dot(q, weights[i]!), 0);
  tf.dispose([v, features as unknown as tf.Tensor]);
  return sum;
}

describe('queries and keys of the joint attention', () => {
  it('come with the velocity of every other way, one pair a block, head by head, and are normalised', async () => {
    const { velocity: v, features } = await velocityFeatures(model, input, null, null, between);
    expect(bits(v)).toEqual(bits(velocity(model, input, null, null)));
    expect(features.map(({ q, k }) => [q.shape, k.shape])).toEqual(Array.from({ length: 3 }, () => [[2, 4, 2, 8], [2, 6, 2, 8]]));
    for (const [x, norm] of [[features[1]!.q, model.blocks[1]!.x.attention.normQ], [features[1]!.k, model.blocks[1]!.context.attention.normK]] as const) {
      bits(tf.mean(tf.square(tf.div(x, norm!)), 3)).forEach((value) => expect(value).toBeCloseTo(1, 2));
    }
    const plain = await velocityFeatures(model, { ...input, injection: null }, null, null, between);
    // what stands before the first injection has not seen it
    expect(bits(plain.features[0]!.q)).toEqual(bits(features[0]!.q));
    expect(bits(plain.features[1]!.q)).not.toEqual(bits(features[1]!.q));
    expect(bits(plain.features[1]!.k)).toEqual(bits(features[1]!.k));
    expect(bits(plain.features[2]!.k)).not.toEqual(bits(features[2]!.k));
  });

  it.each([true, false])('take gradients, beside the velocity’s and without it, that agree with central differences (recompute %s)', async (recompute) => {
    for (const withVelocity of [true, false]) {
      const run = velocityVjp(model, withInjection(), null, null, { recompute, ...options });
      const { features } = await velocityFeatures(model, withInjection(), null, null, between);
      run.queries.forEach((q, i) => expect(bits(q)).toEqual(bits(features[i]!.q)));
      const { x, injection } = run.pullback(withVelocity ? direction : null, weights);
      const along = async (at: tf.Tensor, by: tf.Tensor, change: (moved: tf.Tensor) => MmditInput) => {
        const value = (step: number) => objective(change(tf.add(at, tf.mul(by, step))), withVelocity);
        const central = async (step: number) => ((await value(step)) - (await value(-step))) / (2 * step);
        return (4 * (await central(5e-3)) - (await central(1e-2))) / 3;
      };
      const check = async (gradient: tf.Tensor, at: tf.Tensor, seed: number, change: (moved: tf.Tensor) => MmditInput) => {
        const by = random(at.shape, seed);
        const wanted = await along(at, by, change);
        expect(Math.abs(wanted)).toBeGreaterThan(1e-3);
        expect(Math.abs(dot(gradient, by) - wanted)).toBeLessThan(1e-2 * Math.max(1, Math.abs(wanted)));
      };
      await check(x!, input.x, 20, (moved) => ({ ...withInjection(), x: moved as tf.Tensor4D }));
      await check(injection!.tokens!, input.injection!.tokens, 21, (moved) => withInjection({ tokens: moved as tf.Tensor3D }));
      await check(injection!.trained['cross.0.to_q.weight']!, trained['cross.0.to_q.weight']!, 22, (moved) => withInjection({ trained: { ...trained, 'cross.0.to_q.weight': moved } }));
      // nothing reads the stream behind the last block but the velocity
      const last = Math.max(...bits(injection!.trained['cross.2.to_out.weight']!).map(Math.abs));
      if (withVelocity) expect(last).toBeGreaterThan(0);
      else expect(last).toBe(0);
    }
  });

  it('a LoRA on what is injected gets its gradients, alone where only they are asked for, and none where nothing is injected', () => {
    const lora = Object.fromEntries(injectionSites(adapter.cross).map(({ name, inFeatures, outFeatures }, i) => [name, { a: random<tf.Tensor2D>([inFeatures, 2], 30 + i), b: random<tf.Tensor2D>([2, outFeatures], 40 + i), scale: 0.5 }]));
    expect(Object.keys(lora)).toEqual([0, 2].flatMap((b) => ['to_q', 'to_kv', 'to_out'].map((part) => `cross.${b}.${part}`)));
    const other = 'transformer_blocks.1.attn.to_q';
    const both = { ...lora, [other]: { a: random<tf.Tensor2D>([16, 2], 50), b: random<tf.Tensor2D>([2, 16], 51), scale: 1 } };
    const value = (given: typeof both) => tf.tidy(() => dot(velocity(model, input, given, null), direction));
    const run = velocityVjp(model, input, both, null, { recompute: true, wantRows: false, wantSites: (name) => name.startsWith('cross.') });
    const { sites } = run.pullback(direction);
    expect(Object.keys(sites).sort()).toEqual(Object.keys(lora).sort());
    for (const name of Object.keys(lora)) {
      for (const part of ['a', 'b'] as const) {
        const by = random(lora[name]![part].shape, 60);
        const moved = (step: number) => value({ ...both, [name]: { ...lora[name]!, [part]: tf.add(lora[name]![part], tf.mul(by, step)) } });
        const wanted = (4 * (moved(5e-3) - moved(-5e-3)) / 1e-2 - (moved(1e-2) - moved(-1e-2)) / 2e-2) / 3;
        expect(Math.abs(wanted), name).toBeGreaterThan(1e-3);
        expect(Math.abs(dot(sites[name]![part], by) - wanted), name).toBeLessThan(1e-2 * Math.max(1, Math.abs(wanted)));
      }
    }
    const plain = velocityVjp(model, { ...input, injection: null }, lora, null, { recompute: true, wantRows: false });
    expect(plain.pullback(direction).sites).toEqual({});
    expect(bits(plain.velocity)).toEqual(bits(velocity(model, { ...input, injection: null }, null, null)));
  });

  it('leave nothing behind, pulled back, dropped or broken off', async () => {
    for (const recompute of [true, false]) {
      const round = () => {
        const run = velocityVjp(model, withInjection(), null, null, { recompute, ...options });
        const { x, injection } = run.pullback(null, weights);
        tf.dispose([run.velocity, ...run.queries, x!, injection!.tokens!, injection!.trained] as unknown as tf.TensorContainer);
      };
      round(); // makes the kept transposes
      await expectNoLeak(round);
      await expectNoLeak(() => {
        const run = velocityVjp(model, withInjection(), null, null, { recompute, ...options });
        tf.dispose([run.velocity, ...run.queries]);
        run.dispose();
      });
      await expectNoLeak(async () => {
        const stop = () => { let gaps = 0; return async () => { if (++gaps === 2) throw new Error('stop'); }; };
        await expect(velocityVjpAsync(model, withInjection(), null, null, { recompute, ...options }, stop())).rejects.toThrow('stop');
        await expect(velocityFeatures(model, withInjection(), null, null, stop())).rejects.toThrow('stop');
      });
    }
  });
});
