import { beforeAll, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { TextTower } from '../../models/text';
import { useBackend } from '../../testing/backend';
import type { Base } from '../base';
import { Part } from '../parts';
import { guessNouns, prepareNouns } from './guessNoun';

const WORDS = ['dog', 'cat', 'house'];
/** Pooled vectors of one hot number each, by the word; counts the words it encodes. */
function tower(): { base: Pick<Base, 'parts' | 'tokenizer' | 't5Tokenizer'>; encoded: string[] } {
  const encoded: string[] = [];
  const text = {
    async encode({ clip }: { clip: number[][] }, between: () => Promise<void>) {
      await between();
      const found = clip.map(([id]) => id!);
      encoded.push(...found.map((id) => WORDS[id]!));
      return { context: tf.zeros([clip.length, 1, 1]), pooled: tf.tensor2d(found.map((id) => WORDS.map((_, n) => (n === id ? 2 : 0)))) };
    },
  } as unknown as TextTower;
  const tokenizer = { known: (word: string) => WORDS.includes(word), encode: (text: string) => [WORDS.indexOf(text.split(' ').at(-1)!)] };
  return { base: { parts: { text: new Part(async () => text, () => {}, true) }, tokenizer, t5Tokenizer: null } as never, encoded };
}
const seen = () => tf.tensor2d([0.1, 0.9, 0.4], [1, 3]);

beforeAll(() => useBackend('wasm'));

it('names the nouns that the picture is nearest to, and asks the text encoder once, before or when it is needed', async () => {
  const { base, encoded } = tower();
  await prepareNouns(base);
  expect([...encoded].sort()).toEqual([...WORDS].sort());
  const picture = seen();
  const before = tf.memory().numTensors;
  expect(await guessNouns(base, picture, 2)).toEqual(['cat', 'house']);
  expect(await guessNouns(base, picture, 1)).toEqual(['cat']);
  expect(encoded).toHaveLength(WORDS.length);
  expect(tf.memory().numTensors).toBe(before);
  picture.dispose();
});

it('does not wait for preparations that are held up', async () => {
  const { base, encoded } = tower();
  let go = () => {};
  const held = prepareNouns(base, () => new Promise<void>((resolve) => { go = resolve; }));
  const picture = seen();
  expect(await guessNouns(base, picture, 1)).toEqual(['cat']);
  go();
  await held;
  expect(await guessNouns(base, picture, 1)).toEqual(['cat']);
  expect(encoded).toHaveLength(2 * WORDS.length);
  picture.dispose();
});

it('guesses nothing where words and pictures are told in other numbers', async () => {
  const { base } = tower();
  const other = tf.tensor2d([1, 0], [1, 2]);
  expect(await guessNouns(base, other, 2)).toEqual([]);
  other.dispose();
});
