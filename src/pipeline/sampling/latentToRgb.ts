/** The linear map latent → RGB of a base, for drafts at once: read from a file of the base's folder. */
import * as v from 'valibot';
import { readConfig } from '../../models/config';

/** Channels' weights on R, G, B; the last row is added. Fitted by src/testing/fitLatentRgb.ts. */
export type LatentToRgb = number[][];

export const LATENT_RGB = 'vae/latent_rgb.json';

/** The map of a latent of so many channels. Fault `base-mismatch`. */
export function readLatentToRgb(file: unknown, channels: number): LatentToRgb {
  const row = v.pipe(v.array(v.pipe(v.number(), v.finite())), v.length(3));
  return readConfig(file, v.object({ latentToRgb: v.pipe(v.array(row), v.length(channels + 1)) }), LATENT_RGB).latentToRgb;
}
