/**
 * What a picture may be of, among the nouns a base knows: the nearest of their text embeddings to the picture's, both of the base's own
 * CLIP. The whole picture tells more than the object alone, as that is what the tower was trained on: of 25 pictures that the embedded base
 * drew, 14 have their noun first and 20 among the first three; with the object cut out, 3 and 6. What the base never saw is told by its colours.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D } from '../../engine/tf';
import type { Between } from '../../models/steps';
import type { Base } from '../base';
import { cosines } from '../measuring/nearness';
import { textTokens } from '../textTower';
import { NOUNS } from './nouns';

type GuessBase = Pick<Base, 'parts' | 'tokenizer' | 't5Tokenizer'>;

/** Words at once: as many as a batch of the text tower should hold. */
const BATCH = 32;

interface Known { nouns: string[]; width: number; embeddings: Float32Array }
const known = new WeakMap<GuessBase['parts'], Known>();

async function knownNouns(base: GuessBase, between: Between): Promise<Known> {
  const kept = known.get(base.parts);
  if (kept) return kept;
  const nouns = NOUNS.filter((noun) => base.tokenizer.known(noun));
  const parts: Float32Array[] = [];
  let width = 0;
  await base.parts.text.use(async (tower) => {
    for (let from = 0; from < nouns.length; from += BATCH) {
      const { context, pooled } = await tower.encode(textTokens(base, nouns.slice(from, from + BATCH).map((noun) => `a big ${noun}`)), between);
      width = pooled.shape[1];
      const normed = tf.tidy(() => tf.div<Tensor2D>(pooled, tf.norm(pooled, 2, 1, true)));
      parts.push(new Float32Array(await normed.data<'float32'>()));
      tf.dispose([context, pooled, normed]);
      // who could not wait was faster
      if (known.has(base.parts)) return;
    }
  });
  const faster = known.get(base.parts);
  if (faster) return faster;
  const embeddings = new Float32Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    embeddings.set(part, at);
    at += part.length;
  }
  const found = { nouns, width, embeddings };
  known.set(base.parts, found);
  return found;
}

/** Encodes the nouns, so that the first guess need not wait for it. */
export async function prepareNouns(base: GuessBase, between?: Between): Promise<void> {
  await knownNouns(base, between ?? (async () => {}));
}

/** The likeliest first, `count` of them; none where words and pictures can't be compared. `seen` [1,p]: the image tower's embedding of the picture. */
export async function guessNouns(base: GuessBase, seen: Tensor2D, count: number, between: Between = async () => {}): Promise<string[]> {
  const { nouns, width, embeddings } = await knownNouns(base, between);
  if (nouns.length === 0 || width !== seen.shape[1]) return [];
  const words = tf.tensor2d(embeddings, [nouns.length, width]);
  const [row] = await cosines(seen, words);
  words.dispose();
  return nouns.map((noun, i) => ({ noun, near: row![i]! })).sort((a, b) => b.near - a.near).slice(0, count).map(({ noun }) => noun);
}
