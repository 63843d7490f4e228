/** GCFG's rule and its options on random velocities; two rows, so that everything must be by row. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { plainComposition, type Composition } from '../../protocol/mix';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { composeVelocity, overlap, type Part } from './compose';

let v0: Tensor4D, x: Tensor4D, g: Tensor4D, h: Tensor4D, k: Tensor4D, left: Tensor4D, right: Tensor4D;
const sigma = 0.7;
beforeAll(async () => {
  await useBackend('wasm');
  [v0, x, g, h, k] = [1, 2, 3, 4, 5].map((seed) => tf.randomNormal<tf.Rank.R4>([2, 4, 4, 3], 0, 1, 'float32', seed)) as [Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D];
  // a soft edge in column 1 and 2
  [left, right] = [[1, 0.5, 0, 0], [0, 0.5, 1, 1]].map((row) => tf.tensor4d([...row, ...row, ...row, ...row], [1, 4, 4, 1])) as [Tensor4D, Tensor4D];
});

const part = (difference: Tensor4D, weight = 1, more: Partial<Part> = {}): Part => ({ difference, weight, mask: null, joint: false, ...more });
const composed = (parts: Part[], scale: number, options: Partial<Composition>) => composeVelocity(v0, parts, scale, { ...plainComposition, ...options }, { x, sigma });
const furthest = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
/** Rows of numbers. */
const rows = (v: tf.Tensor) => tf.reshape(v, [2, -1]).arraySync() as number[][];
const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const std = (a: number[]) => Math.sqrt(dot(a, a) / a.length - (a.reduce((sum, value) => sum + value, 0) / a.length) ** 2);
const plus = (...all: [Tensor4D, number][]): Tensor4D => all.reduce((sum, [v, weight]) => tf.add<Tensor4D>(sum, tf.mul(v, weight)), v0);

describe('the plain sum', () => {
  it('is v0 + s·Σ w·M⊙d', async () => {
    const v = await composed([part(g, 2), part(h, -0.5, { mask: left })], 3, {});
    expect(furthest(v, plus([g, 6], [tf.mul(h, left), -1.5]))).toBeLessThan(1e-5);
    expect(Array.from((await composed([], 3, { zeroStar: true })).dataSync())).toEqual(Array.from(v0.dataSync()));
  });
});

describe('orthogonal', () => {
  it('G11: two identical guidances are one', async () => {
    for (const mask of [null, left]) {
      const one = await composed([part(g, 1.5, { mask })], 3, { orthogonal: true });
      expect(furthest(await composed([part(g, 1.5, { mask }), part(g, 1.5, { mask })], 3, { orthogonal: true }), one)).toBeLessThan(1e-4);
      expect(furthest(one, await composed([part(g, 1.5, { mask })], 3, {}))).toBeLessThan(1e-5);
    }
  });

  it('takes from each what it has in common with all before it, in order of priority', async () => {
    const mixed = plus([v0, -1], [g, 0.6], [h, 0.8]);
    const third = await composed([part(g, 0), part(h, 0), part(tf.add(k, mixed), 1)], 1, { orthogonal: true });
    const left = rows(tf.sub(third, v0));
    for (const before of [g, h]) rows(before).forEach((direction, row) => expect(Math.abs(dot(left[row]!, direction))).toBeLessThan(1e-3));
    // what is before it does not change
    const first = await composed([part(g, 1), part(mixed, 0)], 1, { orthogonal: true });
    expect(furthest(first, plus([g, 1]))).toBeLessThan(1e-5);
  });

  it('G9: stays inside its mask, and leaves alone what acts elsewhere', async () => {
    const lower = tf.tensor4d([0, 0, 1, 1].flatMap((value) => [value, value, value, value]), [1, 4, 4, 1]);
    const v = await composed([part(g, 0), part(tf.add(g, h), 1, { mask: lower })], 4, { orthogonal: true });
    expect(Array.from(tf.slice(v, 0, [2, 2, 4, 3]).dataSync())).toEqual(Array.from(tf.slice(v0, 0, [2, 2, 4, 3]).dataSync()));
    expect(furthest(v, v0)).toBeGreaterThan(0.1);
    const [upper, under] = [tf.sub<Tensor4D>(1, lower), lower];
    const apart = [part(g, 1, { mask: upper }), part(tf.add(g, h), 1, { mask: under })];
    expect(furthest(await composed(apart, 2, { orthogonal: true }), await composed(apart, 2, {}))).toBeLessThan(1e-5);
  });
});

