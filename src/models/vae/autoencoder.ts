/** What every autoencoder does: pixels −1…1 ⟷ latent, scaled and shifted. */
import type { Tensor4D } from '../../engine/tf';
import type { Between } from '../steps';

/** A picture with the way back to its latent: the weights are frozen. */
export interface DecodedVjp {
  /** The caller's. */
  pixels: Tensor4D;
  /** Gradient in the latent, from that in the pixels; once. The caller disposes it. */
  pullback(dPixels: Tensor4D): Promise<Tensor4D>;
  /** Frees what pullback would have needed; harmless after it. */
  dispose(): void;
}

/** No gradient is defined for training one. Both ways go layer by layer and await `between` in the gaps. */
export interface Autoencoder {
  latentChannels: number;
  /** Pixels of a side for each latent pixel. */
  downscale: number;
  /** pixels [B,H,W,3] in −1…1 → latent [B,H/downscale,W/downscale,C]. The caller disposes. */
  encode(pixels: Tensor4D, between?: Between): Promise<Tensor4D>;
  /** latent [B,h,w,C] → pixels [B,h·downscale,w·downscale,3], clamped to −1…1. The caller disposes. */
  decode(latent: Tensor4D, between?: Between): Promise<Tensor4D>;
  /** As `decode`, to the bit, with the gradient; absent where the kind of autoencoder has none. Where a pixel is clamped it is 0. */
  decodeVjp?(latent: Tensor4D, between?: Between): Promise<DecodedVjp>;
  dispose(): void;
}
