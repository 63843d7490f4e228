import { describe, expect, it } from 'vitest';
import { difference, pieces, suggestions, unknownWords } from './words';

describe('words', () => {
  it('cuts a text into pieces without loss', () => {
    const text = 'a [V] dog, one-eyed [ and “quoted” ';
    expect(pieces(text).map((piece) => piece.text).join('')).toBe(text);
    expect(pieces(text).filter((piece) => piece.kind === 'mark').map((piece) => piece.text)).toEqual(['[V]']);
  });

  it('names unknown words once, and none where the vocabulary is open', () => {
    expect(unknownWords('a Unicorn and a unicorn [V]', new Set(['a', 'and']))).toEqual(['unicorn']);
    expect(unknownWords('anything at all', new Set())).toEqual([]);
  });

  it('finds what only one caption says', () => {
    const complete = 'a [V] dog on a beach';
    expect([...difference(complete, 'a dog on a beach')].map((start) => complete.slice(start, start + 3))).toEqual(['[V]']);
    expect(difference('a dog', 'a [V] dog').size).toBe(0);
    expect(difference('a red dog', 'a blue dog')).toEqual(new Set([2]));
  });

  it('suggests words at the caret and the mark after a bracket', () => {
    expect(suggestions('a do in the snow', 4, ['dog', 'door', 'cat'])).toEqual({ from: 2, to: 4, words: ['dog', 'door'] });
    expect(suggestions('a [', 3, ['dog']).words).toEqual(['[V]']);
    expect(suggestions('a ', 2, ['a', 'dog']).words).toEqual([]);
  });
});
