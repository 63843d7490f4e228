import { expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Adapter } from '../../models/mmdit';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { tinyBase, tinyWords } from '../../testing/tiny';
import { newGuidance, plainComposition, type Mix } from '../../protocol/mix';
import { tinyStored } from '../../testing/session/tinyFiles';
import { disposeBase, flowing, loadBase } from '../base';
import { evaluate, type Evaluation } from '../evaluate';
import { disposePrompts, encodePrompts } from '../prompts';
import { maskTensor, mixedField } from './mixField';
import { disposeAdapter } from '../lora';
import { canDrawQuickly, QUICK_STEPS, quickField } from './quickField';
import { sampleAll } from './sample';
import { disposeFieldWords, type FieldWords } from './velocityFields';

const asked = { negative: '', guidance: 3, skipLayers: false };
const SITE = 'transformer_blocks.1.attn.to_q';
const pair = (seed: number): Adapter => ({ [SITE]: { a: tf.randomNormal([16, 2], 0, 0.5, 'float32', seed), b: tf.randomNormal([2, 16], 0, 0.5, 'float32', seed + 1), scale: 1 } });

it('goes from the student’s own words towards the whole, in one evaluation at strength 1 and at 0', async () => {
  await useBackend('wasm');
  const base = await tinyBase();
  const words: FieldWords = { complete: tinyWords(2, true, 11), base: tinyWords(2, false, 12), target: tinyWords(2, true, 13), class: tinyWords(2, false, 14), null: tinyWords(2, false, 15), negative: tinyWords(2, false, 16) };
  const [student, concept] = [pair(31), pair(41)];
  const x = tf.randomNormal<tf.Rank.R4>([2, 4, 4, 4], 0, 1, 'float32', 5);
  const whole: Evaluation = { words: words.complete, adapter: concept, rows: null };
  const both = [{ adapter: concept, weight: 1 }, { adapter: student, weight: 1 }];
  await expectNoLeak(async () => {
    const [alone, with_, without] = await evaluate(base, x, [0.5, 0.5], [{ words: words.base, adapter: student, rows: null }, { words: words.complete, adapter: both, rows: null }, { words: words.base, adapter: null, rows: null }], async () => {});
    const at = async (strength: number, of: Evaluation | null = whole) => {
      const v = await quickField(base, words, of, strength, student).evaluate(x, 0.5, 1);
      return [...v.dataSync(), void v.dispose()].slice(0, -1) as number[];
    };
    const [own, other] = [[...alone!.dataSync()], [...with_!.dataSync()]];
    expect(await at(1)).toEqual(other);
    expect(await at(0)).toEqual(own);
    expect(await at(1, null)).toEqual(own);
    (await at(0.25)).forEach((value, i) => expect(value).toBeCloseTo(own[i]! + 0.25 * (other[i]! - own[i]!), 5));
    // a student that does nothing would pass all of this
    expect(own).not.toEqual([...without!.dataSync()]);
    tf.dispose([alone!, with_!, without!]);
  });
  // four steps, and no second evaluation beside them
  let evaluations = 0;
  const counted = { ...quickField(base, words, whole, 1, student) };
  const { evaluate: once } = counted;
  counted.evaluate = (...of) => { evaluations++; return once(...of); };
  (await sampleAll({ base, field: counted, seeds: [1, 2], steps: QUICK_STEPS, guidance: 1 })).dispose();
  expect(evaluations).toBe(4);
  disposeAdapter(student);
  disposeAdapter(concept);
  disposeFieldWords(words);
  x.dispose();
});

it('draws a mix as its prompt and the differences beside it, masked and weighted', async () => {
  await useBackend('wasm');
  const base = await loadBase('tiny', await tinyStored('tiny', { faces: true }));
  const text = newGuidance('g', { kind: 'text', words: null });
  const apart = { ...newGuidance('h', { kind: 'text', words: 'a cat' }), against: 'a dog', weight: 0.6, mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 } } as const;
  const mix = { version: 1, prompt: 'a dog on a beach', names: {}, seed: 1, steps: 8, guidance: 3, guidances: [text, apart], composition: plainComposition, start: null } as const;
  const held = await mixedField(base, mix as unknown as Mix, new Map());
  const words = await Promise.all(['a dog on a beach', 'a cat', 'a dog'].map((each) => encodePrompts(base, [each], '')));
  await base.parts.student!.use((student) => flowing(base, async (flow) => {
    const [height, width, channels] = flow.latentShape();
    const x = tf.randomNormal<tf.Rank.R4>([1, height, width, channels], 0, 1, 'float32', 5);
    const found = await held.quick!(flow, student).evaluate(x, 0.75, 1);
    const [prompt, cat, dog] = await evaluate(flow, x, [0.75], words.map((each) => ({ words: each, adapter: student, rows: null })), async () => {});
    const mask = maskTensor(apart.mask, height, width)!;
    const wanted = tf.add(prompt!, tf.mul(tf.mul(mask, 0.6), tf.sub(cat!, dog!)));
    const values = wanted.dataSync();
    found.dataSync().forEach((value, i) => expect(value).toBeCloseTo(values[i]!, 4));
    expect(tf.max(tf.abs(tf.sub(wanted, prompt!))).dataSync()[0]).toBeGreaterThan(1e-3);
    tf.dispose([x, found, prompt!, cat!, dog!, mask, wanted]);
    // a scene of its own is walked by the student, too, and stands in its mask
    const scene = { ...apart, weight: 1, alone: true };
    const scenes = await mixedField(base, { ...mix, guidances: [text, scene] } as unknown as Mix, new Map());
    const field = scenes.quick!(flow, student);
    expect(field.scenes).toBe(1);
    const twice = tf.randomNormal<tf.Rank.R4>([2, height, width, channels], 0, 1, 'float32', 5);
    const both = await field.evaluate(twice, 0.75, 1);
    const points = tf.split<tf.Tensor4D>(twice, 2, 0);
    const [around] = await evaluate(flow, points[0]!, [0.75], [{ words: words[0]!, adapter: student, rows: null }], async () => {});
    const [own] = await evaluate(flow, points[1]!, [0.75], [{ words: words[1]!, adapter: student, rows: null }], async () => {});
    const inside = maskTensor(scene.mask, height, width)!;
    const expected = tf.concat4d([tf.add<tf.Tensor4D>(around!, tf.mul(inside, tf.sub(tf.add(own!, tf.div(tf.sub(points[0]!, points[1]!), 0.75)), around!))), own!], 0);
    expect(tf.max(tf.abs(tf.sub(both, expected))).dataSync()[0]).toBeLessThan(1e-4);
    scenes.dispose();
    tf.dispose([twice, both, ...points, around!, own!, inside, expected]);
  }));
  words.forEach(disposePrompts);
  held.dispose();
  disposeBase(base);
});

it('is for what the student has learned alone', () => {
  expect(canDrawQuickly(asked)).toBe(true);
  for (const other of [{ negative: 'mud' }, { guidance: 2.5 }, { skipLayers: true }]) expect(canDrawQuickly({ ...asked, ...other })).toBe(false);
});
