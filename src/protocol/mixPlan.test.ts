import { describe, expect, test } from 'vitest';
import { newGuidance, newObjectSource, plainComposition, type Mix, type MixGuidance } from './mix';
import { calledNames, evaluationsOf, mergedPrompt, nameInPrompt, planMix, type MixConcept, type MixTerm } from './mixPlan';

const dog: MixConcept = { conceptId: 'D', name: 'Guide dog', kind: 'instance', classWord: 'dog' };
const cake: MixConcept = { conceptId: 'C', name: 'Birthday cake', kind: 'instance', classWord: 'cake' };
const style: MixConcept = { conceptId: 'S', name: 'Duotone', kind: 'style', classWord: '' };
const world: MixConcept = { conceptId: 'W', name: 'Faces', kind: 'world', classWord: '' };
const concepts = new Map([dog, cake, style, world].map((concept) => [concept.conceptId, concept]));
const guidance = (id: string, source: MixGuidance['source'], change: Partial<MixGuidance> = {}): MixGuidance => ({ ...newGuidance(id, source), ...change });
const of = (conceptId: string, words: string | null = null) => guidance(conceptId, { kind: 'concept', conceptId, words });
const text = guidance('text', { kind: 'text', words: null });
const mix = (prompt: string, guidances: MixGuidance[]): Mix => ({ version: 1, prompt, names: { 'guide-dog': 'D', 'birthday-cake': 'C', duotone: 'S' }, seed: 1, steps: 20, guidance: 3, guidances, composition: plainComposition, start: null });
const ends = (prompt: string, guidances: MixGuidance[]) => planMix(mix(prompt, guidances), concepts).terms.map(({ positive, negative }) => [positive.words, negative.words]);

test('a name is written small, with dashes, and found in a prompt', () => {
  expect(nameInPrompt(' Guide Dog, 2! ')).toBe('guide-dog-2');
  expect(calledNames('a [guide-dog] dog, [duotone], [V] and a [guide-dog]')).toEqual(['guide-dog', 'duotone']);
});

describe('what guidances evaluate', () => {
  const prompt = 'a [guide-dog] dog and a [birthday-cake] cake in the snow, in [duotone] style';
  test('text reads the prompt without its concepts; each concept reads itself alone, against the same words without it', () => {
    const plain = 'a dog and a cake in the snow';
    expect(ends(prompt, [text, of('D'), of('C'), of('S')])).toEqual([
      [plain, ''], ['a [V] dog and a cake in the snow', plain], ['a dog and a [V] cake in the snow', plain], ['a dog and a cake in the snow, in [V] style', plain],
    ]);
  });
  test('so one evaluation more for each concept, and two for text and nothing', () => expect(evaluationsOf(mix(prompt, [text, of('D'), of('C'), of('S')]), concepts)).toBe(5));
  test('what does not act costs nothing', () => expect(evaluationsOf(mix(prompt, [text, { ...of('D'), muted: true }, { ...of('C'), weight: 0 }]), concepts)).toBe(2));
  test('a concept that the prompt does not call stands before its class word, a style at the end', () => {
    expect(ends('a dog in a doghouse', [of('D'), of('S')])).toEqual([['a [V] dog in a doghouse', 'a dog in a doghouse'], ['a dog in a doghouse, [V]', 'a dog in a doghouse']]);
  });
  test('one of which the prompt says nothing pulls by itself', () => expect(ends('a beach', [of('C')])).toEqual([['a [V] cake', 'a cake']]));
  test('a guidance may have words of its own', () => expect(ends('a beach', [of('D', 'a [V] dog at night'), guidance('t', { kind: 'text', words: 'rain' }, { against: 'sun' })])).toEqual([['a [V] dog at night', 'a dog at night'], ['rain', 'sun']]));
  test('words of its own without [V] are read without it', () => expect(ends('a beach', [of('D', 'a dog at night')])).toEqual([['a dog at night', 'a dog at night']]));
  test('one that stands alone in its mask has its own words on a view moved there, in place of what the prompt draws', () => {
    const left = guidance('D', { kind: 'concept', conceptId: 'D', words: 'a [V] dog at night' }, { alone: true, mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 } });
    const [{ positive, negative }] = planMix(mix('a [guide-dog] dog and a cake', [left]), concepts).terms as [MixTerm];
    expect(positive).toEqual({ words: 'a [V] dog at night', conceptId: 'D', middle: { across: 0.25, down: 0.5 } });
    expect(negative).toEqual({ words: 'a dog and a cake', conceptId: null });
  });
  test('an object is seen with the prompt without its concepts, against the same words without it: one evaluation more', () => {
    const source = newObjectSource('card');
    const [{ positive, negative }] = planMix(mix(prompt, [guidance('o', source)]), concepts).terms as [MixTerm];
    const plain = { words: 'a dog and a cake in the snow', conceptId: null };
    expect([positive, negative]).toEqual([{ ...plain, object: source.object }, plain]);
    expect(evaluationsOf(mix(prompt, [text, guidance('o', source)]), concepts)).toBe(3);
    expect(evaluationsOf(mix(prompt, [text, guidance('o', source), guidance('p', newObjectSource('other'))]), concepts)).toBe(4);
    expect(evaluationsOf(mix(prompt, [text, guidance('o', { ...source, object: { ...source.object, strength: 0 } })]), concepts)).toBe(2);
    expect(ends('a beach', [guidance('o', { ...source, words: 'a cat' })])).toEqual([['a cat', 'a cat']]);
    const left = guidance('o', { ...source, words: 'a cat' }, { alone: true, mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 } });
    expect(planMix(mix('a beach', [left]), concepts).terms[0]).toMatchObject({ positive: { words: 'a cat', object: source.object, middle: { across: 0.25, down: 0.5 } }, negative: { words: 'a beach' } });
  });
  test('one that was learned without captions is evaluated on nothing', () => expect(ends('a beach', [of('W')])).toEqual([['', '']]));
  test('a name that is no concept, and a concept that is not there, are faults that say so', () => {
    expect(() => ends('a [cat] cat', [text])).toThrow(/\[cat\]/);
    expect(() => ends('a beach', [of('gone')])).toThrow(/not on the Shelf/);
  });
});

test('merged LoRAs are prompted all at once', () => {
  expect(mergedPrompt(mix('a [guide-dog] dog and a cake', [text, of('D'), of('C'), of('S')]), concepts)).toEqual({ prompt: 'a [c0] dog and a [c1] cake, [c2]', names: { c0: 'D', c1: 'C', c2: 'S' } });
  expect(mergedPrompt(mix('a [guide-dog] dog and a cake', [text, { ...of('D'), muted: true }, of('C')]), concepts)).toEqual({ prompt: 'a dog and a [c0] cake', names: { c0: 'C' } });
  expect(mergedPrompt(mix('a cat', [text, of('D', 'a cat')]), concepts)).toEqual({ prompt: 'a cat', names: { c0: 'D' } });
});
