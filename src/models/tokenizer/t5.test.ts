import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { charactersMap } from './charactersMap';
import { makeT5Tokenizer } from './t5';
import { segment, unigram } from './unigram';

const folder = 'fixtures/t5';
interface File { normalizer: { normalizers: Record<string, unknown>[] }; model: Record<string, unknown>; pre_tokenizer: Record<string, unknown> }
const json = () => JSON.parse(readFileSync(`${folder}/tokenizer.json`, 'utf8')) as File;
const cases = JSON.parse(readFileSync(`${folder}/cases.json`, 'utf8')) as { text: string; ids: number[] }[];

describe('T5’s tokenizer', () => {
  const tokenizer = makeT5Tokenizer(json(), 128);

  it.each(cases)('makes of “$text” what the reference makes', ({ text, ids }) => {
    expect(tokenizer.encodeBare(text)).toEqual(ids);
    expect(tokenizer.count(text)).toBe(ids.length - 1);
  });

  it('cuts long prompts in front of the end marker and fills up short ones', () => {
    const short = makeT5Tokenizer(json(), 4);
    expect(short.encode('a dog')).toEqual([5, 58, 1, 0]);
    expect(short.encode('dog dog dog dog dog')).toEqual([58, 58, 58, 1]);
    expect(short.count('dog dog dog dog dog')).toBe(5);
  });

  it('reads the older form, words split at blanks before they are marked', () => {
    const older = { ...json(), pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', add_prefix_space: true }] } };
    const read = makeT5Tokenizer(older, 128);
    expect(read.encodeBare('A big red dog on a beach.')).toEqual(tokenizer.encodeBare('A big red dog on a beach.'));
    expect(read.encodeBare('dog\tdog\n dog')).toEqual([58, 58, 58, 1]);
  });

  it.each([
    ['another model', { model: { type: 'BPE', vocab: {} } }],
    ['a normalizer it does not know', { normalizer: { type: 'BertNormalizer' } }],
    ['a pattern of one’s own', { normalizer: { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: '' } }],
    ['words split otherwise', { pre_tokenizer: { type: 'ByteLevel' } }],
    ['a damaged map', { normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA////' } }],
    ['scores that are none', { model: { ...json().model, vocab: [['a', 'b']] } }],
  ])('refuses %s', (_what, change) => {
    expect(() => makeT5Tokenizer({ ...json(), ...change }, 77)).toThrow(expect.objectContaining({ code: 'base-mismatch', subject: 'tokenizer_3/tokenizer.json' }));
  });
});

describe('unigram', () => {
  const model = unigram([['?', 0], ['a', -1], ['b', -1], ['ab', -1.5], ['abc', -9], ['bc', -2]], 0);
  it('takes the pieces with the largest sum, the first of equal ones, and joins what it does not know', () => {
    expect(segment(model, 'ab')).toEqual([3]);
    expect(segment(model, 'abc')).toEqual([1, 5]); // −3, not −9
    expect(segment(model, 'a日本b')).toEqual([1, 0, 2]);
    expect(segment(model, '')).toEqual([]);
  });
});

it('the map of characters replaces clusters whole, and parts of longer ones', () => {
  const map = charactersMap(json().normalizer.normalizers[0]!['precompiled_charsmap'] as string, 'file');
  expect(map('Ａ…ﬁ cafe\u0301')).toBe('A...fi café');
  expect(map('e\u0301\u0301\u0301')).toBe('e\u0301\u0301\u0301'); // seven bytes: looked up one by one
  expect(map('日本')).toBe('日本');
});
