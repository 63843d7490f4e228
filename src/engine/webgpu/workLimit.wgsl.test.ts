import { afterEach, beforeAll, describe, expect, it, vi, type MockInstance } from 'vitest';
import { expectNoLeak, useWebgpu } from '../../testing/backend';
import { flush, internals } from './dispatch';
import { flashAttention, type AttentionVariant } from '../kernels/flashAttention';
import { packedLinear, packedLinearGradient } from '../kernels/packedLinear';
import { disposePacked, packMatrix, type OnGpu } from '../packed/packedMatrix';
import { TILINGS } from './tiling';
import * as tf from '../tf';
import { limitWork, workLimit } from './workLimit';

let dispatches: MockInstance;
beforeAll(async () => {
  await useWebgpu();
  dispatches = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
});
afterEach(() => limitWork(null, false));

const random = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed);

/** The results of `work` in one piece and in pieces of so many flops, with what was dispatched the second time. */
async function bothWays(flops: number, work: () => tf.Tensor[]): Promise<{ whole: number[][]; sliced: number[][]; calls: number }> {
  const values = async () => {
    const made = tf.tidy(work);
    const read = await Promise.all(made.map(async (x) => Array.from(await x.data())));
    tf.dispose(made);
    return read;
  };
  const whole = await values();
  workLimit.flops = flops;
  dispatches.mockClear();
  const sliced = await values();
  return { whole, sliced, calls: dispatches.mock.calls.length };
}

describe('work in slices', () => {
  it.each(TILINGS)('of a linear layer cut as %s is the same, bit for bit', async (tiling) => {
    await expectNoLeak(async () => {
      const [rows, inputs, outputs] = [150, 40, 136];
      const matrix = packMatrix(Float32Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i)), inputs, outputs, { precision: 'f32' }) as OnGpu;
      const [x, dy] = [random([rows, inputs], 1) as tf.Tensor2D, random([rows, outputs], 2) as tf.Tensor2D];
      const all = 2 * rows * inputs * outputs;
      const { whole, sliced, calls } = await bothWays(all / 3, () => [packedLinear(x, matrix, null, null, tiling), packedLinearGradient(dy, matrix, null, tiling)]);
      expect(sliced).toEqual(whole);
      // three slices each way; 150 rows are 19 × 17 tiles of registers forwards, in six groups, and 19 × 5 back, in two
      expect(calls).toBe(tiling === 'registers' ? 5 : 6);
      disposePacked(matrix);
      tf.dispose([x, dy]);
    });
  });

  it.each<AttentionVariant>(['tiles', 'registers'])('of attention by %s is the same, bit for bit', async (variant) => {
    await expectNoLeak(async () => {
      const [q, k, v, dy] = [1, 2, 3, 4].map((seed) => random([2, 150, 3, 32], seed)) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
      const products = 2 * 2 * 3 * 150 * 150 * 32;
      const run = () => {
        const { value, grads } = tf.valueAndGrads((a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => flashAttention(a as tf.Tensor4D, b as tf.Tensor4D, c as tf.Tensor4D, { causal: true, keyMask: null, variant }))([q, k, v], dy);
        return [value, ...grads];
      };
      const { whole, sliced, calls } = await bothWays(products / 2, run);
      expect(sliced).toEqual(whole);
      // two products forwards, three for dq, four for dk and dv, and the deltas; of registers there are only four groups each
      expect(calls).toBe(variant === 'tiles' ? 4 + 6 + 8 + 1 : 4 + 4 + 4 + 1);
      tf.dispose([q, k, v, dy]);
    });
  });

  it('is submitted when a slice’s worth is recorded', async () => {
    const submits = vi.spyOn(internals(tf.backend()).queue, 'submit');
    const matrix = packMatrix(new Float32Array(32 * 32).fill(1), 32, 32, { precision: 'f32' }) as OnGpu;
    const x = random([64, 32], 1) as tf.Tensor2D;
    flush(tf.backend());
    const count = (flops: number) => {
      workLimit.flops = flops;
      submits.mockClear();
      for (let i = 0; i < 6; i++) packedLinear(x, matrix, null).dispose();
      return submits.mock.calls.length;
    };
    const one = 2 * 64 * 32 * 32;
    expect(count(Infinity)).toBe(0);
    flush(tf.backend());
    expect(count(1.5 * one)).toBe(3);
    disposePacked(matrix);
    x.dispose();
    submits.mockRestore();
  });
});

it('asks for shorter work after a loss, and for none where the rate is unknown', () => {
  limitWork(1e6, false);
  const usual = workLimit.flops;
  limitWork(1e6, true);
  expect(workLimit.flops).toBeLessThan(usual);
  limitWork(null, true);
  expect(workLimit.flops).toBe(Infinity);
});
