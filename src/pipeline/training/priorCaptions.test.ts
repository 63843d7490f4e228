import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unrelatedPrompts } from '../measuring/measure';
import { priorCaptions } from './priorCaptions';
import { sceneCaptions } from './sceneCaptions';

const SMALL = 24 * 192 * 4, LARGE = 333 * 4096 * 4;
const words = (texts: readonly string[]) => new Set(texts.flatMap((text) => text.toLowerCase().match(/[a-z]+/g) ?? []));

describe('captions of other things', () => {
  const known = new Set(Object.keys(JSON.parse(readFileSync('public/base/tokenizer/vocab.json', 'utf8')) as Record<string, number>));

  it('are in words that the embedded base has one token for, and so are the scenes of a trajectory', () => {
    for (const word of words([...priorCaptions(SMALL), ...sceneCaptions('woman')])) expect(known.has(`${word}</w>`), word).toBe(true);
  });

  it('show nothing that drift is measured on', () => {
    const said = words(priorCaptions(SMALL));
    for (const word of ['pizza', 'rocket', 'bicycle', 'apple', 'banana', 'tiger', 'tigers', 'lion', 'house', 'frog', 'frogs']) expect(said.has(word), word).toBe(false);
    for (const prompt of unrelatedPrompts) expect([...words([prompt])].some((word) => !said.has(word)), prompt).toBe(true);
  });

  it('are many where a caption is small, few where it is large, and a quarter of them empty', () => {
    const [many, few] = [priorCaptions(SMALL), priorCaptions(LARGE)];
    expect(many.length).toBeGreaterThan(120);
    expect(few.filter((text) => text)).toHaveLength(16);
    for (const captions of [many, few]) {
      expect(captions.filter((text) => !text).length / captions.length).toBeCloseTo(0.25, 1);
      expect(new Set(captions.filter((text) => text)).size).toBe(captions.filter((text) => text).length);
    }
  });
});
