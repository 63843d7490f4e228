import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../testing/backend';
import { describeKernel, noise } from '../../testing/kernels/suite';
import { lossReference, weightedLossSpec } from '../../testing/kernels/weightedLoss';
import * as tf from '../tf';
import { weightedLoss } from './weightedLoss';

describe.each(['wasm', 'cpu'] as const)('composed on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // the largest case is about dispatch limits, which only a GPU has
  describeKernel({ ...weightedLossSpec, cases: weightedLossSpec.cases.filter(({ shapes }) => shapes[0]![0]! < 65_536) });

  it('refuses terms of different shapes, and none at all', () => {
    const [three, four] = [tf.zeros([1, 3]), tf.zeros([1, 4])];
    expect(() => weightedLoss([{ left: three, right: three, weight: 1 }, { left: four, right: four, weight: 1 }])).toThrow('differ in shape');
    expect(() => weightedLoss([])).toThrow('there is none');
  });
});

it('the reference’s gradient is that of its own loss, by central differences', () => {
  const [rows, n] = [2, 5];
  const options = { weights: [1, -0.3], keeps: [null, [0, 1]] };
  // both terms pull at the same tensor, as in a stage of training
  const at = (left: Float64Array) => lossReference([left, noise(10, 2), left, noise(10, 3)], [rows, n], options);
  const loss = (left: Float64Array) => at(left).means.reduce((sum, mean, t) => sum + (options.weights[t]! * mean.reduce((a, b) => a + b)) / rows, 0);
  const left = Float64Array.from(noise(10, 1));
  const { gradient } = at(left);
  const step = 1e-4;
  left.forEach((_, i) => {
    const moved = (sign: number) => loss(left.map((value, j) => (i === j ? value + sign * step : value)));
    // exact but for rounding: the loss is quadratic
    expect(Math.abs((moved(1) - moved(-1)) / (2 * step) - gradient[i]!)).toBeLessThan(1e-9);
  });
});
