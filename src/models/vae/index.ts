/** diffusers' AutoencoderTiny in NHWC: pixels ⟷ latent, scaled and shifted. */
import type { Tensor4D } from '../../engine/tf';
import type { WeightSource } from '../weightSource';

export interface TinyAutoencoder { encoder: object | null; decoder: object | null; latentChannels: number; scalingFactor: number; shiftFactor: number }
export declare function loadTinyAutoencoder(source: WeightSource, config: unknown): Promise<TinyAutoencoder>;
export declare function encode(vae: TinyAutoencoder, pixels: Tensor4D): Tensor4D;
export declare function decode(vae: TinyAutoencoder, latent: Tensor4D): Tensor4D;
export declare function disposeTinyAutoencoder(vae: TinyAutoencoder): void;
