/**
 * The figures of a comparison: CLIP-image cosines and pixel differences of twins. Definitions of recipe/purecc.py.
 * Embeddings are L2-normalised, so a product of two is a cosine. Pixels [n,S,S,3] in −1…1.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor4D } from '../../engine/tf';
import { encodeImageAsync } from '../../models/clip';
import type { Between } from '../../models/steps';
import { Fault } from '../../protocol/faults';
import type { Base } from '../base';

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Pictures at the side that an image tower takes, the caller's. */
export const resized = (pixels: Tensor4D, side: number): Tensor4D => (pixels.shape[1] === side && pixels.shape[2] === side ? tf.clone(pixels) : tf.image.resizeBilinear(pixels, [side, side]));

/** CLIP-image embeddings [n,p] of pictures of any size. The caller disposes. Fault `base-mismatch` where the base has no image encoder. */
export async function embedPictures({ parts }: Pick<Base, 'parts'>, pixels: Tensor4D, between: Between = async () => {}): Promise<Tensor2D> {
  if (!parts.vision) throw new Fault('base-mismatch', 'This model came without an image encoder, so likeness cannot be measured.', 'Judge by the pictures.');
  return parts.vision.use(async (vision) => {
    const seen = resized(pixels, vision.imageSize);
    try {
      return await encodeImageAsync(vision, seen, between);
    } finally {
      seen.dispose();
    }
  });
}

/** Cosines [n][m] of two sets of embeddings. */
export async function cosines(a: Tensor2D, b: Tensor2D): Promise<number[][]> {
  const product = tf.matMul(a, b, false, true);
  const values = await product.data<'float32'>();
  product.dispose();
  const [n, m] = [a.shape[0], b.shape[0]];
  return Array.from({ length: n }, (_, i) => Array.from(values.subarray(i * m, (i + 1) * m)));
}

/** Likeness of each picture to a set: the mean cosine to the set's pictures. */
export const nearnessTo = async (pictures: Tensor2D, set: Tensor2D): Promise<number[]> => (await cosines(pictures, set)).map(mean);

/** Likeness of a set's pictures among themselves; 1 for a single picture. */
export async function ownNearness(set: Tensor2D): Promise<number> {
  const others = (await cosines(set, set)).flatMap((row, i) => row.filter((_, j) => j !== i));
  return others.length ? mean(others) : 1;
}

/** Mean |difference| of each pair of twins. */
export async function drifts(custom: Tensor4D, original: Tensor4D): Promise<number[]> {
  const apart = tf.tidy(() => tf.mean(tf.abs(tf.sub(custom, original)), [1, 2, 3]));
  const values = Array.from(await apart.data<'float32'>());
  apart.dispose();
  return values;
}
