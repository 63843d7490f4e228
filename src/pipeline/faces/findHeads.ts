/**
 * Heads that a base's image tower sees in a picture. The head finder gives each patch a logit, evidence that it lies in a head; a head is the square
 * whose patches sum up highest, taking of a patch what the square covers of it. Measured on scenes with people who were never trained on: recipe/README.md.
 */
import * as tf from '../../engine/tf';
import { imageStates } from '../../models/clip';
import { headLogits } from '../../models/headFinder';
import type { Between } from '../../models/steps';
import { Fault } from '../../protocol/faults';
import type { Square } from '../../protocol/objects';
import type { Base } from '../base';
import type { PixelMask, SquarePixels } from '../maskedCrop';
import { cropped } from '../training/look';
import { everybody, type HeadPlace } from './head';

/** Squares that are tried: how far apart, and their least and greatest side, in shares of the picture. */
const STEP = 1 / 32;
const LEAST = 5, MOST = 24;
/** What the patches of a head sum up to at least, in nats. */
const LEAST_SUM = 2;
/** What a patch counts once it belongs to a head: no two lie over each other. */
const TAKEN = -8;

/** Shares of a row's patches that [from, from + length) covers. */
const coverOf = (patches: number, from: number, length: number): Float64Array =>
  Float64Array.from({ length: patches }, (_, i) => Math.max(0, Math.min((i + 1) / patches, from + length) - Math.max(i / patches, from)) * patches);

/** Heads of a picture by the logits of its patches, row by row; the surest first. */
export function headsOf(logits: ArrayLike<number>, patches: number): Square[] {
  const left = Float64Array.from(logits);
  const covers: { from: number; length: number; cover: Float64Array }[] = [];
  for (let side = LEAST; side <= MOST; side++) for (let at = 0; (at + side) * STEP <= 1; at++) covers.push({ from: at * STEP, length: side * STEP, cover: coverOf(patches, at * STEP, side * STEP) });
  const found: Square[] = [];
  for (;;) {
    let [most, best] = [LEAST_SUM, null as { x: (typeof covers)[number]; y: (typeof covers)[number] } | null];
    for (const y of covers) {
      // of each column what its rows sum up to
      const columns = new Float64Array(patches);
      y.cover.forEach((share, row) => { if (share > 0) for (let i = 0; i < patches; i++) columns[i]! += share * left[row * patches + i]!; });
      for (const x of covers) {
        if (x.length !== y.length) continue;
        const sum = x.cover.reduce((total, share, i) => total + share * columns[i]!, 0);
        if (sum > most) [most, best] = [sum, { x, y }];
      }
    }
    if (!best) return found;
    const { x, y } = best;
    found.push({ left: x.from, top: y.from, side: x.length });
    y.cover.forEach((rows, row) => x.cover.forEach((share, i) => { left[row * patches + i] = left[row * patches + i]! + rows * share * (TAKEN - left[row * patches + i]!); }));
  }
}

/** The heads in a picture, the surest first; null where the base cannot see any. Fault `base-mismatch` where finder and tower do not belong together. */
export async function findHeads({ parts }: Pick<Base, 'parts'>, { side, values }: SquarePixels, between: Between = async () => {}): Promise<Square[] | null> {
  const { heads, vision } = parts;
  if (!heads || !vision) return null;
  return heads.use((finder) => vision.use(async (tower) => {
    if (tower.classToken.size !== finder.towerWidth || Math.max(...finder.towerLayers) > tower.layers.length) throw new Fault('base-mismatch', 'This model’s head finder was made for another image encoder.', 'Reload the page while online, so that both are of one version.');
    const pixels = tf.tidy(() => cropped(tf.tensor4d(values, [1, side, side, 3]), [{ left: 0, top: 0, side: 1 }], tower.imageSize));
    const { hidden, embedding } = await imageStates(tower, pixels, finder.towerLayers, between).finally(() => pixels.dispose());
    const logits = tf.tidy(() => headLogits(finder, hidden));
    tf.dispose([...hidden, embedding]);
    const found = await logits.data<'float32'>().finally(() => logits.dispose());
    return headsOf(found, Math.sqrt(found.length));
  }));
}

/** Heads in a picture, the surest first. `sure`: not of a picture in which the base sees none, and the heads are those of what stands out by the mask alone. */
export interface Heads { heads: Square[]; sure: boolean }

/** By the tower; by the mask, which is asked for only then, where the base cannot see heads or sees none. Fault: that of findHeads. */
export async function headsIn(base: Pick<Base, 'parts'>, place: HeadPlace, pixels: SquarePixels, maskOf: () => Promise<PixelMask | null> | PixelMask | null, between?: Between): Promise<Heads> {
  const seen = await findHeads(base, pixels, between);
  if (seen && seen.length > 0) return { heads: seen, sure: true };
  const mask = await maskOf();
  return { heads: mask ? everybody(mask, place).map(({ head }) => head) : [], sure: seen === null };
}