describe('together', () => {
  it('two identical concepts share instead of doubling; one alone is as it was', async () => {
    const joint = { joint: true };
    const alone = await composed([part(g, 2, joint)], 3, { together: true });
    expect(furthest(alone, plus([g, 6]))).toBeLessThan(1e-5);
    const both = await composed([part(g, 2, joint), part(g, 2, joint)], 3, { together: true });
    expect(furthest(both, alone)).toBeLessThan(0.02);
    // those that are not joint, texts for instance, are left out of it
    expect(furthest(await composed([part(g, 2, joint), part(g, 2)], 3, { together: true }), plus([g, 12]))).toBeLessThan(1e-4);
  });

  it('each acts along itself as strongly as it would alone, in every row', async () => {
    const near = tf.add<Tensor4D>(tf.mul(g, 0.8), h);
    const delta = rows(tf.sub(await composed([part(g, 1, { joint: true }), part(near, -0.5, { joint: true, mask: left })], 1, { together: true }), v0));
    rows(g).forEach((direction, row) => expect(dot(delta[row]!, direction) / dot(direction, direction)).toBeCloseTo(1, 2));
    rows(tf.mul(near, left)).forEach((direction, row) => expect(dot(delta[row]!, direction) / dot(direction, direction)).toBeCloseTo(-0.5, 2));
  });
});

describe('parallel', () => {
  it('at scale 1 nothing changes; at 0 what the scale adds is at right angles to the clean prediction', async () => {
    expect(furthest(await composed([part(g, 2)], 1, { parallel: 0 }), plus([g, 2]))).toBeLessThan(1e-5);
    const vc = plus([g, 2]);
    const clean = rows(tf.sub(x, tf.mul(vc, sigma)));
    const whole = rows(tf.sub(plus([g, 8]), vc));
    for (const eta of [0, 0.25]) {
      const added = rows(tf.sub(await composed([part(g, 2)], 4, { parallel: eta }), vc));
      // along x0 the share eta is left, and the rest is untouched
      added.forEach((row, i) => {
        expect(dot(row, clean[i]!)).toBeCloseTo(eta * dot(whole[i]!, clean[i]!), 2);
        const off = (one: number[]) => one.map((value, j) => value - (dot(one, clean[i]!) / dot(clean[i]!, clean[i]!)) * clean[i]![j]!);
        off(row).forEach((value, j) => expect(value).toBeCloseTo(off(whole[i]!)[j]!, 3));
      });
    }
  });

  it('is refused without the point it is taken at', async () => {
    await expect(composeVelocity(v0, [part(g)], 2, { ...plainComposition, parallel: 0 })).rejects.toThrow('point');
  });
});

describe('rescale', () => {
  it('at 1 the deviation is that of the prediction at scale 1; at a half, half way', async () => {
    const [vc, v] = [rows(plus([g, 2])), rows(plus([g, 10]))];
    for (const phi of [1, 0.5]) {
      const made = rows(await composed([part(g, 2)], 5, { rescale: phi }));
      made.forEach((row, i) => {
        const factor = 1 - phi + (phi * std(vc[i]!)) / std(v[i]!);
        row.forEach((value, j) => expect(value).toBeCloseTo(factor * v[i]![j]!, 3));
      });
    }
  });
});

describe('CFG-Zero*', () => {
  it('v0 is replaced by its projection s*·v0, and scale 1 is left alone', async () => {
    const parts = [part(g, 0.3), part(h, 0.2, { mask: right })];
    const vc = plus([g, 0.3], [tf.mul(h, right), 0.2]);
    expect(furthest(await composed(parts, 1, { zeroStar: true }), vc)).toBeLessThan(1e-5);
    const made = rows(await composed(parts, 4, { zeroStar: true }));
    const [rows0, rowsC] = [rows(v0), rows(vc)];
    made.forEach((row, i) => {
      const star = dot(rowsC[i]!, rows0[i]!) / dot(rows0[i]!, rows0[i]!);
      expect(Math.abs(star - 1)).toBeGreaterThan(0.01);
      row.forEach((value, j) => expect(value).toBeCloseTo(4 * rowsC[i]![j]! - 3 * star * rows0[i]![j]!, 3));
    });
  });
});

it('overlap is the cosine where both act, over all rows', async () => {
  const found = await overlap([{ difference: g, mask: null }, { difference: tf.mul(g, -3), mask: null }, { difference: h, mask: left }, { difference: tf.zerosLike(g), mask: null }]);
  const cosine = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const [flatG, flatH] = [rows(g).flat(), rows(tf.mul(h, left)).flat()];
  const expected = [[1, -1, cosine(flatG, flatH), 0], [-1, 1, -cosine(flatG, flatH), 0], [cosine(flatG, flatH), -cosine(flatG, flatH), 1, 0], [0, 0, 0, 0]];
  found.forEach((row, i) => row.forEach((value, j) => expect(value).toBeCloseTo(expected[i]![j]!, 5)));
  expect(await overlap([])).toEqual([]);
});

it('leaves nothing behind, whatever is on', async () => {
  const all: Composition = { orthogonal: true, together: true, parallel: 0.5, rescale: 0.5, zeroStar: true };
  const parts = [part(g, 1, { joint: true }), part(h, 2, { joint: true, mask: left }), part(k, -1, { mask: right })];
  await expectNoLeak(async () => (await composed(parts, 3, all)).dispose());
  await expectNoLeak(async () => (await composed(parts, 3, {})).dispose());
  await expectNoLeak(() => overlap(parts));
});
