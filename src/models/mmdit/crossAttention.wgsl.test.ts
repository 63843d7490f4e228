/** Cross-attention on WebGPU's kernels: the same numbers as composed on wasm, forward and back, and the base bit for bit where it is left out. */
import { beforeAll, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { useBackend, useWebgpu } from '../../testing/backend';
import { noise, relativeError } from '../../testing/kernels/suite';
import { adapterSource } from '../../testing/pictureAdapter';
import { tinyBase } from '../../testing/tiny';
import { loadPictureAdapter } from '../objectEncoder';
import { velocityAsync, velocityVjpAsync, type Injection } from './index';

const random = <T extends tf.Tensor>(shape: number[], seed: number): T => tf.tensor(noise(shape.reduce((a, b) => a * b, 1), seed), shape) as T;
const between = async () => {};

async function made() {
  const { mmdit: model } = await tinyBase();
  const { cross } = await loadPictureAdapter(adapterSource());
  const input = { x: random<tf.Tensor4D>([2, 4, 4, 4], 1), sigma: [0.3, 0.8], context: random<tf.Tensor3D>([2, 6, 12], 2), pooled: random<tf.Tensor2D>([2, 10], 3) };
  const source = adapterSource();
  const names = ['cross.0.to_kv.weight', 'cross.2.norm_image.weight', 'cross.2.norm_image.bias', 'time.linear_1.weight', 'time.linear_1.bias'];
  const trained = Object.fromEntries(await Promise.all(names.map(async (name) => [name, tf.tensor(await source.read(name), [...source.shape(name)])] as const)));
  const out: Record<string, Float32Array> = {};
  for (const [name, change] of Object.entries({ base: null, off: { weight: 0 }, on: {}, ortho: { ortho: 'ortho_v2', zeroTokens: 3 } } satisfies Record<string, Partial<Injection> | null>)) {
    const injection = change && { weights: cross, tokens: random<tf.Tensor3D>([2, 3, 8], 4), weight: 1, ...change };
    out[name] = (await (await velocityAsync(model, { ...input, injection }, null, null, between)).data()) as Float32Array;
  }
  const run = await velocityVjpAsync(model, { ...input, injection: { weights: cross, tokens: random([2, 3, 8], 4), weight: 1, ortho: 'ortho', trained } }, null, null, { recompute: true, wantRows: false, wantTokens: true }, between);
  const { injection } = await run.pullback(random<tf.Tensor4D>([2, 4, 4, 4], 5));
  out.tokens = (await injection!.tokens!.data()) as Float32Array;
  for (const [name, gradient] of Object.entries(injection!.trained)) out[name] = (await gradient.data()) as Float32Array;
  return out;
}

let wasm: Record<string, Float32Array>;
let gpu: Record<string, Float32Array>;
beforeAll(async () => {
  await useBackend('wasm');
  wasm = await made();
  await useWebgpu();
  gpu = await made();
}, 120_000);

it('is the base bit for bit at weight 0', () => {
  expect(gpu.off).toEqual(gpu.base);
  expect(gpu.on).not.toEqual(gpu.base);
});

it('has wasm’s velocities and gradients', () => {
  for (const [name, values] of Object.entries(wasm)) expect(relativeError(gpu[name]!, values), name).toBeLessThan(5e-5);
});
