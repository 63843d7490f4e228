/**
 * Which picture of a thing is looked at while another of it is learned or drawn (cross-reference, arXiv 2304.02642): never the target
 * itself where there are two, so that likeness cannot come from copying. Of a single picture there is no other; it is said, and changed.
 */
import { invariant } from '../../engine/invariant';

/** How a single picture is changed before it is looked at, so that at least its place, size, side and light are not copied. */
export interface Augmentation {
  flip: boolean;
  /** Of the crop's side, around the object. */
  scale: number;
  /** Parts of the crop's side. */
  across: number;
  down: number;
  /** Factor on contrast and offset of brightness in −1…1. */
  contrast: number;
  brightness: number;
}

export interface Reference {
  /** Of the picture looked at. */
  index: number;
  /** There is only one picture: the badge “single reference”. */
  single: boolean;
  /** Set where there is only one. */
  augmentation: Augmentation | null;
}

/** So many numbers in [0,1) one draw takes. */
export const REFERENCE_CHANCES = 7;

const between = (low: number, high: number, chance: number): number => low + (high - low) * chance;

function augmentationOf([flip, scale, across, down, contrast, brightness]: readonly number[]): Augmentation {
  return { flip: flip! < 0.5, scale: between(0.8, 1.25, scale!), across: between(-0.1, 0.1, across!), down: between(-0.1, 0.1, down!), contrast: between(0.8, 1.2, contrast!), brightness: between(-0.1, 0.1, brightness!) };
}

/** Another of `count` pictures than `target`, all with the same chance. `chances`: REFERENCE_CHANCES numbers in [0,1). */
export function referenceFor(target: number, count: number, chances: readonly number[]): Reference {
  invariant(Number.isInteger(target) && target >= 0 && target < count, `picture ${target} of ${count}`);
  invariant(chances.length >= REFERENCE_CHANCES, `a reference takes ${REFERENCE_CHANCES} numbers`);
  if (count === 1) return { index: 0, single: true, augmentation: augmentationOf(chances.slice(1)) };
  const step = 1 + Math.min(count - 2, Math.floor(chances[0]! * (count - 1)));
  return { index: (target + step) % count, single: false, augmentation: null };
}
