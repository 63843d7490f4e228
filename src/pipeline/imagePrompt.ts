/**
 * From pictures and masks to the tokens that an evaluation sees (pipeline/seen.ts): masked crop → image tower → resampler. A pure
 * function of pictures, masks and weights; nothing is trained and nothing kept. Tower and adapter are in place only meanwhile.
 */
import * as tf from '../engine/tf';
import type { Tensor2D, Tensor3D, Tensor4D } from '../engine/tf';
import { imageStates, type ClipVision } from '../models/clip';
import { encodeTokens, type AdapterKind, type PictureAdapter } from '../models/objectEncoder';
import type { Between } from '../models/steps';
import { Fault } from '../protocol/faults';
import type { Base } from './base';
import { maskedCrop, type CropOptions, type PixelMask, type SquarePixels } from './maskedCrop';
import type { Part } from './parts';

export interface PictureReference {
  pixels: SquarePixels;
  mask: PixelMask;
  /** Embedding of who it is [1,E], from the identity encoder; for kind identity alone. Stays the caller's. */
  identity?: Tensor2D | null;
  augmentation?: CropOptions['augmentation'];
}

/** How each kind is shown to the tower. */
const CROPS: Record<AdapterKind, Omit<CropOptions, 'size'>> = { object: { ground: 0 }, identity: { ground: 1, grey: true } };

type AdapterBase = Pick<Base, 'parts'>;

/** The adapter and the tower of a base. Fault `base-mismatch` where it has none. */
function partsOf({ parts }: AdapterBase, kind: AdapterKind): { adapter: Part<PictureAdapter>; vision: Part<ClipVision> } {
  const adapter = parts[kind];
  if (!adapter || !parts.vision) throw new Fault('base-mismatch', kind === 'object' ? 'This model has no encoder for objects, so nothing can be drawn from a picture alone.' : 'This model has no encoder for faces, so nobody can be drawn from a picture alone.', 'Learn it with PureCC, or use the built-in model.');
  return { adapter, vision: parts.vision };
}

/** Fault `base-mismatch` where an adapter was made for another tower. */
function expectTower({ towerLayers, towerWidth }: PictureAdapter, vision: ClipVision): void {
  const [width, depth] = [vision.classToken.size, vision.layers.length];
  if (towerWidth === width && Math.max(...towerLayers) <= depth) return;
  throw new Fault('base-mismatch', `The picture adapter reads layer ${Math.max(...towerLayers)} of an image encoder of width ${towerWidth}; this base’s has ${depth} layers of width ${width}.`, 'Use the adapter that belongs to this base.');
}

/** Tokens [B,N,width] of crops [B,S,S,3]; `identity` [B,E] beside the tower's own embedding, zeros for nobody. */
async function tokensOfCrops({ adapter, vision }: ReturnType<typeof partsOf>, cropsOf: (size: number) => Tensor4D, identityOf: ((embedding: Tensor2D, width: number) => Tensor2D) | null, between: Between): Promise<Tensor3D> {
  const owned: tf.Tensor[] = [];
  const own = <T extends tf.Tensor>(tensor: T): T => (owned.push(tensor), tensor);
  try {
    return await adapter.use(async (encoder) => {
      const { hidden, embedding } = await vision.use(async (tower) => {
        expectTower(encoder, tower);
        return imageStates(tower, own(cropsOf(tower.imageSize)), encoder.towerLayers, between);
      });
      [...hidden, embedding].forEach(own);
      return encodeTokens(encoder, { hidden, identity: encoder.identityWidth === null ? null : own(identityOf!(embedding, encoder.identityWidth)) }, between);
    });
  } finally {
    tf.dispose(owned);
  }
}

/**
 * Tokens [1, n·N, width] of several pictures of one thing or person, one picture's after the other; the caller disposes. Equal pictures, masks and
 * weights give equal bits. Faults: `mask-empty`; `base-mismatch` where the base has no such adapter, or it doesn't fit.
 */
export async function imageTokens(base: AdapterBase, kind: AdapterKind, references: readonly PictureReference[], between: Between = async () => {}): Promise<Tensor3D> {
  const parts = partsOf(base, kind);
  const made: Tensor3D[] = [];
  try {
    // one by one: a picture's tokens do not depend on which others there are
    for (const { pixels, mask, identity, augmentation = null } of references) {
      const cropOf = (size: number) => tf.tensor4d(maskedCrop(pixels, mask, { ...CROPS[kind], size, augmentation }), [1, size, size, 3]);
      const who = (embedding: Tensor2D, width: number) => joined(identity ?? null, embedding, width);
      made.push(await tokensOfCrops(parts, cropOf, kind === 'identity' ? who : null, between));
    }
    return tf.tidy(() => (made.length === 1 ? tf.clone(made[0]!) : tf.concat3d(made, 1)));
  } finally {
    tf.dispose(made);
  }
}

/** Tokens [1,N,width] of nobody: the encoder on a picture of zeros and embeddings of zeros, for the negative end of an identity's guidance. The caller disposes. */
export const nobodysTokens = (base: AdapterBase, between: Between = async () => {}): Promise<Tensor3D> =>
  tokensOfCrops(partsOf(base, 'identity'), (size) => tf.zeros([1, size, size, 3]), (_, width) => tf.zeros([1, width]), between);

/** [identity, embedding of the tower]. Fault `base-mismatch` for an embedding of another encoder. */
function joined(identity: Tensor2D | null, embedding: Tensor2D, width: number): Tensor2D {
  const given = (identity?.shape[1] ?? 0) + embedding.shape[1]!;
  if (given !== width) throw new Fault('base-mismatch', `The identity adapter reads an embedding of ${width} numbers; the encoders here make ${given}.`, 'Use the adapter that belongs to this base.');
  return tf.tidy(() => tf.concat2d([identity!, embedding], 1));
}
