import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor4D } from '../../engine/tf';
import { disposeIdentityEncoder, loadIdentityEncoder } from '../../models/identityEncoder';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { normal } from '../random';
import { cropped, identityLook } from './look';

const between = async () => {};
const random = (shape: number[], step: number) => tf.tensor(normal([shape.reduce((a, b) => a * b, 1)], { seed: 6, purpose: 'test', step }), shape);
const dot = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.sum(tf.mul(a, b)).dataSync()[0]!);

beforeAll(() => useBackend('wasm'));

describe('a crop', () => {
  /** 12 rows of 10: 37·i mod 101, in the first channel; its negative in the second. */
  const picture = () => tf.tensor4d(Array.from({ length: 120 }, (_, i) => (37 * i) % 101).flatMap((value) => [value, -value, 0]), [1, 12, 10, 3]);

  it.each([
    ['shrinking', { left: 0.15, top: 2.25 / 12, side: 0.75 }, [[40.418, 45.206, 51.323, 58.76], [37.493, 45.908, 50.486, 57.043], [37.454, 43.832, 50.729, 56.002], [37.164, 42.798, 50.01, 55.464]]],
    ['growing', { left: 0.3, top: 4 / 12, side: 0.2 }, [[58.4, 51.65, 29.75, 28.05], [53.15, 56.5, 44.7, 37.95], [32.75, 51.25, 69.75, 63.0], [27.5, 30.85, 49.35, 57.75]]],
  ] as const)('is what PIL’s bilinear resize makes of the box, %s', (_, square, wanted) => {
    const found = cropped(picture(), [square], 4);
    expect(found.shape).toEqual([1, 4, 4, 3]);
    const values = found.dataSync();
    wanted.flat().forEach((value, i) => {
      expect(values[3 * i]!).toBeCloseTo(value, 2);
      expect(values[3 * i + 1]!).toBeCloseTo(-value, 2);
    });
  });

  it('of several pictures is each one’s own square, cut off at the edge', () => {
    const two = tf.concat([picture(), tf.mul(picture(), 2)]) as Tensor4D;
    const both = cropped(two, [{ left: 0, top: 0, side: 0.5 }, { left: 0.75, top: 0.75, side: 0.5 }], 3);
    const [first, second] = [cropped(picture(), [{ left: 0, top: 0, side: 0.5 }], 3), cropped(picture(), [{ left: 0.75, top: 0.75, side: 0.25 }], 3)];
    expect(tf.max(tf.abs(tf.sub(both, tf.concat([first, tf.mul(second, 2)])))).dataSync()[0]).toBeLessThan(1e-3);
  });
});

describe('a look', () => {
  it('has the gradient of its vectors in the pixels of the square, 0 elsewhere, and leaves nothing behind', async () => {
    const encoder = await loadIdentityEncoder(await safetensorsFile('fixtures/identity/encoder.safetensors'), { image_size: 64 });
    const [pixels, weight, by] = [tf.mul(random([2, 24, 24, 3], 1), 0.4) as Tensor4D, random([2, 12], 2) as Tensor2D, random([2, 24, 24, 3], 3)];
    const look = identityLook(encoder, async () => [{ left: 0.25, top: 0, side: 0.5 }, { left: 0.5, top: 0.5, side: 0.5 }]);
    const value = async (step: number) => {
      const moved = tf.tidy(() => tf.add(pixels, tf.mul(by, step)) as Tensor4D);
      const seen = await look(moved, between);
      const sum = dot(seen.vectors, weight);
      seen.dispose();
      tf.dispose([moved, seen.vectors]);
      return sum;
    };
    const warm = await look(pixels, between); // makes the kept transposes
    tf.dispose([warm.vectors, await warm.pullback(weight)]);
    await expectNoLeak(async () => {
      const seen = await look(pixels, between);
      const dx = await seen.pullback(weight);
      const numeric = ((await value(5e-3)) - (await value(-5e-3))) / 1e-2;
      expect(Math.abs(numeric)).toBeGreaterThan(0.05);
      expect(Math.abs(dot(dx, by) - numeric)).toBeLessThan(0.03 * Math.abs(numeric));
      const sizes = tf.tidy(() => tf.sum(tf.abs(dx), [3]).arraySync()) as number[][][];
      expect([sizes[0]![20]![12], sizes[0]![3]![2], sizes[1]![3]![3]]).toEqual([0, 0, 0]);
      expect(Math.min(sizes[0]![6]![12]!, sizes[1]![18]![18]!)).toBeGreaterThan(0);
      tf.dispose([seen.vectors, dx]);
    });
    await expectNoLeak(async () => expect(look(pixels, async () => { throw new Error('stop'); })).rejects.toThrow('stop'));
    disposeIdentityEncoder(encoder);
  });
});
