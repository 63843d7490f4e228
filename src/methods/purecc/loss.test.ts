import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { lambdaStar } from '../../engine/kernels/lambdaStar';
import { weightedLoss } from '../../engine/kernels/weightedLoss';
import { normal } from '../../pipeline/random';
import { useBackend } from '../../testing/backend';
import { goalField, project, pureTerm, squaredDistance, type Term } from './loss';

type Shape = [number, number, number, number];
const SHAPE: Shape = [2, 3, 3, 4];
const ELEMENTS = 36;
const bare = { fixed: null, held: false };
const held = { fixed: null, held: true };
const random = (step: number, shape: Shape = SHAPE) => tf.tensor4d(normal(shape, { seed: 11, purpose: 'test', step }), shape);
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const largest = (tensor: tf.Tensor) => tf.max(tf.abs(tensor)).dataSync()[0]!;
/** Value per sample and gradient of one term alone. */
const valued = (term: Term, weight = 1) => {
  const { means: [perSample], gradient } = weightedLoss([{ ...term, weight }]);
  return { perSample: perSample!, gradient };
};
const zeros = tf.zeros as (shape: Shape) => Tensor4D;

beforeAll(async () => void (await useBackend('cpu')));

describe('λ* and L_PureCC', () => {
  const g = () => random(1), original = () => random(2);

  it.each([-2, 0.5, 3])('P1: no gradient when the offset is %s times the guidance', (c) => {
    const complete = tf.add<Tensor4D>(original(), tf.mul(g(), c));
    const { lambda, pure } = pureTerm(complete, original(), g(), zeros(SHAPE), bare);
    // float32 sums of 36 products
    for (const value of numbers(lambda)) expect(Math.abs(value - c)).toBeLessThan(1e-4);
    expect(largest(valued(pure).gradient)).toBeLessThan(1e-6);
  });

  it('P2: λ* is what a line search finds, sample by sample', () => {
    const r = random(3);
    const { lambda } = project(r, g(), original(), bare);
    const [first, second] = numbers(lambda);
    expect(first).not.toBeCloseTo(second!, 2);
    numbers(lambda).forEach((found, i) => {
      const distance = (value: number) => tf.sum(tf.square(tf.sub(r, tf.mul(g(), value))), [1, 2, 3]).dataSync()[i]!;
      let best = 0;
      for (let value = -3; value <= 3; value += 1e-3) if (distance(value) < distance(best)) best = value;
      // The grid's own step.
      expect(Math.abs(best - found)).toBeLessThan(1e-3);
    });
  }, 120_000);

  it.each([['free', bare, 1], ['clamped at 0', held, -1], ['clamped at 10', held, 40]] as const)('P3: the closed gradient is the one through an attached λ* (%s)', (_, options, scale) => {
    const complete = tf.add<Tensor4D>(original(), tf.add(tf.mul(g(), scale), random(4)));
    const high = options.held ? 10 : Infinity;
    const attached = tf.grad((v) => {
      const r = tf.sub<Tensor4D>(v as Tensor4D, original());
      const { lambda } = lambdaStar(r, g(), { floor: 0, low: options.held ? 0 : -Infinity, high });
      return tf.mean(tf.square(tf.sub(goalField(original(), g(), lambda), v)));
    })(complete);
    const { pure } = pureTerm(complete, original(), g(), zeros(SHAPE), options);
    // Relative, float32 with two reductions.
    expect(largest(tf.sub(attached, valued(pure).gradient)) / largest(attached)).toBeLessThan(1e-3);
  });

  it('P4: the gradient is orthogonal to g, and the loss is ‖r‖² sin²', () => {
    const r = random(3);
    const { pure: term, cosine } = pureTerm(tf.add(original(), r), original(), g(), zeros(SHAPE), bare);
    const pure = valued(term);
    expect(largest(tf.sum(tf.mul(pure.gradient, g()), [1, 2, 3]))).toBeLessThan(1e-6);
    const expected = tf.mul(tf.mean(tf.square(r), [1, 2, 3]), tf.sub(1, tf.square(cosine)));
    expect(largest(tf.sub(pure.perSample, expected))).toBeLessThan(1e-5);
  });

  it('gradients are those of the mean over the batch', () => {
    const v = random(5), goal = random(6);
    const numeric = tf.grad((x) => tf.mean(tf.square(tf.sub(x, goal))))(v);
    expect(largest(tf.sub(numeric, valued(squaredDistance(v, goal)).gradient))).toBeLessThan(1e-7);
  });

  it('sends the opposite gradient into a trainable original', () => {
    const complete = random(3), target = random(1), reference = random(8);
    const numeric = tf.grad((o) => {
      const { lambda } = project(tf.sub(complete, original()), tf.sub(target, reference), original(), bare);
      return tf.mean(tf.square(tf.sub(goalField(o as Tensor4D, tf.sub(target, reference), lambda), complete)));
    })(original());
    const { pure } = pureTerm(complete, original(), target, reference, bare);
    expect(largest(tf.sub(numeric, valued(pure, -1).gradient))).toBeLessThan(1e-6);
  });

  it('drops the term, and counts it, where g lies below the floor', () => {
    // rms(vOriginal) is about 1, so the floor is at rms(g) = 1e-2: the first sample lies below, the second above.
    const scale = tf.tensor4d([1e-3, 1], [2, 1, 1, 1]);
    const faint = tf.mul<Tensor4D>(g(), scale);
    const { floorHit, pure: term, lambda } = pureTerm(random(3), original(), faint, zeros(SHAPE), held);
    const pure = valued(term);
    expect(numbers(floorHit)).toEqual([1, 0]);
    expect(largest(tf.slice(pure.gradient, 0, 1))).toBe(0);
    expect(largest(tf.slice(pure.gradient, 1, 1))).toBeGreaterThan(0);
    expect(numbers(lambda).every((value) => value >= 0 && value <= 10)).toBe(true);
    expect(numbers(pureTerm(random(3), original(), faint, zeros(SHAPE), bare).floorHit)).toEqual([0, 0]);
  });
});

