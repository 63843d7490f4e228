import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadAutoencoder, type Autoencoder } from '../models/vae';
import { normal } from '../pipeline/random';
import { expectNoLeak, useBackend } from '../testing/backend';
import { folderFiles } from '../testing/files';
import { readPng } from '../testing/png';
import { checkFit, grainOf } from './fit';

const SIDE = 128;

/** Noise in octaves, contrast · cell^slope in the octave of `cell` pixels: slope 0 is a photograph's 1/f, 0.7 a soft one. */
function texture(contrast: number, slope: number): Float32Array {
  const out = new Float32Array(SIDE * SIDE * 3);
  for (const cell of [1, 2, 4, 8, 16, 32, 64]) {
    const n = SIDE / cell + 1;
    const cells = normal([1, n, n, 3], { seed: 9, purpose: 'test', step: cell });
    for (let i = 0; i < out.length; i++) {
      const place = Math.floor(i / 3);
      const [x, y] = [(place % SIDE) / cell, Math.floor(place / SIDE) / cell];
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const at = (dx: number, dy: number) => cells[((top + dy) * n + left + dx) * 3 + (i % 3)]! * (dx ? x - left : 1 - x + left) * (dy ? y - top : 1 - y + top);
      out[i]! += contrast * cell ** slope * (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1));
    }
  }
  return out.map((value) => Math.max(-1, Math.min(1, value)));
}

describe('fit check', () => {
  let autoencoder: Autoencoder;
  const check = (pixels: Float32Array) => checkFit(autoencoder, pixels, SIDE);
  beforeAll(async () => {
    await useBackend('wasm');
    const files = folderFiles('public/base');
    autoencoder = await loadAutoencoder(await files.weights('vae'), await files.json('vae/config.json'));
  });

  it.each(['guide-dog', 'birthday-cake', 'one-eyed-monster', 'redbeard', 'duotone'])('finds %s inside', async (set) => {
    for (let n = 1; n <= 5; n++) {
      const { lost, outside } = await check(readPng(await readFile(`public/concepts/${set}/${n}.png`)).pixels);
      expect(outside, `${set} ${n} loses ${lost.toFixed(2)}`).toBe(false);
    }
  });

  it('finds a scene of the base’s own world inside whose bubbles and waves the autoencoder loses', async () => {
    const { lost, outside } = await check(readPng(await readFile('fixtures/fit/underwater.png')).pixels);
    expect(lost).toBeGreaterThan(0.9);
    expect(outside).toBe(false);
  });

  it.each([[0.2, 0], [0.1, 0.2], [0.1, 0.5], [0.05, 0.5], [0.03, 0.7]])('finds texture of contrast %f and slope %f outside', async (contrast, slope) => {
    expect((await check(texture(contrast, slope))).outside).toBe(true);
  });

  it('finds fine grain over a soft picture outside, which the autoencoder alone would let pass', async () => {
    const noise = normal([1, SIDE, SIDE, 3], { seed: 4, purpose: 'test', step: 0 });
    const soft = new Float32Array(SIDE * SIDE * 3).map((_, i) => (i / (SIDE * SIDE * 3)) * 1.6 - 0.8 + 0.02 * noise[i]!);
    expect(grainOf(soft, SIDE)).toBeGreaterThan(1.1);
    expect((await check(soft)).outside).toBe(true);
    expect(grainOf(soft.map(() => 0.5), SIDE)).toBe(0);
  });

  it('finds lines as fine as print outside, though half of the picture is flat and has no grain', async () => {
    const print = new Float32Array(SIDE * SIDE * 3).map((_, i) => { const place = Math.floor(i / 3); return place % SIDE < SIDE / 2 || (place + Math.floor(place / SIDE)) % 2 ? 0.9 : -0.9; });
    const { grain, outside } = await check(print);
    expect(grain).toBeLessThan(0.1);
    expect(outside).toBe(true);
  });

  it('finds a flat picture inside, and leaves no tensor behind', async () => {
    await expectNoLeak(async () => { expect((await check(new Float32Array(SIDE * SIDE * 3).fill(0.2))).outside).toBe(false); });
  });
});
