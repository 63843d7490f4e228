/**
 * diffusers' AutoencoderKL in NHWC: residual blocks with group norms, one attention in the middle. Pictures go one by one; of large
 * ones what is finer than the latent goes in tiles.
 */
import { add, clipByValue, concat, div, mul, slice, sub, tidy, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { drainAsync, type Between } from '../steps';
import type { WeightSource } from '../weightSource';
import type { Autoencoder } from './autoencoder';
import { layerSteps } from './klLayers';
import { disposeKlWeights, loadKlWeights, type KlWeights } from './klWeights';
import { runTiled } from './tiles';

/** Latent sides up to this go whole, at once: 512 pixels with SD3's. */
const WHOLE = 64;
/** Latent side of the tiles of larger ones. With what they need to see, SD3's largest activation is then 230 MB. */
const TILE = 48;

export interface KlOptions {
  /** Latent sides up to this go whole, larger ones in tiles of at most this side. */
  tile?: number;
}

const pass: Between = async () => {};

/** Each picture of the batch by itself, then one behind the other; x stays the caller's. */
async function oneByOne(x: Tensor4D, each: (one: Tensor4D) => Promise<Tensor4D>): Promise<Tensor4D> {
  const [batch, ...shape] = x.shape;
  const made: Tensor4D[] = [];
  try {
    for (let i = 0; i < batch; i++) {
      const one = tidy(() => slice(x, [i, 0, 0, 0], [1, ...shape]));
      made.push(await each(one).finally(() => one.dispose()));
    }
    return tidy(() => concat(made) as Tensor4D);
  } finally {
    made.forEach((one) => one.dispose());
  }
}

const tileFor = (height: number, width: number, { tile }: KlOptions): number => tile ?? (Math.max(height, width) <= WHOLE ? WHOLE : TILE);

/** pixels [B,H,W,3] in −1…1 → mean and log variance [B,H/downscale,W/downscale,2·C], as the encoder gives them: neither shifted nor scaled. */
export async function klMoments({ encoder, downscale }: KlWeights, pixels: Tensor4D, options: KlOptions = {}, between = pass): Promise<Tensor4D> {
  invariant(encoder, 'this autoencoder was loaded without its encoder');
  const [height, width] = [pixels.shape[1] / downscale, pixels.shape[2] / downscale];
  invariant(Number.isInteger(height) && Number.isInteger(width), `the autoencoder takes sides in multiples of ${downscale} pixels`);
  const fine = 1 + encoder.findLastIndex(({ kind }) => kind === 'halved');
  return oneByOne(pixels, async (x) => {
    const coarse = await runTiled({ layers: encoder.slice(0, fine), x, height, width, size: tileFor(height, width, options), between });
    return drainAsync(layerSteps(encoder.slice(fine), coarse), between);
  });
}

/** latent [B,h,w,C] → pixels [B,h·downscale,w·downscale,3], as the decoder gives them: not clamped. */
export async function klPixels({ decoder, scalingFactor, shiftFactor }: KlWeights, latent: Tensor4D, options: KlOptions = {}, between = pass): Promise<Tensor4D> {
  invariant(decoder, 'this autoencoder was loaded without its decoder');
  const [, height, width] = latent.shape;
  const first = decoder.findIndex(({ kind }) => kind === 'doubled');
  const coarse = first < 0 ? decoder.length : first;
  return oneByOne(latent, async (one) => {
    const z = tidy(() => add(div(one, scalingFactor), shiftFactor) as Tensor4D);
    const x = await drainAsync(layerSteps(decoder.slice(0, coarse), z), between);
    return runTiled({ layers: decoder.slice(coarse), x, height, width, size: tileFor(height, width, options), between }).finally(() => x.dispose());
  });
}

/** The latent of the moments' mean: what a picture is trained and measured with. The moments stay the caller's. */
export const meanLatent = ({ latentChannels, scalingFactor, shiftFactor }: KlWeights, moments: Tensor4D): Tensor4D =>
  tidy(() => mul(sub(slice(moments, 0, [-1, -1, -1, latentChannels]), shiftFactor), scalingFactor) as Tensor4D);

/** config: diffusers'; SD3's values where there is none. Throws Faults `base-mismatch`, `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadKlAutoencoder(source: WeightSource, config: unknown, options: KlOptions = {}): Promise<Autoencoder> {
  const weights = await loadKlWeights(source, config);
  return {
    latentChannels: weights.latentChannels,
    downscale: weights.downscale,
    async encode(pixels, between) {
      const moments = await klMoments(weights, pixels, options, between);
      const latent = meanLatent(weights, moments);
      moments.dispose();
      return latent;
    },
    async decode(latent, between) {
      const pixels = await klPixels(weights, latent, options, between);
      const clamped = tidy(() => clipByValue(pixels, -1, 1));
      pixels.dispose();
      return clamped;
    },
    dispose: () => disposeKlWeights(weights),
  };
}
