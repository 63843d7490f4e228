/** What the object encoder sees in a data set's pictures, each masked: tokens to fit concept rows to. */
import * as tf from '../../engine/tf';
import type { Tensor3D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { REFERENCE_CHANCES, referenceFor } from '../../methods/taming/references';
import type { PictureAdapter } from '../../models/objectEncoder';
import type { Between } from '../../models/steps';
import { MASK_SIDE } from '../../protocol/objectMasks';
import type { Base } from '../base';
import { imageTokens, type PictureReference } from '../imagePrompt';
import type { PixelMask } from '../maskedCrop';
import { findMask } from '../objects/findMask';
import { uniform } from '../random';
import type { DatasetItem } from './dataset';

export interface SeenReferences {
  adapter: PictureAdapter;
  /** [1,N,width] of each picture; of a single one, of so many changed copies of it. */
  tokens: readonly Tensor3D[];
  single: boolean;
  /** Frees the tokens and gives the adapter back. */
  release(): void;
}

/** Copies of a single picture: none of them is the target. */
const COPIES = 4;

/** As fine as others, so that a head can be cut out of it. */
const EVERYWHERE: PixelMask = { side: MASK_SIDE, cells: new Uint8Array(MASK_SIDE ** 2).fill(1) };

/** Chances of a draw that does not depend on any other. */
export const referenceChances = (seed: number, step: number, draw: number): number[] => [...uniform(REFERENCE_CHANCES * (draw + 1), { seed, purpose: 'rowFit', step }).subarray(REFERENCE_CHANCES * draw)];

/** A picture of a data set as a reference: masked as somebody said, else as what stands out, else whole. */
export async function referenceOf(base: Base, { pixels: given, mask }: DatasetItem): Promise<PictureReference> {
  const { height: side, width } = base.pictureSize();
  invariant(side === width, 'the object encoder looks at square pictures');
  const read = typeof given === 'function' ? await given() : given;
  const values = read instanceof Float32Array ? read : await read.data<'float32'>();
  return { pixels: { side, values }, mask: mask ?? findMask(values, side) ?? EVERYWHERE };
}

/** SeenReferences at all pictures. The caller releases it. Faults of imageTokens. */
export async function seeReferences(base: Base, items: readonly DatasetItem[], seed: number, between?: Between): Promise<SeenReferences> {
  invariant(base.parts.object, 'this base has no object encoder');
  const single = items.length === 1;
  const { part: adapter, release } = await base.parts.object.lease();
  const tokens: Tensor3D[] = [];
  try {
    for (const item of items) {
      const reference = await referenceOf(base, item);
      for (let copy = 0; copy < (single ? COPIES : 1); copy++) {
        const augmentation = single ? referenceFor(0, 1, referenceChances(seed, 0, copy)).augmentation : null;
        tokens.push(await imageTokens(base, 'object', [{ ...reference, augmentation }], between));
      }
    }
  } catch (error) {
    tf.dispose(tokens);
    release();
    throw error;
  }
  return { adapter, tokens, single, release: () => { tf.dispose(tokens); release(); } };
}
