import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { safetensorsFile } from '../../testing/files';
import { makeTokenizer, type Tokenizer } from './index';

interface Cases { agreed: { text: string; ids: number[] }[]; divergent: { text: string; ids_transformers_fast: number[] }[]; concept: { token: string; cases: { text: string; ids: number[] }[] } }

describe('CLIP vocabulary', () => {
  let merges: string;
  let cases: Cases;
  beforeAll(async () => {
    merges = gunzipSync(await readFile('fixtures/clip/clip_merges_48894.txt.gz')).toString('utf8');
    cases = JSON.parse(await readFile('fixtures/sd3/tokenizer.json', 'utf8')) as Cases;
  });

  it('gives the ids that three tokenizers agree on, and those of the fast one where they do not', () => {
    const { encodeBare } = makeTokenizer({ merges, maxLength: 77 });
    for (const { text, ids } of cases.agreed) expect(encodeBare(text), text).toEqual(ids);
    for (const { text, ids_transformers_fast: ids } of cases.divergent) expect(encodeBare(text), text).toEqual(ids);
  });

  it('cuts an added token out of the text, whatever its case', () => {
    const { encodeBare } = makeTokenizer({ merges, maxLength: 77, added: [cases.concept.token] });
    for (const { text, ids } of cases.concept.cases) expect(encodeBare(text), text).toEqual(ids);
  });

  it('pads with the id it is given', () => {
    expect(makeTokenizer({ merges, maxLength: 77, padId: 0 }).encode('a cat').slice(3)).toEqual([49407, ...Array<number>(73).fill(0)]);
  });
});

describe('the embedded base', () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = makeTokenizer({ merges: await readFile('public/base/tokenizer/merges.txt', 'utf8'), maxLength: 24 });
  });

  it('gives the golden ids', async () => {
    const golden = await safetensorsFile('fixtures/base/golden.safetensors');
    const prompts = JSON.parse(golden.header.metadata.prompts!) as string[];
    expect(prompts.flatMap(tokenizer.encode)).toEqual([...await golden.read('ids')]);
  });

  it('agrees with vocab.json about every id', async () => {
    const vocabulary = JSON.parse(await readFile('public/base/tokenizer/vocab.json', 'utf8')) as Record<string, number>;
    expect([tokenizer.start, tokenizer.end]).toEqual([vocabulary['<|startoftext|>'], vocabulary['<|endoftext|>']]);
    for (const word of tokenizer.words()) expect(tokenizer.encodeBare(word)).toEqual([tokenizer.start, vocabulary[`${word}</w>`], tokenizer.end]);
  });

  it('knows its words, and no tails of words', () => {
    const words = tokenizer.words();
    expect(words).toEqual(expect.arrayContaining(['a', 'dog', 'on', 'beach', 'watercolor', 'mushroom', 'room']));
    expect(words).toEqual(expect.arrayContaining(['strawberries', 'octopuses']));
    expect(words.filter((word) => /[^aeiou]ys$|uss$|mans$/.test(word))).toEqual([]);
    for (const tail of ['nd', 'eckerboard', 'ture', 's']) expect(words).not.toContain(tail);
    expect(tokenizer.known('A dog, on the 2 beaches')).toBe(false);
    expect(tokenizer.known('A dog, on the beach!')).toBe(true);
  });

  it('cuts long prompts and counts before the cut', () => {
    const long = 'dog '.repeat(30);
    expect(tokenizer.count(long)).toBe(30);
    expect(tokenizer.encode(long)).toHaveLength(24);
    expect(tokenizer.encode(long).at(-1)).toBe(tokenizer.end);
  });
});
