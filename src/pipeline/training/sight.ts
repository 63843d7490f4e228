/**
 * Leases what a trajectory needs of a base (trajectory.ts), and looks at a data set's pictures through it. The identity adapter where the
 * base has one with its encoder, and faces are then told apart by that; else the object adapter, and characters and things are told apart by
 * the image tower on the masked crop.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { encodeImageAsync } from '../../models/clip';
import type { IdentityEncoder } from '../../models/identityEncoder';
import type { AdapterKind, PictureAdapter } from '../../models/objectEncoder';
import type { Between } from '../../models/steps';
import { Fault } from '../../protocol/faults';
import type { Base } from '../base';
import { imageTokens, type PictureReference } from '../imagePrompt';
import { headsIn } from '../faces/findHeads';
import { headIn, headMask, oneOf } from '../faces/head';
import type { Square } from '../../protocol/objects';
import { headVector } from '../faces/headVector';
import { maskedCrop } from '../maskedCrop';
import type { Part } from '../parts';
import type { DatasetItem, References } from './dataset';
import { referenceOf } from './references';
import { identityLook, towerLook } from './look';
import type { Sight } from './trajectory';

export interface LeasedSight { sight: Sight; references: References; /** Gives the parts back; the references are the caller's. */ release(): void }

/** Where “a huge …” stands in the base's own world: in all of the picture. */
const HUGE = { left: 0, top: 0, side: 1 };

const NEITHER = () => new Fault('base-mismatch', 'This model has no adapter for people or things, so nobody can be aligned on it.', 'Learn it as a thing with PureCC, or use the built-in model.');

const kindOf = ({ parts }: Pick<Base, 'parts'>): AdapterKind => (parts.identity && parts.face ? 'identity' : 'object');
/** The adapter that concepts of a base see through; null where there is none. */
export const sightParts = (base: Pick<Base, 'parts'>): Part<PictureAdapter> | null => base.parts[kindOf(base)];

/** Fault `base-mismatch` where a base has nothing to see a person with. */
export function expectSight(base: Pick<Base, 'parts'>): void {
  if (!sightParts(base) || !base.parts.vision) throw NEITHER();
}

/** Of each picture, one row [1,w]: the head of a face, or the tower's view of the masked crop. */
async function vectorOf(base: Base, face: { encoder: IdentityEncoder; head: Square } | null, { pixels, mask }: PictureReference, between: Between): Promise<Tensor2D> {
  if (face) {
    return headVector(face.encoder, pixels, face.head, between);
  }
  return base.parts.vision!.use(async (tower) => {
    const size = tower.imageSize;
    const crop = tf.tensor4d(maskedCrop(pixels, mask, { size }), [1, size, size, 3]);
    return encodeImageAsync(tower, crop, between).finally(() => crop.dispose());
  });
}

/** Faults `base-mismatch` where the base has neither adapter, or a decoder without a gradient; `face-unseen`, `face-several`. */
export async function leaseSight(base: Base, items: readonly DatasetItem[], between: Between = async () => {}): Promise<LeasedSight> {
  invariant(items.length > 0, 'nobody to look at');
  const kind = kindOf(base);
  const adapters = sightParts(base);
  if (!adapters || !base.parts.vision) throw NEITHER();
  const leases: { release(): void }[] = [];
  const lease = async <T>(part: { lease(): Promise<{ part: T; release(): void }> }): Promise<T> => {
    const { part: given, release } = await part.lease();
    leases.push({ release });
    return given;
  };
  const release = () => leases.forEach((each) => each.release());
  const [tokens, vectors]: [Tensor3D[], Tensor2D[]] = [[], []];
  try {
    const [adapter, autoencoder, vision] = [await lease(adapters), await lease(base.parts.autoencoder), await lease(base.parts.vision)];
    const student = base.parts.student ? await lease(base.parts.student) : null;
    const face = kind === 'identity' ? await lease(base.parts.face!) : null;
    if (!autoencoder.decodeVjp) throw new Fault('base-mismatch', 'This model’s decoder has no gradient, so nobody can be aligned on it.', 'Use the built-in model.');
    for (const [i, item] of items.entries()) {
      const given = await referenceOf(base, item);
      // of a face the head alone is looked at, of a thing all of it
      const head = face && (item.head ?? oneOf((await headsIn(base, face.head, given.pixels, () => given.mask, between)).heads, null, `Picture ${i + 1}`));
      const vector = await vectorOf(base, face && head && { encoder: face, head }, given, between);
      vectors.push(vector);
      tokens.push(await imageTokens(base, kind, [{ ...given, ...(head && { mask: headMask(given.mask, head), identity: vector }) }], between));
    }
    const look = face ? identityLook(face, async (drawn: Tensor4D) => Array.from({ length: drawn.shape[0] }, () => headIn(HUGE, face.head))) : towerLook(vision);
    return { sight: { adapter, autoencoder, look, student }, references: { tokens: tf.tidy(() => tf.concat3d(tokens, 0)), vectors: tf.tidy(() => tf.concat2d(vectors, 0)) }, release };
  } catch (error) {
    release();
    throw error;
  } finally {
    tf.dispose([...tokens, ...vectors]);
  }
}
