/**
 * Whether a concept is seen in a picture, also beside something else. A picture is cut into overlapping squares; each square's
 * CLIP-image embedding is compared with the concept's own pictures and with what the untouched base drew for the same words:
 *   score(picture) = max over squares of [max cosine to the concept's squares − max cosine to the base's squares]
 * Of the concept's squares only those count that least resemble any of the base's: the rest is background. A picture is recognised
 * above the score that 95 % of the base's pictures stay below, pictures that were not compared with. A style is in the whole picture.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor4D } from '../../engine/tf';
import { embedPictures } from '../../pipeline/measuring/nearness';
import type { Base } from '../../pipeline/base';

/** Sides of the squares as parts of the picture, and how far apart they stand. */
const SIDES = [0.5, 0.75, 1];
const STRIDE = 0.125;
/** Squares of each of the concept's pictures that count. */
const TELLING = 3;
/** Share of the base's pictures that may be taken for the concept. */
export const FALSE_SHARE = 0.05;

/** Pixels a side of a square that was cut out; the tower resizes it to its own. */
const CUT = 128;

/** One picture's squares as embeddings, row by row. */
export interface Squares { embeddings: Float32Array[]; }

const dot = (a: Float32Array, b: Float32Array): number => { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!; return sum; };
const nearest = (square: Float32Array, others: readonly Float32Array[]): number => others.reduce((most, other) => Math.max(most, dot(square, other)), -1);

/** Where the squares lie: [left, top, side] in 0…1. */
export function squaresOf(whole: boolean): [number, number, number][] {
  return (whole ? [1] : SIDES).flatMap((side) => {
    const steps = Math.round((1 - side) / STRIDE);
    return Array.from({ length: (steps + 1) ** 2 }, (_, i): [number, number, number] => [(i % (steps + 1)) * STRIDE, Math.floor(i / (steps + 1)) * STRIDE, side]);
  });
}

/** Pixels [S·S·3] in −1…1. `whole`: the picture itself alone. */
export async function squaresIn(base: Pick<Base, 'parts'>, pixels: Float32Array, side: number, whole: boolean): Promise<Squares> {
  const boxes = squaresOf(whole);
  const cut = tf.tidy(() => tf.image.cropAndResize(tf.tensor4d(pixels, [1, side, side, 3]), boxes.map(([left, top, size]) => [top, left, top + size, left + size]), boxes.map(() => 0), [CUT, CUT])) as Tensor4D;
  const embedded: Tensor2D = await embedPictures(base, cut);
  const values = await embedded.data<'float32'>();
  const width = embedded.shape[1];
  tf.dispose([cut, embedded]);
  return { embeddings: boxes.map((_, i) => values.slice(i * width, (i + 1) * width)) };
}

export interface Recogniser { score(picture: Squares): number; threshold: number }

/** From a concept's pictures, the base's pictures of the same words to compare with, and others of them to set the threshold by. */
export function makeRecogniser(concept: readonly Squares[], against: readonly Squares[], heldOut: readonly Squares[]): Recogniser {
  const others = against.flatMap(({ embeddings }) => embeddings);
  const telling = concept.flatMap(({ embeddings }) => [...embeddings].map((embedding) => ({ embedding, common: nearest(embedding, others) })).sort((a, b) => a.common - b.common).slice(0, TELLING).map(({ embedding }) => embedding));
  const score = ({ embeddings }: Squares) => embeddings.reduce((most, square) => Math.max(most, nearest(square, telling) - nearest(square, others)), -2);
  const scores = heldOut.map(score).sort((a, b) => a - b);
  const threshold = scores.length === 0 ? 0 : scores[Math.min(scores.length - 1, Math.ceil((1 - FALSE_SHARE) * scores.length) - 1)]!;
  return { score, threshold };
}
