import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useBackend, useWebgpu } from '../../testing/backend';
import { noise, relativeError } from '../../testing/kernels/suite';
import { replaceKernels } from './softwareKernels';
import * as tf from '../tf';

const random = (shape: number[], seed: number) => tf.tensor(noise(shape.reduce((x, y) => x * y, 1), seed), shape, 'float32');

/** Each case on both backends, from the same numbers. */
const cases: [title: string, run: () => tf.Tensor][] = [
  ...([[1, 1, 1], [3, 5, 7], [63, 64, 65], [66, 9, 130], [66, 12, 64], [88, 64, 92]] as const).flatMap(([m, k, n]) => ([[false, false], [true, false], [false, true], [true, true]] as const).map(
    ([tA, tB]): [string, () => tf.Tensor] => [`matMul ${m} ${k} ${n} ${tA} ${tB}`, () => tf.matMul(random(tA ? [2, k, m] : [2, m, k], 1), random(tB ? [2, n, k] : [2, k, n], 2), tA, tB)])),
  ['matMul, one matrix for all', () => tf.matMul(random([3, 6, 5], 1), random([1, 5, 9], 2))],
  ['fused matMul with bias', () => tf.fused.matMul({ a: random([21, 33], 1) as tf.Tensor2D, b: random([33, 10], 2) as tf.Tensor2D, bias: random([10], 3) })],
  ['fused matMul with bias, by vectors', () => tf.fused.matMul({ a: random([21, 32], 1) as tf.Tensor2D, b: random([32, 12], 2) as tf.Tensor2D, bias: random([12], 3) })],
  ['fused matMul with relu', () => tf.fused.matMul({ a: random([21, 33], 1) as tf.Tensor2D, b: random([33, 10], 2) as tf.Tensor2D, activation: 'relu' })],
  ['mean of the last axis', () => tf.mean(random([2, 9, 65], 1), -1, true)],
  ['sum of the middle axis', () => tf.sum(random([2, 65, 9], 1), 1, true)],
  ['mean of three axes', () => tf.mean(random([3, 4, 5, 6], 1), [1, 2, 3])],
  ['sum of axes apart', () => tf.sum(random([3, 4, 5], 1), [0, 2])],
  ['sum of everything, long', () => tf.sum(random([20_001], 1))],
  ['softmax', () => tf.softmax(tf.mul(random([2, 3, 88], 1), 20))],
  ['softmax of 65,601 rows', () => tf.slice(tf.softmax(random([65_601, 2], 1)), [65_590, 0], [11, 2])],
];

describe('kernels for software adapters', () => {
  const wanted: Float32Array[] = [];
  beforeAll(async () => {
    await useBackend('wasm');
    for (const [, run] of cases) wanted.push(tf.tidy(run).dataSync() as Float32Array);
    await useWebgpu();
    replaceKernels(true);
  });

  it.each(cases.map(([title, run], i) => ({ title, run, i })))('$title', ({ run, i }) => expectNoLeak(async () => {
    const y = tf.tidy(run);
    // float32 sums of at most 20,001 terms in different orders; WGSL's exp may be off by a few units in the last place
    expect(relativeError(await y.data(), wanted[i]!)).toBeLessThan(1e-5);
    y.dispose();
  }));
});
