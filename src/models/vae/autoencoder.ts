/** What every autoencoder does: pixels −1…1 ⟷ latent, scaled and shifted. */
import type { Tensor4D } from '../../engine/tf';
import type { Between } from '../steps';

/** Inference only: no gradient is defined for training one. Both ways go layer by layer and await `between` in the gaps. */
export interface Autoencoder {
  latentChannels: number;
  /** Pixels of a side for each latent pixel. */
  downscale: number;
  /** pixels [B,H,W,3] in −1…1 → latent [B,H/downscale,W/downscale,C]. The caller disposes. */
  encode(pixels: Tensor4D, between?: Between): Promise<Tensor4D>;
  /** latent [B,h,w,C] → pixels [B,h·downscale,w·downscale,3], clamped to −1…1. The caller disposes. */
  decode(latent: Tensor4D, between?: Between): Promise<Tensor4D>;
  dispose(): void;
}
