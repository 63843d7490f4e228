/**
 * Whom or what a drawn picture shows, as a vector with the way back to the pixels: the part of the picture that counts, resized as the
 * network's training data were, then the network. Where that part lies is a constant: gradient flows through its pixels alone.
 */
import * as tf from '../../engine/tf';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import { vjp } from '../../engine/vjp';
import { imageVjp, type ClipVision } from '../../models/clip';
import { identityVjp, type IdentityEncoder } from '../../models/identityEncoder';
import type { ChainVjp } from '../../models/layersVjp';
import { drainAsync, type Between } from '../../models/steps';
import type { Square } from '../../protocol/objects';

const WHOLE: Square = { left: 0, top: 0, side: 1 };

export interface Seen {
  /** [B,w] of length 1; the caller's. */
  vectors: Tensor2D;
  /** Gradient in the pixels; once. The caller disposes it. */
  pullback(dVectors: Tensor2D): Promise<Tensor4D>;
  /** Frees what pullback would have needed; harmless after it. */
  dispose(): void;
}
/** Pixels [B,H,W,3] in −1…1; they stay the caller's. */
export type Look = (pixels: Tensor4D, between: Between) => Promise<Seen>;

/** [size,length]: which of `length` pixels each of `size` is the mean of, from `from` on over `extent` of them; a triangle that widens where it shrinks, as PIL's bilinear resize. */
function resizeWeights(length: number, size: number, from: number, extent: number): Float32Array {
  const out = new Float32Array(size * length);
  const scale = extent / size;
  const support = Math.max(1, scale);
  for (let i = 0; i < size; i++) {
    const centre = from + (i + 0.5) * scale;
    const [first, last] = [Math.max(0, Math.trunc(centre - support + 0.5)), Math.min(length, Math.trunc(centre + support + 0.5))];
    let sum = 0;
    for (let j = first; j < last; j++) sum += out[i * length + j] = Math.max(0, 1 - Math.abs((j + 0.5 - centre) / support));
    if (sum > 0) for (let j = first; j < last; j++) out[i * length + j]! /= sum;
  }
  return out;
}

/** Each picture's square, [B,size,size,3]; linear in the pixels. What lies beyond the picture is cut off. */
export function cropped(pixels: Tensor4D, squares: readonly Square[], size: number): Tensor4D {
  const [b, height, width, channels] = pixels.shape;
  const weights = (length: number, of: (square: Square) => number) => {
    const all = squares.map((square) => {
      const [from, to] = [Math.max(0, of(square) * length), Math.min(length, (of(square) + square.side) * length)];
      return tf.tensor2d(resizeWeights(length, size, from, to - from), [size, length]);
    });
    return tf.stack(all) as Tensor3D; // [B,size,length]
  };
  const rows = tf.matMul(weights(height, ({ top }) => top), tf.reshape(pixels, [b, height, width * channels]) as Tensor3D); // [B,size,W·C]
  const turned = tf.reshape(tf.transpose(tf.reshape(rows, [b, size, width, channels]), [0, 2, 1, 3]), [b, width, size * channels]) as Tensor3D;
  const both = tf.matMul(weights(width, ({ left }) => left), turned); // [B,size,size·C], columns first
  return tf.transpose(tf.reshape(both, [b, size, size, channels]), [0, 2, 1, 3]) as Tensor4D;
}

/** `squaresOf` says of each picture which square counts. */
function looking(size: number, network: (pixels: Tensor4D, between: Between) => Promise<ChainVjp<Tensor4D, Tensor2D>>, squaresOf: (pixels: Tensor4D) => Promise<readonly Square[]>): Look {
  return async (pixels, between) => {
    const squares = await squaresOf(pixels);
    const crop = vjp((x: Tensor) => [cropped(x as Tensor4D, squares, size)], [pixels]);
    const [seen] = crop.outputs as [Tensor4D];
    try {
      const { output, backward, dispose } = await network(seen, between);
      return {
        vectors: output,
        async pullback(dVectors) {
          try {
            const dSeen = await drainAsync(backward(dVectors), between);
            const [dPixels] = crop.pullback([dSeen]);
            dSeen.dispose();
            return dPixels as Tensor4D;
          } finally {
            crop.dispose();
          }
        },
        dispose() {
          dispose();
          crop.dispose();
        },
      };
    } catch (error) {
      crop.dispose();
      throw error;
    } finally {
      seen.dispose();
    }
  };
}

const wholeOf = async (pixels: Tensor4D): Promise<Square[]> => Array.from({ length: pixels.shape[0] }, () => WHOLE);

/** Who it is, by an identity encoder. */
export const identityLook = (model: IdentityEncoder, squaresOf: (pixels: Tensor4D) => Promise<readonly Square[]>): Look =>
  looking(model.imageSize, (pixels, between) => identityVjp(model, pixels, between), squaresOf);

/** What it is, by a base's image tower: for characters and things, of which there is no identity encoder. */
export const towerLook = (model: ClipVision, squaresOf: (pixels: Tensor4D) => Promise<readonly Square[]> = wholeOf): Look =>
  looking(model.imageSize, (pixels, between) => imageVjp(model, pixels, between), squaresOf);
