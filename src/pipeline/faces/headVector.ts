/** Who a head of a picture belongs to, as the identity encoder says. */
import * as tf from '../../engine/tf';
import type { Tensor2D } from '../../engine/tf';
import { identityVectors, type IdentityEncoder } from '../../models/identityEncoder';
import type { Between } from '../../models/steps';
import type { Square } from '../../protocol/objects';
import type { SquarePixels } from '../maskedCrop';
import { cropped } from '../training/look';

/** [1,w] of length 1; the caller disposes. */
export async function headVector(encoder: IdentityEncoder, { side, values }: SquarePixels, head: Square, between: Between): Promise<Tensor2D> {
  const crop = tf.tidy(() => cropped(tf.tensor4d(values, [1, side, side, 3]), [head], encoder.imageSize));
  return identityVectors(encoder, crop, between).finally(() => crop.dispose());
}
