import { describe, expect, test } from 'vitest';
import { newGuidance, newObjectSource, plainComposition, type Mix, type MixGuidance } from './mix';
import { calledNames, evaluationsOf, mergedPrompt, nameInPrompt, planMix, termInWords, withoutCard, type MixConcept, type MixTerm } from './mixPlan';

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
      [plain, ''], ['a [V] dog and a cake in the snow', plain], ['a dog and a [V] cake in the snow', plain], ['a thing and a thing in the snow, in [V] style', 'a thing and a thing in the snow'],
    ]);
  });
  test('so one evaluation more for each thing, two for a style beside things, and two for text and nothing', () => {
    expect(evaluationsOf(mix(prompt, [text, of('D'), of('C')]), concepts)).toBe(4);
    expect(evaluationsOf(mix(prompt, [text, of('D'), of('C'), of('S')]), concepts)).toBe(6);
    expect(evaluationsOf(mix('a dog in the snow, in [duotone] style', [text, of('S')]), concepts)).toBe(3);
  });
  test('to a style what others draw is a thing, called or not, a card too; what the prompt alone draws keeps its name', () => {
    const ghost = guidance('o', newObjectSource('G', { name: 'My owl', classWord: 'owl' }));
    const styleOf = (words: string, guidances: MixGuidance[]) => planMix({ ...mix(words, guidances), names: { 'guide-dog': 'D', 'my-owl': 'G' } }, concepts).terms.at(-1)!.positive.words;
    expect(styleOf('an owl and a [guide-dog] dog', [of('D'), of('S')])).toBe('an owl and a thing, [V]');
    expect(styleOf('an [my-owl] owl and a dog', [ghost, of('D'), of('S')])).toBe('a thing and a thing, [V]');
    expect(styleOf('a dog at night', [of('D', 'a [V] dog'), of('S')])).toBe('a dog at night, [V]');
    expect(styleOf('a dog at night', [{ ...of('D', 'a [V] dog'), alone: true }, of('S')])).toBe('a thing at night, [V]');
  });
  test('what does not act costs nothing', () => expect(evaluationsOf(mix(prompt, [text, { ...of('D'), muted: true }, { ...of('C'), weight: 0 }]), concepts)).toBe(2));
  test('a concept that the prompt does not call stands before its class word, a style at the end', () => {
    expect(ends('a dog in a doghouse', [of('D'), of('S')])).toEqual([['a [V] dog in a doghouse', 'a dog in a doghouse'], ['a thing in a doghouse, [V]', 'a thing in a doghouse']]);
  });
  test('one of which the prompt says nothing pulls by itself', () => expect(ends('a beach', [of('C')])).toEqual([['a [V] cake', 'a cake']]));
  test('a guidance may have words of its own', () => expect(ends('a beach', [of('D', 'a [V] dog at night'), guidance('t', { kind: 'text', words: 'rain' }, { against: 'sun' })])).toEqual([['a [V] dog at night', 'a dog at night'], ['rain', 'sun']]));
  test('words of its own without [V] are read without it', () => expect(ends('a beach', [of('D', 'a dog at night')])).toEqual([['a dog at night', 'a dog at night']]));
  test('one that stands alone in its mask has its own words in a picture of its own, in place of what the prompt draws: two evaluations each, once for equal ones', () => {
    const left = guidance('D', { kind: 'concept', conceptId: 'D', words: 'a [V] dog at night' }, { alone: true, mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 } });
    const [{ positive, negative }] = planMix(mix('a [guide-dog] dog and a cake', [left]), concepts).terms as [MixTerm];
    expect(positive).toEqual({ words: 'a [V] dog at night', conceptId: 'D' });
    expect(negative).toEqual({ words: 'a dog and a cake', conceptId: null });
    const cost = (guidances: MixGuidance[]) => evaluationsOf(mix('a [guide-dog] dog and a cake', guidances), concepts);
    const right = { ...left, id: 'R', source: { kind: 'concept', conceptId: 'C', words: 'a [V] cake' }, mask: { kind: 'box', left: 0.5, top: 0, right: 1, bottom: 1, feather: 0 } } as const;
    // two that share the picture leave nothing to the prompt, unless something else acts on it or one of them is not whole
    expect([cost([text, left, right]), cost([text, left, right, of('S')]), cost([text, left, { ...right, weight: 0.9 }]), cost([left, right])]).toEqual([4, 8, 6, 4]);
    expect(evaluationsOf({ ...mix('a [guide-dog] dog', [text, left, right]), composition: { ...plainComposition, together: true } }, concepts)).toBe(6);
    expect([cost([text, left]), cost([text, left, { ...left, id: 'E' }]), cost([text, left, { ...left, id: 'E', source: { kind: 'concept', conceptId: 'C', words: 'a [V] cake' } }])]).toEqual([4, 4, 6]);
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
    expect(planMix(mix('a beach', [left]), concepts).terms[0]).toMatchObject({ positive: { words: 'a cat', object: source.object }, negative: { words: 'a beach' } });
  });
  describe('a card', () => {
    const ghost = guidance('o', newObjectSource('G', { name: 'My ghost', classWord: 'ghost' }));
    const called = (words: string, guidances: MixGuidance[]): Mix => ({ ...mix(words, guidances), names: { 'guide-dog': 'D', 'my-ghost': 'G' } });
    const seenWith = (words: string, guidances = [ghost]) => planMix(called(words, guidances), concepts).terms.at(-1)!.positive.words;
    test('is read as its class word where its name is called, with or without the word behind it', () => {
      expect(seenWith('a [my-ghost] ghost in the snow')).toBe('a ghost in the snow');
      expect(seenWith('a [my-ghost], in the snow')).toBe('a ghost, in the snow');
      const { plain, terms } = planMix(called('a [my-ghost] and a [guide-dog] dog', [text, of('D'), ghost]), concepts);
      expect([plain, ...terms.map(({ positive }) => positive.words)]).toEqual(['a ghost and a dog', 'a ghost and a dog', 'a ghost and a [V] dog', 'a ghost and a dog']);
    });
    test('is seen with the prompt where that says its class word, else by itself; of its own words [V] is its class word', () => {
      expect(seenWith('a ghost on a beach')).toBe('a ghost on a beach');
      expect(seenWith('a ghosthouse')).toBe('a ghost');
      expect(seenWith('a beach', [{ ...ghost, source: { ...ghost.source, words: 'a small [V] at night' } }])).toBe('a small ghost at night');
      expect(seenWith('a [guide-dog] dog', [guidance('o', newObjectSource('G'))])).toBe('a dog');
    });
    test('that is called but has no guidance is a fault, so its name leaves the prompt with it', () => {
      expect(() => planMix(called('a [my-ghost] ghost', [text]), concepts)).toThrow(/\[my-ghost\]/);
      expect(withoutCard('a [my-ghost] and a [guide-dog] dog', ['my-ghost'], { classWord: 'ghost' })).toBe('a ghost and a [guide-dog] dog');
    });
    test('is no part of merged LoRAs', () => expect(mergedPrompt(called('a [my-ghost] and a [guide-dog] dog', [ghost, of('D')]), concepts)).toEqual({ prompt: 'a ghost and a [c0] dog', names: { c0: 'D' } }));
  });
  test('each is said in a sentence', () => {
    const ghost = newObjectSource('G', { name: 'My ghost', classWord: 'ghost' });
    const said = planMix(mix('a dog', [text, of('D'), guidance('o', ghost), guidance('p', { ...ghost, object: { ...ghost.object, strength: 0 } })]), concepts).terms.map(termInWords);
    expect(said).toEqual(['Towards “a dog”, away from nothing.', 'Towards “a [V] dog”, away from “a dog”.', 'Towards “a ghost” with the card seen, away from the same without it.', 'Towards “a ghost”, away from “a ghost”.']);
    expect(termInWords(planMix(mix('a dog', [of('W')]), concepts).terms[0]!)).toBe('Towards nothing, away from the same without it.');
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
