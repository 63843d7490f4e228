import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { plainComposition } from '../../protocol/mix';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { noise } from '../../testing/kernels/suite';
import { composeVelocity } from '../gcfg/compose';
import { scaleWeights, twoScaleParts, twoScales, type SeenVelocities } from './guidance';
import { tamingOptions } from './options';
import { REFERENCE_CHANCES, referenceFor } from './references';

const random = (seed: number) => tf.tensor4d(noise(2 * 16, seed), [2, 2, 2, 4]);
const velocities = (): SeenVelocities => ({ nothing: random(1), text: random(2), object: random(3) });
const furthest = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!);
beforeAll(async () => void (await useBackend('wasm')));

describe('two-scale guidance', () => {
  it('is the rule, as differences, as one weighted sum and as a list of guidances', async () => {
    const v = velocities();
    const scales = { text: 3, object: 1.8 };
    const [n, t, o] = [v.nothing, v.text, v.object].map((each) => each.dataSync());
    const wanted = tf.tensor4d(Float32Array.from(n!, (_, i) => n![i]! + 3 * (t![i]! - n![i]!) + 1.8 * (o![i]! - t![i]!)), [2, 2, 2, 4]);
    expect(furthest(twoScales(v, scales), wanted)).toBeLessThan(1e-5);
    const weights = scaleWeights(scales);
    expect(weights.nothing + weights.text + weights.object).toBeCloseTo(1, 12);
    expect(furthest(tf.addN((['nothing', 'text', 'object'] as const).map((name) => tf.mul(v[name], weights[name]))), wanted)).toBeLessThan(1e-5);
    const parts = twoScaleParts(v, scales);
    expect(furthest(await composeVelocity(v.nothing, parts, 1, plainComposition), wanted)).toBeLessThan(1e-5);
    await expectNoLeak(() => twoScales(v, scales).dispose());
  });

  it('is the base’s own bit for bit at scale 0 of the object, whatever the object says', () => {
    const v = velocities();
    const base = tf.add(v.nothing, tf.mul(tf.sub(v.text, v.nothing), 3));
    expect(twoScales({ ...v, object: tf.fill([2, 2, 2, 4], NaN) }, { text: 3, object: 0 }).dataSync()).toEqual(base.dataSync());
    expect(furthest(twoScales(v, { text: 1, object: 0 }), v.text)).toBeLessThan(1e-6);
    expect(furthest(twoScales(v, { text: 1, object: 1 }), v.object)).toBeLessThan(1e-6);
  });

  it('has options whose defaults lie in their ranges', () => {
    for (const [name, field] of Object.entries(tamingOptions)) {
      if (field.type === 'number') expect(field.default >= field.min && field.default <= field.max, name).toBe(true);
      else expect(field.options).toContain(field.default);
      expect(field.why.length).toBeGreaterThan(10);
    }
  });
});

describe('the picture looked at', () => {
  const draws = 10_000;
  const chances = noise(draws * REFERENCE_CHANCES, 7).map((value) => Math.min(0.999999, Math.abs(value)));
  const chancesOf = (draw: number) => [...chances.subarray(draw * REFERENCE_CHANCES, (draw + 1) * REFERENCE_CHANCES)];

  it.each([2, 3, 5])('T1: is never the target among %d, and each other one equally often', (count) => {
    const seen = Array.from({ length: count }, () => new Array<number>(count).fill(0));
    for (let draw = 0; draw < draws; draw++) {
      const target = draw % count;
      const { index, single, augmentation } = referenceFor(target, count, chancesOf(draw));
      expect(index !== target && index >= 0 && index < count && !single && augmentation === null).toBe(true);
      seen[target]![index]!++;
    }
    for (const [target, row] of seen.entries()) row.forEach((times, index) => { if (index !== target) expect(Math.abs(times / (draws / count / (count - 1)) - 1)).toBeLessThan(0.15); });
    for (const edge of [0, 0.999999, 1]) expect(referenceFor(0, count, new Array<number>(REFERENCE_CHANCES).fill(edge)).index).not.toBe(0);
  });

  it('T1: of one picture is that one, said and changed', () => {
    const all = Array.from({ length: 100 }, (_, draw) => referenceFor(0, 1, chancesOf(draw)));
    expect(all.every(({ index, single, augmentation }) => index === 0 && single && augmentation !== null)).toBe(true);
    expect(new Set(all.map(({ augmentation }) => augmentation!.flip)).size).toBe(2);
    for (const name of ['scale', 'across', 'down', 'contrast', 'brightness'] as const) expect(new Set(all.map(({ augmentation }) => augmentation![name])).size, name).toBeGreaterThan(90);
    expect(() => referenceFor(2, 2, chancesOf(0))).toThrow(/picture 2 of 2/);
  });
});
