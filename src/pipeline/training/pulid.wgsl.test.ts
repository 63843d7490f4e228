/** What PuLID differentiates besides the transformer, and a step of it, on WebGPU as on wasm. */
import { expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { methods } from '../../methods';
import { loadIdentityEncoder } from '../../models/identityEncoder';
import { loadAutoencoder } from '../../models/vae';
import { defaultRecipe } from '../../protocol/recipe';
import { useBackend, useWebgpu } from '../../testing/backend';
import { folderFiles, safetensorsFile } from '../../testing/files';
import { tinyBase, tinyDataset } from '../../testing/tiny';
import { tinyReferences, tinySight } from '../../testing/tinySight';
import { normal } from '../random';
import { identityLook } from './look';
import { createTrainer } from './train';

const random = (shape: number[], step: number) => tf.tensor(normal([shape.reduce((a, b) => a * b, 1)], { seed: 6, purpose: 'test', step }), shape);
const between = async () => {};

/** Gradient of a look's vectors through the real decoder, in the latent; and a run's parameters after three steps, one a stage. */
async function computed(): Promise<Float32Array[]> {
  const files = folderFiles('public/base');
  const vae = await loadAutoencoder(await files.weights('vae'), await files.json('vae/config.json'));
  const encoder = await loadIdentityEncoder(await safetensorsFile('fixtures/identity/encoder.safetensors'), { image_size: 64 });
  const picture = await vae.decodeVjp!(tf.mul(random([1, 4, 4, 16], 1), 0.5) as Tensor4D);
  const seen = await identityLook(encoder, async () => [{ left: 0.2, top: 0.1, side: 0.6 }])(picture.pixels, between);
  const dLatent = await picture.pullback(await seen.pullback(tf.ones([1, 12])));
  const recipe = { ...defaultRecipe(undefined, undefined, 'pulid'), classWord: 'woman', rank: 2, learningRate: 1e-2, walkSteps: 2, window: 2, likenessSteps: 1, identitySteps: 1, alignmentSteps: 1 };
  const trainer = await createTrainer({ base: await tinyBase(), method: methods.pulid, recipe, dataset: { ...tinyDataset(), references: tinyReferences() }, sight: await tinySight() });
  const losses: number[] = [];
  for await (const row of trainer.steps()) losses.push(...Object.values(row.losses));
  const { groups } = await trainer.exportState();
  return [Float32Array.from(await picture.pixels.data()), Float32Array.from(await seen.vectors.data()), Float32Array.from(await dLatent.data()), Float32Array.from(losses), groups.injection!.m];
}

it('is the same but for rounding', async () => {
  await useBackend('wasm');
  const wanted = await computed();
  await useWebgpu();
  const found = await computed();
  found.forEach((values, i) => {
    const largest = Math.max(...wanted[i]!.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    expect(Math.max(...values.map((value, n) => Math.abs(value - wanted[i]![n]!))), `part ${i}`).toBeLessThan(2e-3 * largest);
  });
});
