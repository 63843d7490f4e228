/** The null-text specialist: trained without a word (G10), and drawn as a guidance beside the untouched base (G2, G3, G7, G8). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { methods, methodOf } from '../../methods';
import { velocity, type Adapter } from '../../models/mmdit';
import { defaultRecipe, type RecipeOf } from '../../protocol/recipe';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { TINY_SIDE, tinyStored } from '../../testing/session/tinyFiles';
import { disposeBase, leaseFlow, loadBase, type Base, type EncodedPrompts, type FlowBase } from '../base';
import type { Lease } from '../parts';
import { disposeConcept, resultOf, type LearnedConcept } from '../concept';
import { buildDataset, disposeDataset, type Dataset } from '../training/dataset';
import { createTrainer } from '../training/train';
import { balancedField, baseField, conceptField, conceptGuidance, disposeFieldWords, encodeFieldWords, guidedField, untouched, type FieldWords } from './velocityFields';
import { draft, makeProbe } from './preview';

const recipe: RecipeOf<'specialist'> = { ...defaultRecipe(undefined, 'embedded', 'specialist'), steps: 6, rank: 2, learningRate: 0.05 };
const sigma = 0.6;

let base: Base;
/** Its transformer, which knows no text. */
let flow: FlowBase;
let lease: Lease<FlowBase>;
let concept: LearnedConcept;
let words: FieldWords;
let x: Tensor4D;

/** Reading any text is an error. */
const silent = (): Base => {
  const forbidden = new Proxy({}, { get: () => { throw new Error('a text was read'); } });
  return { ...base, parts: { ...base.parts, text: forbidden as Base['parts']['text'] }, tokenizer: forbidden as Base['tokenizer'] };
};
const pixels = (n: number) => Float32Array.from({ length: TINY_SIDE ** 2 * 3 }, (_, i) => Math.sin(i * (n + 1)));
const pictures = (count = 3) => Array.from({ length: count }, (_, n) => ({ pixels: async () => pixels(n) }));

async function learn(dataset: Dataset, state?: unknown) {
  const trainer = await createTrainer({ base: flow, method: methodOf(recipe), recipe, dataset, state });
  const losses: number[] = [];
  let half: unknown;
  for await (const { step, losses: { flow } } of trainer.steps()) {
    losses.push(flow!);
    if (step === 3) half = structuredClone(await trainer.exportState());
  }
  const learned = trainer.concept();
  const end = await trainer.exportState();
  trainer.dispose();
  return { losses, half, end, learned };
}

beforeAll(async () => {
  await useBackend('wasm');
  base = await loadBase('tiny', await tinyStored('tiny'));
  lease = await leaseFlow(base);
  flow = lease.part;
  const dataset = await buildDataset(silent(), pictures(), recipe);
  concept = (await learn(dataset)).learned;
  disposeDataset(dataset);
  words = await encodeFieldWords(base, ['a dog in the snow'], '', recipe);
  x = tf.randomNormal<tf.Rank.R4>([1, ...base.latentShape()], 0, 1, 'float32', 5);
});
afterAll(() => {
  disposeConcept(concept);
  disposeFieldWords(words);
  lease.release();
  disposeBase(base);
});

const v = (text: EncodedPrompts, adapter: Adapter | null = null) => velocity(flow.mmdit, { x, sigma: [sigma], context: text.context, pooled: text.pooled }, adapter, null);
const special = () => v(words.null, resultOf(concept).adapter);
const furthest = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;

