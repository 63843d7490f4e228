/** The rule of two scales as the session draws it, on a tiny base with an adapter of random weights. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import type * as Mmdit from '../../models/mmdit';
import { velocity } from '../../models/mmdit';
import { disposePictureAdapter, loadPictureAdapter, type PictureAdapter } from '../../models/objectEncoder';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { seen as passes } from '../../testing/passes';
import { adapterSource } from '../../testing/pictureAdapter';
import { noise } from '../../testing/kernels/suite';
import { tinyBase, tinyWords } from '../../testing/tiny';
import type { FlowBase } from '../base';
import { baseField, directedField, type FieldWords } from '../sampling/velocityFields';
import { sampleAll } from '../sampling/sample';
import { seenFromStep, type SeenPicture } from '../seen';
import { objectGuidance } from './objectGuidance';

vi.mock('../../models/mmdit', async (original) => (await import('../../testing/passes')).counted(await original<typeof Mmdit>()));

let base: FlowBase;
let adapter: PictureAdapter;
let x: Tensor4D, tokens: Tensor3D;
let words: FieldWords;
const SIGMA = 0.6, TEXT = 3;

beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  adapter = await loadPictureAdapter(adapterSource());
  x = tf.tensor4d(noise(64, 5), [1, 4, 4, 4]);
  tokens = tf.tensor3d(noise(24, 1), [1, 3, 8]);
  // each role its own text, so that one taken for another shows
  const [complete, own, target, classWord, empty] = [5, 1, 6, 7, 2].map((seed) => tinyWords(1, false, seed)) as [FieldWords['base'], FieldWords['base'], FieldWords['base'], FieldWords['base'], FieldWords['base']];
  words = { complete, base: own, target, class: classWord, null: empty, negative: empty };
});
afterAll(() => disposePictureAdapter(adapter));

const field = (strength: number, change: Partial<SeenPicture> = {}) => directedField(base, words, [objectGuidance(words, { adapter, tokens, weight: 1, ...change })], strength);
const value = async (...given: Parameters<typeof field>) => (await field(...given).evaluate(x, SIGMA, TEXT)).dataSync();
const made = ({ context, pooled }: FieldWords['base'], given?: Tensor3D) => velocity(base.mmdit, { x, sigma: [SIGMA], context, pooled, ...(given && { injection: { weights: adapter.cross, tokens: given, weight: 1 } }) }, null, null).dataSync();

describe('two-scale guidance', () => {
  it.each([0.6, 1, 2])('at strength %d is v(∅,∅) + s_text·[v(c,∅) − v(∅,∅)] + s_object·[v(c,e) − v(c,∅)], each made once', async (strength) => {
    const [nothing, text, object] = [made(words.negative), made(words.base), made(words.base, tokens)];
    passes.splice(0);
    const found = await value(strength);
    // at strength 1 the words alone cancel out
    expect(passes).toEqual(strength === 1 ? [1, 1] : [2, 1]);
    found.forEach((each, i) => expect(each).toBeCloseTo(nothing[i]! + TEXT * (text[i]! - nothing[i]!) + TEXT * strength * (object[i]! - text[i]!), 4));
    expect(Math.max(...object.map((each, i) => Math.abs(each - text[i]!)))).toBeGreaterThan(1e-2);
  });

  it('is the base’s own bit for bit at strength 0, whatever the object says, at weight 0 and before its step', async () => {
    const alone = (await baseField(base, words).evaluate(x, SIGMA, TEXT)).dataSync();
    expect(await value(0, { tokens: tf.fill([1, 3, 8], NaN) })).toEqual(alone);
    expect(await value(2, { weight: 0 })).toEqual(alone);
    expect(await value(2, { from: 0.4 })).toEqual(alone);
    expect(await value(2)).not.toEqual(alone);
  });

  it('sees from its step on: the same start, another end, and never at all with the last', async () => {
    expect([0, 1, 3, 4].map((step) => seenFromStep(step, 4, 1))).toEqual([1, 0.75, 0.25, -1]);
    const drawn = async (change: Partial<SeenPicture>) => (await sampleAll({ base, field: field(2, change), seeds: [3], steps: 4, guidance: 1.5 })).dataSync();
    const [from0, from2, never, off] = [await drawn({ from: seenFromStep(0, 4, 1) }), await drawn({ from: seenFromStep(2, 4, 1) }), await drawn({ from: seenFromStep(4, 4, 1) }), await drawn({ weight: 0 })];
    expect(from0).toEqual(await drawn({}));
    expect(never).toEqual(off);
    expect(from2).not.toEqual(off);
    expect(from2).not.toEqual(from0);
    passes.splice(0);
    await drawn({ from: seenFromStep(2, 4, 1) });
    expect(passes).toEqual([2, 2, 2, 1, 2, 1]); // a pass more from the third step on
  });

  it('leaves nothing behind', async () => {
    await expectNoLeak(async () => (await field(0.6).evaluate(x, SIGMA, TEXT)).dispose());
  });
});
