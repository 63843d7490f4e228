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
});

describe('a change of kind', () => {
  it('turns a thing’s captions into a style’s, and back', () => {
    const asStyle = changeCaptions(beach, thing('dog'), { to: style });
    expect(asStyle).toEqual({ complete: 'a dog on a beach, [V]', base: 'a dog on a beach', target: '[V]' });
    expect(changeCaptions(asStyle, style, { to: thing('dog') })).toEqual(beach);
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
