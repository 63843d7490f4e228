import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../testing/backend';
import { flashAttentionSpec } from '../../testing/kernels/flashAttention';
import { describeKernel } from '../../testing/kernels/suite';
import { attention } from '../ops';
import * as tf from '../tf';

describe.each(['wasm', 'cpu'] as const)('composed on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // the variants, and the largest case, are about a GPU
  describeKernel({ ...flashAttentionSpec, cases: flashAttentionSpec.cases.filter(({ forwardOnly, title }) => !forwardOnly && title.startsWith('tiles')) });

  it('gives zeros to a query without a key, and attends to the only key that is left', () => {
    const q = tf.ones([1, 2, 1, 4]) as tf.Tensor4D;
    const v = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 1, 4]);
    const values = (keyMask: number[]) => Array.from(attention(q, q, v, { causal: true, keyMask: tf.tensor2d(keyMask, [1, 2]) }).dataSync());
    expect(values([0, 1])).toEqual([0, 0, 0, 0, 5, 6, 7, 8]);
    expect(values([1, 0])).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
    expect(values([0, 0])).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('refuses shapes that do not fit', () => {
    const x = (...shape: [number, number, number, number]) => tf.zeros(shape) as tf.Tensor4D;
    expect(() => attention(x(1, 2, 1, 4), x(1, 3, 1, 4), x(1, 2, 1, 4))).toThrow('attention of');
    expect(() => attention(x(1, 2, 1, 4), x(1, 3, 1, 4), x(1, 3, 1, 4), { causal: true })).toThrow('causal');
    expect(() => attention(x(1, 2, 1, 4), x(1, 3, 1, 4), x(1, 3, 1, 4), { keyMask: tf.ones([1, 2]) as tf.Tensor2D })).toThrow('key mask');
  });
});
