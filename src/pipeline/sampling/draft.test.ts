/**
 * What the slider shows: a decoded draft is decode(x_σ − σ·v(balance)), v(balance) = v0 + s·(vBase + balance·direction − v0).
 * The formula is written out here in plain numbers and decoded on tfjs' cpu backend; the app's own path runs on wasm.
 */
import { expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { loadAutoencoder } from '../../models/vae';
import type { Probe } from '../../protocol/drafts';
import { useBackend } from '../../testing/backend';
import { folderFiles } from '../../testing/files';
import { draft, draftColours } from './preview';
import { normal } from '../random';

const SIDE = 4;
const CHANNELS = 16;
const BALANCES = [0, 0.7, 1.6];

const field = (step: number) => normal([1, SIDE, SIDE, CHANNELS], { seed: 3, purpose: 'picture', step });
const probe: Probe = { revision: 1, height: SIDE, width: SIDE, channels: CHANNELS, sigma: 0.75, guidance: 3, xSigma: field(0), vNull: field(1), vBase: field(2), directions: [field(3)] };

/** Decoded by the shipped autoencoder on a backend. */
async function decoded(backend: 'wasm' | 'cpu', latentAt: (balance: number) => tf.Tensor4D): Promise<Float32Array[]> {
  await useBackend(backend);
  const files = folderFiles('public/base');
  const autoencoder = await loadAutoencoder(await files.weights('vae'), await files.json('vae/config.json'));
  const pictures: Float32Array[] = [];
  for (const balance of BALANCES) {
    const latent = latentAt(balance);
    const pixels = await autoencoder.decode(latent);
    pictures.push((await pixels.data<'float32'>()).slice());
    tf.dispose([latent, pixels]);
  }
  autoencoder.dispose();
  return pictures;
}

it('is the one-step estimate at three balances, decoded', async () => {
  const shown = await decoded('wasm', (balance) => draft(probe, balance));
  const { xSigma, vNull, vBase, directions: [direction], sigma, guidance } = probe;
  const expected = await decoded('cpu', (balance) =>
    tf.tensor4d(xSigma.map((x, i) => x - sigma * (vNull[i]! + guidance * (vBase[i]! + balance * direction![i]! - vNull[i]!))), [1, SIDE, SIDE, CHANNELS]));
  for (const [n, picture] of shown.entries()) {
    const worst = picture.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[n]![i]!)), 0);
    // two backends' rounding through fifteen convolutions; half a step of an 8-bit picture is 4e-3
    expect(worst).toBeLessThan(1e-3);
  }
  expect(shown[0]).not.toEqual(shown[2]);
});

it('adds up as many directions as the probe has, each by its own balance', async () => {
  await useBackend('wasm');
  const two: Probe = { ...probe, directions: [field(3), field(4)] };
  const { xSigma, vNull, vBase, directions: [one, other], sigma, guidance } = two;
  const found = draft(two, 0.5, 1.2).dataSync();
  // float32 sums of five numbers
  xSigma.forEach((x, i) => expect(Math.abs(found[i]! - (x - sigma * (vNull[i]! + guidance * (vBase[i]! + 0.5 * one![i]! + 1.2 * other![i]! - vNull[i]!))))).toBeLessThan(2e-5));
  const identity = Array.from({ length: CHANNELS + 1 }, (_, c) => [0, 1, 2].map((channel) => Number(c === channel)));
  draftColours(two, [0.5, 1.2], identity).forEach((value, i) => expect(value).toBeCloseTo(Math.min(1, Math.max(-1, found[Math.floor(i / 3) * CHANNELS + (i % 3)]!)), 4));
});
