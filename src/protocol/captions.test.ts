import { describe, expect, it } from 'vitest';
import { captionProblem, changeCaptions, deriveCaptions, prefillCaptions, type Captions, type ConceptWords } from './captions';

const thing = (classWord: string): ConceptWords => ({ kind: 'instance', classWord });
const style: ConceptWords = { kind: 'style', classWord: '' };
const beach: Captions = { complete: 'a [V] dog on a beach', base: 'a dog on a beach', target: '[V] dog' };

describe('a change of the class word', () => {
  it('reaches all three captions', () => {
    expect(changeCaptions(beach, thing('dog'), { to: thing('puppy') })).toEqual({ complete: 'a [V] puppy on a beach', base: 'a puppy on a beach', target: '[V] puppy' });
  });

  it('reaches the word in captions written by hand and leaves the rest of them', () => {
    const written = { complete: 'a [V] dog in a doghouse', base: 'a doghouse, a dog and a cat', target: '[V] small dog' };
    expect(changeCaptions(written, thing('dog'), { to: thing('puppy') })).toEqual({ complete: 'a [V] puppy in a doghouse', base: 'a doghouse, a puppy and a cat', target: '[V] small puppy' });
    expect(changeCaptions({ ...beach, base: 'a hound on a beach' }, thing('dog'), { to: thing('cake') }).base).toBe('a hound on a beach');
  });

  it('is put in where there was none yet', () => {
    const early = deriveCaptions('a [V] on a beach', 'instance', '');
    expect(changeCaptions(early, thing(''), { to: thing('dog') })).toEqual(beach);
    expect(changeCaptions(deriveCaptions('a [V] dog on a beach', 'instance', ''), thing(''), { to: thing('dog') })).toEqual(beach);
  });

  it.each(['$& cat', '$$'])('takes the word as it is typed: %s', (word) => {
    const said = { complete: `a [V] ${word} on a beach`, base: `a ${word} on a beach`, target: `[V] ${word}` };
    expect(changeCaptions(beach, thing('dog'), { to: thing(word) })).toEqual(said);
    expect(changeCaptions({ ...beach, base: 'a beach with a dog' }, thing('dog'), { to: thing(word) }).base).toBe(`a beach with a ${word}`);
    expect(changeCaptions(deriveCaptions('a [V] on a beach', 'instance', ''), thing(''), { to: thing(word) })).toEqual(said);
  });
});

describe('a change of kind', () => {
  it.each(['instance', 'person'] as const)('turns captions of one into a style’s, and back (%s)', (kind) => {
    const words = { kind, classWord: 'woman' };
    const one = deriveCaptions('a [V] woman on a beach', kind, 'woman');
    const asStyle = changeCaptions(one, words, { to: style });
    expect(asStyle).toEqual({ complete: 'a woman on a beach, [V]', base: 'a woman on a beach', target: '[V]' });
    expect(changeCaptions(asStyle, style, { to: words })).toEqual(one);
  });

  it('from a thing to a person takes another word into captions written by hand', () => {
    const written = { complete: 'a [V] girl on a beach', base: 'a beach with a girl', target: '[V] girl' };
    expect(changeCaptions(written, thing('girl'), { to: { kind: 'person', classWord: 'woman' } })).toEqual({ complete: 'a [V] woman on a beach', base: 'a beach with a woman', target: '[V] woman' });
  });

  it('keeps a thing’s captions whole where its word isn’t in the picture’s', () => {
    const table = { complete: 'a wooden table, [V]', base: 'a wooden table', target: '[V]' };
    const made = changeCaptions(table, style, { to: thing('cup') });
    expect(made).toEqual({ complete: 'a [V] cup, a wooden table', base: 'a cup, a wooden table', target: '[V] cup' });
    expect(captionProblem(made)).toBeNull();
  });

  it('prefills what was prefilled', () => {
    expect(changeCaptions(prefillCaptions('instance', 'dog'), thing('dog'), { to: style })).toEqual(prefillCaptions('style', ''));
    expect(changeCaptions(prefillCaptions('style', ''), style, { to: thing('dog') })).toEqual(prefillCaptions('instance', 'dog'));
  });
});

describe('an edit', () => {
  it('of Complete takes Base and Target along unless they are written by hand', () => {
    const edit = { which: 'complete', text: 'a [V] dog at night' } as const;
    expect(changeCaptions(beach, thing('dog'), edit)).toEqual({ complete: 'a [V] dog at night', base: 'a dog at night', target: '[V] dog' });
    expect(changeCaptions({ ...beach, base: 'a hound' }, thing('dog'), edit).base).toBe('a hound');
  });

  it('of another stands alone', () => {
    expect(changeCaptions(beach, thing('dog'), { which: 'base', text: 'a hound' })).toEqual({ ...beach, base: 'a hound' });
  });
});
