/**
 * Masks of an object in a picture's crop: which pixels the object encoder sees. Everything outside is painted grey before it looks, so
 * what a mask leaves out can't be copied. Painting, inverting and the checks that page and worker share; finding one is the pipeline's.
 */
import type { FaultData } from './faults';

/** Cells a side: the resolution of the brush, whatever the picture's. */
export const MASK_SIDE = 128;
/** Shares of the crop between which there is something to encode. */
export const LEAST_SHARE = 0.01;
const MOST_SHARE = 0.95;

/** side² cells of a square crop, row by row; 1 is the object. */
export interface ObjectMask { side: number; cells: Uint8Array }

export const blankMask = (side = MASK_SIDE): ObjectMask => ({ side, cells: new Uint8Array(side * side) });

export const inverted = ({ side, cells }: ObjectMask): ObjectMask => ({ side, cells: cells.map((cell) => 1 - cell) });

/** Part of the crop that is the object, 0…1. */
export const maskShare = ({ cells }: ObjectMask): number => cells.reduce((sum, cell) => sum + cell, 0) / cells.length;

export const sameMask = (a: ObjectMask, b: ObjectMask): boolean => a.side === b.side && a.cells.every((cell, i) => cell === b.cells[i]);

/** A place in the crop, 0…1 across and down. */
export interface Place { u: number; w: number }

/** The mask after the brush went from one place to another, round ends; radius as a part of the crop's side. The given mask stays. */
export function painted({ side, cells }: ObjectMask, from: Place, to: Place, radius: number, erase: boolean): ObjectMask {
  const next = cells.slice();
  const [ax, ay, bx, by] = [from.u * side, from.w * side, to.u * side, to.w * side];
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const reach = radius * side;
  const within = (low: number, high: number) => [Math.max(0, Math.floor(Math.min(low, high) - reach)), Math.min(side - 1, Math.ceil(Math.max(low, high) + reach))] as const;
  const [left, right] = within(ax, bx);
  const [top, bottom] = within(ay, by);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      if (Math.hypot(px - along * dx, py - along * dy) <= reach) next[y * side + x] = erase ? 0 : 1;
    }
  }
  return { side, cells: next };
}

/** The smallest box around the object (what is above ½) in cells, right and bottom exclusive; null for an empty mask. */
export function maskBox({ side, cells }: { side: number; cells: ArrayLike<number> }): { left: number; top: number; right: number; bottom: number } | null {
  let [left, top, right, bottom] = [side, side, 0, 0];
  for (let i = 0; i < side * side; i++) {
    if (cells[i]! <= 0.5) continue;
    const [x, y] = [i % side, Math.floor(i / side)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)];
  }
  return right === 0 ? null : { left, top, right, bottom };
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Why this mask can't be encoded, with the picture's id as subject; null where it can. */
export function maskProblem(mask: ObjectMask, pictureId: string): FaultData | null {
  const share = maskShare(mask);
  const fault = (code: FaultData['code'], message: string, remedy: string): FaultData => ({ code, message, remedy, subject: pictureId });
  if (share === 0) return fault('mask-empty', 'The mask is empty: nothing of this picture would be looked at.', 'Brush over the object, or press Again.');
  if (share < LEAST_SHARE) return fault('mask-small', `The mask covers ${percent(share)} of the picture, too little to tell what it is; ${percent(LEAST_SHARE)} is the least.`, 'Brush over the whole object, or crop the picture closer to it.');
  if (share > MOST_SHARE) return fault('mask-full', `The mask covers ${percent(share)} of the picture, so the background would be taken for the object; ${percent(MOST_SHARE)} is the most.`, 'Erase the background, or press Again.');
  return null;
}
