/**
 * Whether a picture lies in the base's world: encoded and decoded by its autoencoder, how much is left of it.
 * The verdict is a bound on the reconstruction's PSNR (peak 2, over all channels).
 */
import * as tf from '../engine/tf';
import { decode, encode } from '../models/vae';
import type { Base } from '../pipeline/base';

/** Below this a picture counts as outside; see fit.test.ts for what lies on either side. */
export const LEAST_PSNR = 21.5;

export interface Fit { pixels: Float32Array; psnr: number; outside: boolean }

/** [S·S·3] in −1…1 → its reconstruction and the verdict. */
export async function checkFit(base: Pick<Base, 'vae' | 'imageSize'>, given: Float32Array): Promise<Fit> {
  const side = base.imageSize;
  const made = tf.tidy(() => decode(base.vae, encode(base.vae, tf.tensor4d(given, [1, side, side, 3]))));
  const pixels = new Float32Array(await made.data<'float32'>());
  made.dispose();
  let squared = 0;
  for (let i = 0; i < given.length; i++) squared += (pixels[i]! - given[i]!) ** 2;
  const psnr = 10 * Math.log10(4 / Math.max(squared / given.length, 1e-10));
  return { pixels, psnr, outside: psnr < LEAST_PSNR };
}
