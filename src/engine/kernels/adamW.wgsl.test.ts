import { beforeAll, describe, expect, it } from 'vitest';
import { adamW, clipFactor, globalNorm as norm64 } from '../../pipeline/training/optimizer';
import { expectNoLeak, useWebgpu } from '../../testing/backend';
import { noise, relativeError } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { adamWInPlace, type AdamWStep, type AdamWTensors } from './adamW';
import { globalNorm } from './globalNorm';

beforeAll(async () => { await useWebgpu(); });

const options: AdamWStep = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 1e-2, step: 1, clip: null };
const made = (n: number): AdamWTensors => ({ values: tf.tensor1d(noise(n, 1)), m: tf.zeros([n]), v: tf.zeros([n]) });
const read = async ({ values, m, v }: AdamWTensors) => Promise.all([values, m, v].map(async (x) => new Float32Array(await x.data<'float32'>())));

/** One step with the gradient's own norm as the only guard. */
function step(group: AdamWTensors, gradient: Float32Array, change: Partial<AdamWStep>): void {
  tf.tidy(() => {
    const given = tf.tensor1d(gradient);
    adamWInPlace(group, given, tf.reshape(globalNorm(given), [1, 2]), 0, { ...options, ...change });
  });
}

describe('AdamW', () => {
  const cases = [1, 63, 64, 65, 4099].flatMap((n) => [null, 1e9, 1e-3].map((clip) => [n, clip] as const));
  it.each(cases)('five steps of %i numbers, clipped at %d, as on the processor', (n, clip) => expectNoLeak(async () => {
    const group = made(n);
    const want = { values: noise(n, 1), m: new Float32Array(n), v: new Float32Array(n) };
    for (let t = 1; t <= 5; t++) {
      const gradient = noise(n, 10 + t);
      if (clip === 1e-3) expect(norm64(gradient)).toBeGreaterThan(clip);
      step(group, gradient, { step: t, clip });
      adamW(want, gradient, { learningRate: options.learningRate, weightDecay: options.weightDecay, step: t, scale: clip === null ? 1 : clipFactor(norm64(gradient), clip) });
    }
    const got = await read(group);
    // float32 where the processor rounds doubles: a few roundings a step, five steps
    [want.values, want.m, want.v].forEach((numbers, i) => expect(relativeError(got[i]!, numbers)).toBeLessThan(2e-6));
    tf.dispose(Object.values(group));
  }));

  it('moves the values by what a step is, not only to where they nearly were', async () => {
    const group = made(300);
    step(group, noise(300, 11), {});
    const [values] = await read(group);
    const want = { values: noise(300, 1), m: new Float32Array(300), v: new Float32Array(300) };
    adamW(want, noise(300, 11), { ...options, scale: 1 });
    const moved = (after: Float32Array) => after.map((value, i) => value - noise(300, 1)[i]!);
    // the step is 1 % of the values, so their last digit is the step's fifth
    expect(relativeError(moved(values!), moved(want.values))).toBeLessThan(2e-5);
  });

  it('numbers read before a step are not handed out after it', async () => {
    const group = made(65);
    step(group, noise(65, 2), {});
    const before = await read(group);
    step(group, noise(65, 3), {});
    const after = await read(group);
    before.forEach((numbers, i) => expect(after[i]).not.toEqual(numbers));
  });

  it.each([[NaN, 64], [Infinity, 0], [-Infinity, 4098], [1e25, 9]])('touches nothing where a gradient is %d at %i', async (value, at) => {
    const group = made(4099);
    step(group, noise(4099, 2), {});
    const before = await read(group);
    const gradient = noise(4099, 3);
    gradient[at] = value;
    step(group, gradient, { step: 2, clip: 1 });
    expect(await read(group)).toEqual(before);
  });

  it('touches nothing where another group is flagged, and clips by its own norm only', async () => {
    const [group, other] = [made(65), tf.tensor1d([1, NaN])];
    const gradient = tf.tensor1d(noise(65, 4));
    const before = await read(group);
    adamWInPlace(group, gradient, tf.stack([globalNorm(other), globalNorm(gradient)]) as tf.Tensor2D, 1, options);
    expect(await read(group)).toEqual(before);
    const [alone, beside] = [made(65), made(65)];
    adamWInPlace(alone, gradient, tf.stack([globalNorm(gradient)]) as tf.Tensor2D, 0, { ...options, clip: 0.1 });
    adamWInPlace(beside, gradient, tf.stack([globalNorm(tf.ones([9])), globalNorm(gradient)]) as tf.Tensor2D, 1, { ...options, clip: 0.1 });
    expect(await read(beside)).toEqual(await read(alone));
    expect(await read(alone)).not.toEqual(before);
  });

  it('steps more numbers than one row of groups holds', async () => {
    const n = 64 * 65_535 + 65;
    const group = { values: tf.zeros<tf.Rank.R1>([n]), m: tf.zeros<tf.Rank.R1>([n]), v: tf.zeros<tf.Rank.R1>([n]) };
    const gradient = tf.ones<tf.Rank.R1>([n]);
    adamWInPlace(group, gradient, tf.tensor2d([[1, 0]]), 0, options);
    const [low, high] = await Promise.all([tf.min(group.values).data(), tf.max(group.values).data()]);
    // the first step is the learning rate, whatever the gradient's size
    expect(low[0]).toBeCloseTo(-0.01, 6);
    expect(high[0]).toBeCloseTo(-0.01, 6);
    tf.dispose([...Object.values(group), gradient]);
  });
});
