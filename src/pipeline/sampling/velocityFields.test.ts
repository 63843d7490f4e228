import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { velocity, velocityAsync, type Adapter } from '../../models/mmdit';
import { methods } from '../../methods';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { tinyBase, tinyDataset, tinyRecipe, tinyWords } from '../../testing/tiny';
import type { EncodedPrompts, FlowBase } from '../base';
import { cloneConcept, disposeConcept, restoreConcept, storeConcept, type LearnedConcept, type RowTensors } from '../concept';
import { disposeDataset } from '../training/dataset';
import { evaluatePasses } from '../evaluate';
import { balancedField, baseField, conceptField, disposeFieldWords, elsewhereField, type FieldWords } from './velocityFields';
import { draft, draftColours, makeProbe } from './preview';
import { sample, sampleAll } from './sample';
import { createTrainer } from '../training/train';

let base: FlowBase;
/** In stage 2, still learning; and the same run when it is over. */
let learning: LearnedConcept, learned: LearnedConcept;
let words: FieldWords;
let x: Tensor4D;
const sigma = 0.6;

beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  const dataset = tinyDataset();
  const trainer = await createTrainer({ base, method: methods.purecc, recipe: tinyRecipe({ learningRate: 0.05 }), dataset });
  for await (const row of trainer.steps()) if (row.step === 6) break;
  learning = trainer.concept();
  for await (const row of trainer.steps()) void row;
  learned = trainer.concept();
  trainer.dispose();
  disposeDataset(dataset);
  x = tf.randomNormal<tf.Rank.R4>([2, 4, 4, 4], 0, 1, 'float32', 5);
});
beforeEach(() => {
  words = { complete: tinyWords(2, true, 11), base: tinyWords(2, false, 12), target: tinyWords(2, true, 13), class: tinyWords(2, false, 14), null: tinyWords(2, false, 15), negative: tinyWords(2, false, 16) };
});
afterEach(() => disposeFieldWords(words));

const v = (text: EncodedPrompts, adapter: Adapter | null, rows: RowTensors | null = null) =>
  velocity(base.mmdit, { x, sigma: [sigma, sigma], context: text.context, pooled: text.pooled }, adapter, rows && { ...rows, at: text.at });
const furthest = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
/** float32 rounding of a few sums; rows batched with others are the same to this. */
const ROUNDING = 2e-5;

describe('evaluations', () => {
  it('with blocks left out are not those with all of them, and have a pass of their own', async () => {
    const text = { words: words.base, adapter: null, rows: null };
    const { outputs, at } = await evaluatePasses(base, x, [sigma, sigma], [text, { ...text, skip: [1] }, { ...text, skip: [] }, { ...text, skip: [1, 1] }], async () => {});
    expect(at).toEqual([{ pass: 0, member: 0 }, { pass: 1, member: 0 }, { pass: 0, member: 0 }, { pass: 1, member: 0 }]);
    const input = { x, sigma: [sigma, sigma], context: words.base.context, pooled: words.base.pooled };
    expect(outputs[0]!.dataSync()).toEqual(velocity(base.mmdit, input, null, null).dataSync());
    expect(outputs[1]!.dataSync()).toEqual((await velocityAsync(base.mmdit, input, null, null, async () => {}, [1])).dataSync());
    expect(outputs[1]!.dataSync()).not.toEqual(outputs[0]!.dataSync());
    tf.dispose(outputs);
  });
});

describe('the balance', () => {
  it('at 0 evaluates only the base, bit for bit', async () => {
    const field = balancedField(base, words, learned, 0);
    expect((await field.evaluate(x, sigma, 1)).dataSync()).toEqual(v(words.base, null).dataSync());
    expect((await field.evaluate(x, sigma, 3)).dataSync()).toEqual((await baseField(base, words).evaluate(x, sigma, 3)).dataSync());
  });

  it('at 1 evaluates only the student, bit for bit, once learned', async () => {
    const field = balancedField(base, words, learned, 1);
    expect((await field.evaluate(x, sigma, 1)).dataSync()).toEqual(v(words.complete, learned.adapters.student!, learned.rows.rows!).dataSync());
    expect((await field.evaluate(x, sigma, 3)).dataSync()).toEqual((await conceptField(base, words, learned).evaluate(x, sigma, 3)).dataSync());
  });

  it.each([0.5, 1.5])('once learned is v_base(Base) + %s·r, with guidance around it from the untouched base', async (balance) => {
    const original = v(words.base, null), r = tf.sub(v(words.complete, learned.adapters.student!, learned.rows.rows!), original);
    const inner = tf.add(original, tf.mul(r, balance)), v0 = v(words.negative, null);
    const outer = tf.add(v0, tf.mul(tf.sub(inner, v0), 3));
    expect(furthest(await balancedField(base, words, learned, balance).evaluate(x, sigma, 3), outer)).toBeLessThan(ROUNDING * 5);
  });

  it.each(['class', 'null'] as const)('while learning is v_base(Base) + balance·λ·g against %s', async (guidanceReference) => {
    const concept = { ...learning, lambda: 0.7, recipe: { ...learning.recipe, guidanceReference } };
    const reference = guidanceReference === 'class' ? v(words.class, null) : v(words.null, concept.adapters.extractor!);
    const g = tf.sub(v(words.target, concept.adapters.extractor!, concept.rows.rows!), reference);
    const expected = tf.add(v(words.base, null), tf.mul(g, 1.5 * 0.7));
    expect(furthest(await balancedField(base, words, concept, 1.5).evaluate(x, sigma, 1), expected)).toBeLessThan(ROUNDING);
  });

  it('elsewhere is the student without rows, with guidance’s v0 through it too', async () => {
    const student = learned.adapters.student!;
    const [v0, inner] = [v(words.negative, student), v(words.complete, student)];
    const field = elsewhereField(base, words, learned);
    expect((await field.evaluate(x, sigma, 1)).dataSync()).toEqual(inner.dataSync());
    expect(furthest(await field.evaluate(x, sigma, 3), tf.add(v0, tf.mul(tf.sub(inner, v0), 3)))).toBeLessThan(ROUNDING * 5);
    // not what is drawn here without rows: there v0 is the untouched base's
    expect(furthest(await conceptField(base, words, learned, { rows: false }).evaluate(x, sigma, 3), await field.evaluate(x, sigma, 3))).toBeGreaterThan(0.01);
  });

  it('leaves the rows out of a student that was trained without them', async () => {
    const concept = { ...learned, result: methods.purecc.stages.student.result(tinyRecipe({ studentRows: 'off' })) };
    expect((await balancedField(base, words, concept, 1).evaluate(x, sigma, 1)).dataSync()).toEqual(v(words.complete, learned.adapters.student!).dataSync());
    expect((await conceptField(base, words, learned, { rows: false }).evaluate(x, sigma, 1)).dataSync()).toEqual(v(words.complete, learned.adapters.student!).dataSync());
  });
});

