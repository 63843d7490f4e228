import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { noise } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { limitWork, workLimit } from '../webgpu/workLimit';
import { vjp } from '../vjp';
import { convolve, type ConvolveOptions } from './convolve';

const tensor = (shape: [number, number, number, number], seed: number) => tf.tensor4d(noise(shape.reduce((a, b) => a * b, 1), seed), shape);

describe('convolution in bands', () => {
  beforeAll(() => useBackend('wasm'));
  afterEach(() => limitWork(null, false));

  it.each<[string, [number, number], ConvolveOptions]>([
    ['3 × 3', [3, 3], { pad: [[1, 1], [1, 1]] }],
    ['3 × 3 with ReLU', [3, 3], { pad: [[1, 1], [1, 1]], relu: true }],
    ['halving', [3, 3], { stride: 2, pad: [[0, 1], [0, 1]] }],
    ['halving, padded all around', [3, 3], { stride: 2, pad: [[1, 1], [1, 1]] }],
    ['2 × 2, one row above', [2, 2], { pad: [[1, 0], [0, 1]] }],
    ['1 × 1', [1, 1], { pad: [[0, 0], [0, 0]] }],
  ])('of %s is what it is in one piece, bit for bit', async (_name, [tall, wide], options) => {
    const [x, filter, bias] = [tensor([2, 14, 10, 3], 1), tensor([tall, wide, 3, 4], 2), tf.tensor1d(noise(4, 3))];
    const whole = convolve(x, filter, bias, options);
    await expectNoLeak(() => {
      for (const bands of [2, 3, 100]) {
        workLimit.flops = (2 * whole.size * tall * wide * 3) / bands;
        const sliced = convolve(x, filter, bias, options);
        expect(sliced.shape).toEqual(whole.shape);
        expect([...sliced.dataSync()]).toEqual([...whole.dataSync()]);
        sliced.dispose();
      }
    });
  });
});

describe('the gradient of a convolution', () => {
  beforeAll(() => useBackend('wasm'));

  it.each<[string, [number, number], ConvolveOptions]>([
    ['3 × 3', [3, 3], { pad: [[1, 1], [1, 1]] }],
    ['3 × 3 with ReLU', [3, 3], { pad: [[1, 1], [1, 1]], relu: true }],
    ['halving, padded below', [3, 3], { stride: 2, pad: [[0, 1], [0, 1]] }],
    ['halving, padded all around', [3, 3], { stride: 2, pad: [[1, 1], [1, 1]] }],
    ['2 × 2, one row above', [2, 2], { pad: [[1, 0], [0, 1]] }],
    ['1 × 1', [1, 1], { pad: [[0, 0], [0, 0]] }],
  ])('of %s agrees with central differences', async (_name, [tall, wide], options) => {
    const [x, filter, bias] = [tensor([2, 8, 6, 3], 1), tensor([tall, wide, 3, 4], 2), tf.tensor1d(noise(4, 3))];
    await expectNoLeak(() => {
      const { outputs: [y], pullback } = vjp((picture) => [convolve(picture as tf.Tensor4D, filter, bias, options)], [x]);
      const weight = tensor(y!.shape as [number, number, number, number], 4);
      const [dx] = pullback([weight]);
      tf.tidy(() => {
        for (const seed of [5, 6]) {
          const direction = tensor([2, 8, 6, 3], seed);
          const value = (sign: number) => tf.sum(tf.mul(weight, convolve(tf.add(x, tf.mul(direction, sign * 1e-3)), filter, bias, options))).dataSync()[0]!;
          const [numeric, found] = [(value(1) - value(-1)) / 2e-3, tf.sum(tf.mul(dx!, direction)).dataSync()[0]!];
          expect(Math.abs(numeric)).toBeGreaterThan(0.1);
          expect(Math.abs(found - numeric)).toBeLessThan(2e-2 * Math.max(1, Math.abs(numeric)));
        }
      });
      tf.dispose([y!, weight, dx!]);
    });
  });
});
