import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor1D, Tensor2D, Tensor4D } from '../../engine/tf';
import { normal } from '../../pipeline/random';
import { expectNoLeak, useBackend } from '../../testing/backend';
import type { Graded } from '../method';
import { alignmentLoss, distance, identityLoss, layoutLoss, response, semanticLoss, type Reduction } from './loss';

const draw = (step: number, shape: number[]) => tf.tensor(normal([shape.reduce((a, b) => a * b, 1)], { seed: 31, purpose: 'test', step }), shape);
const features = (step: number, tokens: number) => draw(step, [2, tokens, 3, 4]) as Tensor4D; // [B,tokens,H,d]
const scalar = (x: tf.Tensor) => x.dataSync()[0]!;
const meanOf = (perSample: Tensor1D) => scalar(tf.mean(perSample));
const reductions: Reduction[] = ['paper-l2', 'mse'];

/** The gradient against central differences of the batch's mean along a random direction. */
function expectGradient<T extends tf.Tensor>(at: T, loss: (x: T) => Graded<T>): void {
  const direction = draw(99, at.shape);
  const step = 1e-2;
  const value = (sign: number) => meanOf(loss(tf.add<T>(at, tf.mul(direction, sign * step))).perSample);
  const numeric = (value(1) - value(-1)) / (2 * step);
  const { gradient } = loss(at);
  expect(gradient.shape).toEqual(at.shape);
  const found = scalar(tf.sum(tf.mul(gradient, direction)));
  expect(Math.abs(numeric)).toBeGreaterThan(1e-3);
  expect(Math.abs(found - numeric)).toBeLessThan(5e-3 * Math.max(0.1, Math.abs(numeric)));
}

describe('PuLID’s losses', () => {
  beforeAll(() => useBackend('wasm'));

  it('L_id is 1 − cos, whatever the lengths, and its gradient agrees with differences', async () => {
    const [found, wanted] = [draw(1, [2, 6]) as Tensor2D, draw(2, [1, 6]) as Tensor2D];
    const [f, w] = [found.arraySync(), wanted.arraySync()[0]!];
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const byHand = f.map((row) => 1 - dot(row, w) / Math.sqrt(dot(row, row) * dot(w, w)));
    [...identityLoss(found, wanted).perSample.dataSync()].forEach((value, i) => expect(value).toBeCloseTo(byHand[i]!, 5));
    expectGradient(found, (x) => identityLoss(x, wanted));
    expect(meanOf(identityLoss(tf.mul<Tensor2D>(tf.concat([wanted, wanted]) as Tensor2D, 3), wanted).perSample)).toBeCloseTo(0, 6);
  });

  it('a response is softmax(K·Qᵀ/√d)·Q head by head', () => {
    const [k, q] = [features(1, 2), features(2, 5)];
    const heads = (x: Tensor4D) => tf.transpose(x, [0, 2, 1, 3]) as Tensor4D;
    const weights = tf.softmax(tf.mul(tf.matMul(heads(k), heads(q), false, true), 0.5)); // 1/√4
    expect(scalar(tf.max(tf.abs(tf.sub(heads(response(k, q)), tf.matMul(weights, heads(q))))))).toBeLessThan(1e-5);
  });

  it.each(reductions)('L_sem and L_layout by %s have the gradients of their values', (reduction) => {
    const [qId, q, k] = [features(1, 5), features(2, 5), features(3, 3)];
    expectGradient(qId, (x) => semanticLoss(x, q, k, reduction));
    expectGradient(qId, (x) => layoutLoss(x, q, reduction));
  });

  it('the plain norm is that of a sample’s whole tensor; the mean square of its elements', () => {
    const [a, b] = [features(1, 5), features(2, 5)];
    const squares = tf.sum(tf.square(tf.sub(a, b)), [1, 2, 3]).dataSync();
    [...distance(a, b, 'paper-l2').perSample.dataSync()].forEach((value, i) => expect(value).toBeCloseTo(Math.sqrt(squares[i]!), 4));
    [...distance(a, b, 'mse').perSample.dataSync()].forEach((value, i) => expect(value).toBeCloseTo(squares[i]! / 60, 4));
  });

  // I1
  it.each(reductions)('are exactly 0 by %s where nothing was injected, gradient and all', (reduction) => {
    const [q, k] = [features(1, 5), features(2, 3)];
    const { sem, layout, gradients } = alignmentLoss([tf.clone(q)], [{ q, k }], { sem: 0.6, layout: 0.1, reduction });
    for (const x of [sem, layout, ...gradients]) expect([...x.dataSync()].every((value) => value === 0)).toBe(true);
  });

  // I3
  it.each(reductions)('by %s, permuting the picture tokens of one path changes L_layout and not L_sem', (reduction) => {
    const [qId, q, k] = [features(1, 5), features(2, 5), features(3, 3)];
    const permuted = tf.gather(qId, tf.tensor1d([3, 0, 4, 1, 2], 'int32'), 1);
    expect(meanOf(semanticLoss(permuted, q, k, reduction).perSample)).toBeCloseTo(meanOf(semanticLoss(qId, q, k, reduction).perSample), 5);
    expect(Math.abs(meanOf(layoutLoss(permuted, q, reduction).perSample) - meanOf(layoutLoss(qId, q, reduction).perSample))).toBeGreaterThan(1e-2);
  });

  it('of several layers are means over them, each layer’s gradient its own weighted share, with nothing left behind', async () => {
    const layers = [0, 1].map((i) => ({ qId: features(10 + i, 5), q: features(20 + i, 5), k: features(30 + i, 3) }));
    const weights = { sem: 0.6, layout: 0.1, reduction: 'paper-l2' } as const;
    await expectNoLeak(() => {
      const all = alignmentLoss(layers.map(({ qId }) => qId), layers, weights);
      const each = layers.map(({ qId, q, k }) => ({ s: semanticLoss(qId, q, k, 'paper-l2'), l: layoutLoss(qId, q, 'paper-l2') }));
      tf.tidy(() => {
        expect(meanOf(all.sem)).toBeCloseTo((meanOf(each[0]!.s.perSample) + meanOf(each[1]!.s.perSample)) / 2, 5);
        expect(meanOf(all.layout)).toBeCloseTo((meanOf(each[0]!.l.perSample) + meanOf(each[1]!.l.perSample)) / 2, 5);
        each.forEach(({ s, l }, i) => {
          const wanted = tf.add(tf.mul(s.gradient, 0.3), tf.mul(l.gradient, 0.05));
          expect(scalar(tf.max(tf.abs(tf.sub(all.gradients[i]!, wanted))))).toBeLessThan(1e-6);
        });
      });
      tf.dispose([all as unknown as tf.Tensor, each as unknown as tf.Tensor]);
    });
  });
});