describe('learning', () => {
  it('reads no text at all, and pictures one at a time', async () => {
    let open = 0, most = 0;
    const items = pictures(5).map(({ pixels: read }) => ({ pixels: async () => { most = Math.max(most, ++open); const given = await read(); open--; return given; } }));
    const dataset = await buildDataset(silent(), items, { ...recipe, flip: false });
    expect(Object.keys(dataset.words)).toEqual(['null']);
    expect({ latents: dataset.latents.shape[0], nulls: dataset.words.null!.at.length, most }).toEqual({ latents: 5, nulls: 1, most: 1 });
    disposeDataset(dataset);
  });

  it('still asks for captions where the method reads them', async () => {
    await expect(buildDataset(base, pictures(), defaultRecipe())).rejects.toMatchObject({ code: 'caption-invalid', subject: '1' });
  });

  it('resumes bit for bit and leaves nothing behind', async () => {
    const dataset = await buildDataset(silent(), pictures(), recipe);
    await expectNoLeak(async () => {
      const straight = await learn(dataset);
      const resumed = await learn(dataset, straight.half);
      expect(straight.losses).toHaveLength(6);
      expect(resumed.losses).toEqual(straight.losses.slice(3));
      expect(resumed.end).toEqual(straight.end);
      expect(Object.keys(straight.end.groups)).toEqual(['specialist']);
      disposeConcept(straight.learned);
      disposeConcept(resumed.learned);
    });
    disposeDataset(dataset);
  });

  it('takes the flow matching loss under the empty prompt', () => {
    const { branches, loss } = methods.specialist.stages.specialist.step;
    expect(branches()).toEqual([{ name: 'specialist', caption: 'null', adapter: 'specialist', rows: null, trains: true }]);
    const [velocities, target] = [tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]), tf.tensor4d([1, 0, 3, 2], [1, 2, 2, 1])];
    const { terms, gradients } = loss({ target, sigma: tf.tensor1d([0.5]), velocities: { specialist: velocities } });
    expect(terms.flow!.perSample.dataSync()[0]).toBeCloseTo((4 + 4) / 4);
    expect([...gradients.specialist!.dataSync()]).toEqual([0, 1, 0, 1]);
  });
});

describe('drawing', () => {
  it('at weight 1 without text is the specialist’s own velocity (G3)', async () => {
    expect(furthest(special(), v(words.null))).toBeGreaterThan(0.01);
    const alone = guidedField(flow, untouched(words.negative), [conceptGuidance(words, concept)]);
    expect((await alone.evaluate(x, sigma, 1)).dataSync()).toEqual(special().dataSync());
  });

  it('at balance 0 is the base, bit for bit (G7)', async () => {
    expect((await balancedField(flow, words, concept, 0).evaluate(x, sigma, 3)).dataSync()).toEqual((await baseField(flow, words).evaluate(x, sigma, 3)).dataSync());
  });

  it.each([0.5, 1, 2])('adds %s times what it changes at the empty prompt to the base’s own text guidance', async (balance) => {
    const [v0, text] = [v(words.null), tf.sub(v(words.base), v(words.null))];
    const expected = tf.add(v0, tf.mul(tf.add(text, tf.mul(tf.sub(special(), v0), balance)), 3));
    expect(furthest(await balancedField(flow, words, concept, balance).evaluate(x, sigma, 3), expected)).toBeLessThan(1e-4);
  });

  it('is the same while it is learned, as it is exported, and in drafts', async () => {
    const balanced = await balancedField(flow, words, concept, 1).evaluate(x, sigma, 3);
    const unfinished = { ...concept, learned: false, lambda: 0.4 };
    for (const field of [balancedField(flow, words, unfinished, 1), conceptField(flow, words, unfinished)]) expect((await field.evaluate(x, sigma, 3)).dataSync()).toEqual(balanced.dataSync());
    const probe = await makeProbe({ base: flow, words, concept, seed: 1, guidance: 3, revision: 1 }, { xSigma: x, sigma });
    expect(furthest(draft(probe, 1), tf.sub(x, tf.mul(balanced, sigma)))).toBeLessThan(1e-4);
  });

  it('follows what is not wanted in v0 alone', async () => {
    const unwanted = await encodeFieldWords(base, ['a dog in the snow'], 'a cat', recipe);
    const [v0, text] = [v(unwanted.negative), tf.sub(v(unwanted.base), v(unwanted.negative))];
    const expected = tf.add(v0, tf.mul(tf.add(text, tf.sub(special(), v(words.null))), 3));
    expect(furthest(await balancedField(flow, unwanted, concept, 1).evaluate(x, sigma, 3), expected)).toBeLessThan(1e-4);
    disposeFieldWords(unwanted);
  });
});
