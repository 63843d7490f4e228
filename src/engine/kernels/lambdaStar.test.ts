import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../testing/backend';
import { lambdaStarSpec } from '../../testing/kernels/lambdaStar';
import { describeKernel } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { lambdaStar } from './lambdaStar';

describe.each(['wasm', 'cpu'] as const)('composed on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // the largest case is about dispatch limits, which only a GPU has
  describeKernel({ ...lambdaStarSpec, cases: lambdaStarSpec.cases.filter(({ forwardOnly }) => !forwardOnly) });

  it('is 0 for r = 0 and for g = 0, with a floor or without', () => {
    for (const floor of [0, 1e-4]) {
      const zero = lambdaStar(tf.zeros([1, 8]), tf.ones([1, 8]), { floor, low: -1, high: 1 });
      const blind = lambdaStar(tf.ones([1, 8]), tf.zeros([1, 8]), { floor, low: -1, high: 1 });
      for (const x of [zero.lambda, zero.cosine, blind.lambda, blind.cosine]) expect(x.dataSync()[0]).toBeCloseTo(0, 12);
    }
  });

  it('gives each sample its own, with a floor per sample', () => {
    const g = tf.tensor2d([[1, 0], [0, 2], [0, 1]]);
    const r = tf.tensor2d([[3, 5], [5, -1], [0, 4]]);
    const { lambda } = lambdaStar(r, g, { floor: tf.tensor1d([0, 0, 8]), low: -10, high: 10 });
    expect(Array.from(lambda.dataSync())).toEqual([3, -0.5, 0.5]);
  });
});