describe('free parameters go where methods.md says', () => {
  const ONE: Shape = [1, 3, 3, 4];
  const u = () => random(21, ONE), start = () => random(22, ONE), g = () => random(23, ONE);
  /** Component of x along g. */
  const along = (x: Tensor4D) => tf.mul<Tensor4D>(g(), tf.div(tf.sum(tf.mul(x, g())), tf.sum(tf.square(g()))));

  /** Gradient descent on vComplete (and vOriginal where it moves) under L_CC + η·L_pure. */
  function descend(eta: number, { fixed = null as number | null, moving = false, flow = 1 } = {}) {
    let complete = tf.zeros<tf.Rank.R4>(ONE), original = start();
    const trace: number[] = [];
    for (let step = 0; step < 400; step++) {
      const term = pureTerm(complete, original, g(), zeros(ONE), { fixed, held: false });
      const rate = 0.15 * ELEMENTS;
      const pull = weightedLoss([{ ...squaredDistance(complete, u()), weight: flow }, { ...term.pure, weight: eta }]).gradient;
      complete = tf.sub(complete, tf.mul(pull, rate));
      if (moving) original = tf.sub(original, tf.mul(valued(term.pure, -eta).gradient, rate));
      trace.push(tf.mean(tf.square(tf.sub(complete, start()))).dataSync()[0]!);
    }
    return { complete, original, trace };
  }
  // 400 steps shrink the slowest direction by (1 − .3)^400; what is left is float32.
  const near = (a: Tensor4D, b: Tensor4D) => expect(largest(tf.sub(a, b))).toBeLessThan(1e-3);

  it('P12: original held: concept learned whole, the rest shrunk by 1/(1+η)', () => {
    const residual = tf.sub<Tensor4D>(u(), start());
    const along_ = along(residual);
    near(descend(1).complete, tf.add(start(), tf.add(along_, tf.div(tf.sub(residual, along_), 2))));
    near(descend(0.5).complete, tf.add(start(), tf.add(along_, tf.div(tf.sub(residual, along_), 1.5))));
  });

  it('P12: fixed λ: (u + η(original + λg)) / (1+η)', () => {
    near(descend(1, { fixed: 3 }).complete, tf.div(tf.add(u(), tf.add(start(), tf.mul(g(), 3))), 2));
  });

  it('P12, P14: a trainable original swallows the orthogonal residual; a held one stays', () => {
    const residual = tf.sub<Tensor4D>(u(), start());
    const { complete, original } = descend(1, { moving: true });
    near(complete, u());
    near(original, tf.add(start(), tf.sub(residual, along(residual))));
    near(descend(1).original, start());
  });

  it('P6: λ = 0 alone pulls Complete to the original, monotonically', () => {
    const { trace } = descend(1, { fixed: 0, flow: 0 });
    // Until float32 rounding of the distance itself takes over.
    trace.slice(1).forEach((value, i) => expect(value).toBeLessThanOrEqual(trace[i]! + 1e-12));
    expect(trace.at(-1)).toBeLessThan(1e-9);
  });
});

