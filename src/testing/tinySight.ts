/** What a trajectory needs beside the tiny transformer: a picture adapter, a decoder and an eye, all of seeded random numbers and a few layers. */
import * as tf from '../engine/tf';
import type { Tensor, Tensor2D, Tensor4D } from '../engine/tf';
import { vjp } from '../engine/vjp';
import { loadPictureAdapter } from '../models/objectEncoder';
import type { References } from '../pipeline/training/dataset';
import type { Look } from '../pipeline/training/look';
import type { Sight } from '../pipeline/training/trajectory';
import { normal } from '../pipeline/random';
import { adapterSource } from './pictureAdapter';

const random = (shape: number[], step: number, size = 1) => tf.tidy(() => tf.mul(tf.tensor(normal([shape.reduce((a, b) => a * b, 1)], { seed: 8, purpose: 'test', step }), shape), size));
const WIDTH = 6;

/** One pixel a latent pixel: tanh of a 4 × 3 matrix. */
function tinyDecoder(): Sight['autoencoder'] {
  const weights = random([4, 3], 1, 0.7) as Tensor2D;
  const draw = (x: Tensor): Tensor => tf.tanh(tf.reshape(tf.matMul(tf.reshape(x, [-1, 4]) as Tensor2D, weights), [...x.shape.slice(0, 3), 3]));
  return {
    latentChannels: 4, downscale: 1,
    encode: async () => { throw new Error('nothing is encoded here'); },
    decode: async (latent) => tf.tidy(() => draw(latent) as Tensor4D),
    async decodeVjp(latent) {
      const { outputs: [pixels], pullback, dispose } = vjp((x) => [draw(x)], [latent]);
      return { pixels: pixels as Tensor4D, dispose, pullback: async (dPixels) => pullback([dPixels])[0] as Tensor4D };
    },
    dispose: () => weights.dispose(),
  };
}

/** A linear map of all pixels, of length 1. */
function tinyLook(): Look {
  const weights = random([48, WIDTH], 2) as Tensor2D;
  return async (pixels) => {
    const { outputs: [vectors], pullback, dispose } = vjp((x) => {
      const made = tf.matMul(tf.reshape(x, [x.shape[0]!, 48]) as Tensor2D, weights);
      return [tf.div(made, tf.norm(made, 2, 1, true))];
    }, [pixels]);
    return { vectors: vectors as Tensor2D, dispose, pullback: async (dVectors) => pullback([dVectors])[0] as Tensor4D };
  };
}

export const tinySight = async (): Promise<Sight> => ({ adapter: await loadPictureAdapter(adapterSource({ kind: 'identity' })), autoencoder: tinyDecoder(), look: tinyLook(), student: null });

export const tinyReferences = (pictures = 3): References => tf.tidy(() => ({ tokens: random([pictures, 3, 8], 3), vectors: tf.div(random([pictures, WIDTH], 4), 2) }) as unknown as tf.TensorContainer) as unknown as References;
