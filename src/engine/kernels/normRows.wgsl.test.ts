import { beforeAll, describe, expect, it, vi } from 'vitest';
import { expectNoLeak, useWebgpu } from '../../testing/backend';
import { layerNormSpec, normModulateSpec, rmsNormSpec } from '../../testing/kernels/normRows';
import { describeKernel, noise } from '../../testing/kernels/suite';
import { normModulate } from '../ops/norms';
import * as tf from '../tf';
import { vjp } from '../vjp';
import { normModulateFused } from './normRows';

beforeAll(async () => { await useWebgpu(); });
[layerNormSpec, normModulateSpec, rmsNormSpec].forEach(describeKernel);

describe('norm kernels', () => {
  const random = (shape: [number, number, number], seed: number) => tf.tensor3d(noise(shape[0] * shape[1] * shape[2], seed), shape);

  it.each([1, 16, 64] as const)('keep their digits far from zero, by %i lanes', (lanes) => expectNoLeak(async () => {
    const d = 96;
    const values = noise(d, 3).map((value) => 1000 + value);
    const mean = values.reduce((sum, value) => sum + value / d, 0);
    const r = 1 / Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / d, 0) + 1e-6);
    const [x, zero] = [tf.tensor3d(values, [1, 1, d]), tf.zeros<tf.Rank.R3>([1, 1, d])];
    const y = normModulateFused(x, zero, zero, 1e-6, lanes);
    const got = await y.data();
    // the mean of numbers near 1000 is rounded to 3e-5; a variance from the sum of squares would be off by far more
    got.forEach((value, i) => expect(Math.abs(value - (values[i]! - mean) * r)).toBeLessThan(3e-4));
    tf.dispose([x, zero, y]);
  }));

  it('keep x itself and two numbers a row for the way back', () => {
    const inputs = [random([2, 9, 32], 1), random([2, 1, 32], 2), random([2, 1, 32], 3)];
    const before = tf.memory().numDataBuffers;
    const taped = vjp((x, shift, scale) => [normModulate(x as tf.Tensor3D, shift as tf.Tensor3D, scale as tf.Tensor3D)], inputs);
    tf.dispose(taped.outputs);
    // x, shift and scale are the caller's own; the statistics alone are new
    expect(tf.memory().numDataBuffers - before).toBe(1);
    taped.dispose();
    tf.dispose(inputs);
  });

  it('sum over rows only for a modulation that is asked for', () => {
    const [x, shift, scale] = [random([2, 9, 32], 1), random([2, 1, 32], 2), random([2, 1, 32], 3)];
    const kernels = vi.spyOn(tf.engine(), 'runKernel');
    const ran = () => kernels.mock.calls.map(([name]) => name).filter((name) => /Norm|Column/.test(name));
    const dy = tf.onesLike(x);
    const forX = vjp((given) => [normModulate(given as tf.Tensor3D, shift, scale)], [x]);
    const dx = forX.pullback([dy]);
    expect(ran()).toEqual(['NormModulate', 'NormModulateGradient']);
    kernels.mockClear();
    const forShift = vjp((given) => [normModulate(x, given as tf.Tensor3D, scale)], [shift]);
    const dShift = forShift.pullback([dy]);
    expect(ran()).toEqual(['NormModulate', 'ColumnSums']);
    kernels.mockRestore();
    tf.dispose([x, shift, scale, dy, forX.outputs, forShift.outputs, dx[0]!, dShift[0]!]);
  });
});
