import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../testing/backend';
import { guidanceFusionSlicesSpec, guidanceFusionSpec } from '../../testing/kernels/guidanceFusion';
import { describeKernel } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { guidanceFusion, guidanceFusionOf } from './guidanceFusion';

describe.each(['wasm', 'cpu'] as const)('composed on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // the largest case is about dispatch limits, which only a GPU has
  describeKernel({ ...guidanceFusionSpec, cases: guidanceFusionSpec.cases.filter(({ forwardOnly }) => !forwardOnly) });
  describeKernel(guidanceFusionSlicesSpec);

  it('leaves v0 alone where every weight is 0, whatever the terms are', () => {
    const v0 = tf.tensor1d([0.1, -3, 7]);
    const y = guidanceFusion(v0, [tf.fill([3], NaN) as tf.Tensor1D], [0]);
    expect(Array.from(y.dataSync())).toEqual(Array.from(v0.dataSync()));
  });

  it('refuses a term of another shape', () => {
    expect(() => guidanceFusion(tf.zeros([3]), [tf.zeros([1])], [1])).toThrow('another shape');
  });

  it('refuses a slice beyond its source', () => {
    const source = tf.zeros<tf.Rank.R2>([4, 3]);
    expect(() => guidanceFusionOf([2, 3], { source, at: 0 }, [{ source, at: 2, weight: 1, mask: null }])).toThrow('beyond its source');
  });
});