describe('sampling', () => {
  const options = () => ({ base, seeds: [3, 4], steps: 4, guidance: 3 });

  it('P13: a learned concept needs no extractor', async () => {
    const alone = cloneConcept({ ...learned, adapters: { student: learned.adapters.student! } });
    for (const balance of [0.5, 1]) {
      const whole = await sampleAll({ ...options(), field: balancedField(base, words, learned, balance) });
      expect((await sampleAll({ ...options(), field: balancedField(base, words, alone, balance) })).dataSync()).toEqual(whole.dataSync());
    }
    disposeConcept(alone);
  });

  it('a stored concept draws the same', async () => {
    const restored = restoreConcept(structuredClone(await storeConcept(learned)), learned.recipe, learned.lambda);
    const before = await sampleAll({ ...options(), field: conceptField(base, words, learned) });
    expect((await sampleAll({ ...options(), field: conceptField(base, words, restored) })).dataSync()).toEqual(before.dataSync());
    disposeConcept(restored);
  });

  it('is the same picture alone and in a batch', async () => {
    const both = await sampleAll({ ...options(), field: baseField(base, words) });
    const one = (text: EncodedPrompts): EncodedPrompts => ({ context: tf.slice(text.context, 1, 1), pooled: tf.slice(text.pooled, 1, 1), at: text.at.slice(1) });
    const second = Object.fromEntries(Object.entries(words).map(([role, text]) => [role, one(text as EncodedPrompts)])) as unknown as FieldWords;
    const alone = await sampleAll({ ...options(), seeds: [4], field: baseField(base, second) });
    expect(furthest(alone, tf.slice(both, 1, 1))).toBeLessThan(ROUNDING * 10);
  });

  it('stops when told, and leaves nothing behind', async () => {
    const field = balancedField(base, words, learned, 0.5);
    await expectNoLeak(async () => {
      const stop = new AbortController();
      const steps: number[] = [];
      const running = (async () => {
        for await (const { step } of sample({ ...options(), field, signal: stop.signal })) {
          steps.push(step);
          if (step === 2) stop.abort();
        }
      })();
      await expect(running).rejects.toMatchObject({ code: 'aborted' });
      expect(steps).toEqual([1, 2]);
    });
    await expectNoLeak(async () => {
      let blocks = 0;
      const stop = new AbortController();
      await expect(sampleAll({ ...options(), field, signal: stop.signal, between: async () => void (++blocks === 5 && stop.abort()) })).rejects.toMatchObject({ code: 'aborted' });
    });
    await expectNoLeak(async () => (await sampleAll({ ...options(), field })).dispose());
  });
});

describe('the draft', () => {
  const one = (marked: boolean, step: number) => tinyWords(1, marked, step);
  it.each([['learned', 0], ['learned', 0.5], ['learned', 2], ['learning', 1]] as const)('of a %s concept at balance %s is x − σ·v of the field itself', async (state, balance) => {
    const concept = state === 'learned' ? learned : learning;
    const single: FieldWords = { complete: one(true, 11), base: one(false, 12), target: one(true, 13), class: one(false, 14), null: one(false, 15), negative: one(false, 16) };
    await expectNoLeak(async () => {
      const probe = await makeProbe({ base, words: single, concept, seed: 3, guidance: 3, revision: 1, steps: 8 });
      expect(probe.sigma).toBe(0.75);
      const start = tf.tensor4d(probe.xSigma, [1, 4, 4, 4]);
      const field = await balancedField(base, single, concept, balance).evaluate(start, probe.sigma, 3);
      const expected = tf.tidy(() => tf.sub<Tensor4D>(start, tf.mul(field, probe.sigma)));
      const found = draft(probe, balance);
      expect(tf.tidy(() => furthest(found, expected))).toBeLessThan(ROUNDING * 10);
      // An identity map shows the first three channels of the latent, cut to the range of pixels.
      const colours = draftColours(probe, [balance], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]);
      const latent = found.dataSync();
      colours.forEach((value, i) => expect(value).toBeCloseTo(Math.min(1, Math.max(-1, latent[Math.floor(i / 3) * 4 + (i % 3)]!)), 4));
      tf.dispose([start, field, expected, found]);
    });
    disposeFieldWords(single);
  });
});
