/**
 * Whether a picture lies in the base's world, by two figures. One is of the picture alone: a drawing has flat places, a photograph has grain
 * everywhere. The other is what the base's autoencoder makes of it: how much of its detail is lost.
 * Grain is the lower quartile of the brightness's deviation in 4 × 4 blocks, in 8-bit levels: the twenty sample pictures have at most 0.72,
 * drawings saved as JPEG of quality 70 at most 1.07, of 80 tiles of 20 photographs the median has 2.26 and
 * 59 lie above the bound, which was chosen on these tiles.
 * Detail is the differences between neighbouring pixels; lost = Σ|∇(made − given)|² / Σ|∇given|². PSNR alone does not tell:
 * a soft photograph has a better one (26 dB) than a drawn city (22 dB). Measured on the embedded base: the twenty sample
 * pictures lose 0.31–0.68 (median 0.43), 124 scenes of the base's world on all its backgrounds up to 0.93 (underwater; the others up to 0.82),
 * textures with equal contrast in every octave, as photographs have, 0.84–0.98. Of those 124 scenes one is found outside, by its grain.
 */
import * as tf from '../engine/tf';
import type { Between } from '../models/steps';
import type { Autoencoder } from '../models/vae';

/** Above every drawing measured: what it adds to the grain is little, and a picture that the base itself could have drawn must not be warned of. */
const MOST_LOST = 0.95;
/** Above every drawing measured but one, a desert. Smooth photographs, of a rocket in the sky or a clock's face, lie below it. */
const MOST_GRAIN = 1.1;
const BLOCK = 4;
/** Nearly flat pictures have no detail to lose. */
const GOOD_PSNR = 36;

export interface Fit { pixels: Float32Array; psnr: number; lost: number; grain: number; outside: boolean }

/** Σ|∇|² of [side·side·3]. */
function detail(pixels: Float32Array, side: number): number {
  let sum = 0;
  for (let y = 0; y + 1 < side; y++) {
    for (let i = y * side * 3; i < (y * side + side - 1) * 3; i++) sum += (pixels[i + 3]! - pixels[i]!) ** 2 + (pixels[i + side * 3]! - pixels[i]!) ** 2;
  }
  return sum;
}

/** Lower quartile of the brightness's standard deviation in blocks, 0…255. */
export function grainOf(pixels: Float32Array, side: number): number {
  const deviations: number[] = [];
  for (let top = 0; top + BLOCK <= side; top += BLOCK) {
    for (let left = 0; left + BLOCK <= side; left += BLOCK) {
      let [sum, squares] = [0, 0];
      for (let place = 0; place < BLOCK * BLOCK; place++) {
        const i = ((top + Math.floor(place / BLOCK)) * side + left + (place % BLOCK)) * 3;
        const light = (0.299 * pixels[i]! + 0.587 * pixels[i + 1]! + 0.114 * pixels[i + 2]! + 1) * 127.5;
        sum += light;
        squares += light * light;
      }
      const mean = sum / BLOCK ** 2;
      deviations.push(Math.sqrt(Math.max(0, squares / BLOCK ** 2 - mean * mean)));
    }
  }
  return deviations.sort((a, b) => a - b)[Math.floor(deviations.length / 4)] ?? 0;
}

/** [S·S·3] in −1…1 → its reconstruction and the verdict. */
export async function checkFit(autoencoder: Autoencoder, given: Float32Array, side: number, between?: Between): Promise<Fit> {
  const picture = tf.tensor4d(given, [1, side, side, 3]);
  const latent = await autoencoder.encode(picture, between);
  const made = await autoencoder.decode(latent, between);
  const pixels = new Float32Array(await made.data<'float32'>());
  tf.dispose([picture, latent, made]);
  const error = pixels.map((value, i) => value - given[i]!);
  const squared = error.reduce((sum, value) => sum + value ** 2, 0);
  const psnr = 10 * Math.log10(4 / Math.max(squared / given.length, 1e-10));
  const lost = detail(error, side) / Math.max(detail(given, side), 1e-10);
  const grain = grainOf(given, side);
  return { pixels, psnr, lost, grain, outside: grain > MOST_GRAIN || (lost > MOST_LOST && psnr < GOOD_PSNR) };
}
