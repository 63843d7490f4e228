/**
 * Heads and masks. Where a base cannot see heads (findHeads.ts), the head of whoever stands out is told by the mask alone. In the base's own world
 * people stand on the lower edge of a square, as busts; where the head is in it, the identity encoder's config says. Measured on 150 drawn
 * people in all looks and styles: with their true masks the head's middle is off by 2.5 % of its side (median; 6 % in one of ten), with those
 * that findMask finds by 6 % (14 % in one of four, 32 % in one of ten), and in 4 nobody is found: those are for the brush and the crop.
 */
import { Fault } from '../../protocol/faults';
import { maskBox } from '../../protocol/objectMasks';
import type { Square } from '../../protocol/objects';
import type { PixelMask } from '../maskedCrop';

/** Left, top and side of the head in a bust's square. */
export type HeadPlace = readonly [left: number, top: number, side: number];

/** Longer side of what a bust covers, of its square's. */
const COVERED = 0.94;
/** A part of this share of the largest is somebody too. */
const ANOTHER = 0.3;

/** Connected parts of the mask, the largest first, as masks. */
export function maskParts({ side, cells }: PixelMask): PixelMask[] {
  const seen = new Uint8Array(side * side);
  const found: { size: number; cells: Uint8Array }[] = [];
  for (let start = 0; start < side * side; start++) {
    if (seen[start] || cells[start]! <= 0.5) continue;
    const part = new Uint8Array(side * side);
    const edge = [start];
    let size = 0;
    seen[start] = 1;
    for (let at = edge.pop(); at !== undefined; at = edge.pop()) {
      part[at] = 1;
      size++;
      const x = at % side;
      for (const next of [...(x > 0 ? [at - 1] : []), ...(x < side - 1 ? [at + 1] : []), at - side, at + side]) {
        if (next < 0 || next >= side * side || seen[next] || cells[next]! <= 0.5) continue;
        seen[next] = 1;
        edge.push(next);
      }
    }
    found.push({ size, cells: part });
  }
  return found.sort((a, b) => b.size - a.size).map(({ cells: part }) => ({ side, cells: part }));
}

const sizeOf = ({ cells }: PixelMask): number => Array.from(cells).filter((cell) => cell > 0.5).length;

export const headIn = ({ left, top, side }: Square, [x, y, k]: HeadPlace): Square => ({ left: left + x * side, top: top + y * side, side: k * side });

/** The head of one part, which is not empty: centred on it, its square standing on the part's lower edge. */
export function headOf(mask: PixelMask, place: HeadPlace): Square {
  const { left, top, right, bottom } = maskBox(mask)!;
  const side = Math.max(right - left, bottom - top) / mask.side / COVERED;
  return headIn({ left: (left + right) / mask.side / 2 - side / 2, top: bottom / mask.side - side, side }, place);
}

/** The bust's square around a head, as much of it as lies in the picture: where whoever it belongs to stands out most. */
export function bustAround({ left, top, side: length }: Square, [x, y, k]: HeadPlace): Square {
  const side = Math.min(1, length / k);
  const within = (from: number) => Math.max(0, Math.min(1 - side, from));
  return { left: within(left - x * side), top: within(top - y * side), side };
}

/** Lays the mask of a square part of a picture into the picture's own, nearest cell by cell. */
export function laidInto(whole: { side: number; cells: Uint8Array }, part: PixelMask, { left, top, side }: Square): void {
  for (let y = 0; y < whole.side; y++) {
    const row = Math.floor(((y + 0.5) / whole.side - top) / side * part.side);
    if (row < 0 || row >= part.side) continue;
    for (let x = 0; x < whole.side; x++) {
      const column = Math.floor(((x + 0.5) / whole.side - left) / side * part.side);
      if (column >= 0 && column < part.side && part.cells[row * part.side + column]! > 0.5) whole.cells[y * whole.side + x] = 1;
    }
  }
}

export interface Somebody { head: Square; /** What of them belongs to the head, hair and hat with it. */ mask: PixelMask }

/** Everybody who stands out, the largest first: what a picker shows. None in an empty mask. */
export function everybody(mask: PixelMask, place: HeadPlace): Somebody[] {
  const parts = maskParts(mask);
  const least = parts[0] ? ANOTHER * sizeOf(parts[0]) : 0;
  return parts.filter((part) => sizeOf(part) >= least).map((part) => {
    const head = headOf(part, place);
    return { head, mask: onlyIn(part, head) };
  });
}

/** The mask without what lies outside a square. */
export function onlyIn({ side, cells }: PixelMask, { left, top, side: length }: Square): PixelMask {
  const inside = (at: number, from: number) => at >= from && at < from + length;
  return { side, cells: Float32Array.from({ length: side * side }, (_, i) => (inside(((i % side) + 0.5) / side, left) && inside((Math.floor(i / side) + 0.5) / side, top) ? cells[i]! : 0)) };
}

/** A head fills more of its square than this; less of a mask is a part of a face, or something else. */
const LEAST_FILLED = 0.35;
/** The oval about a head within its square: left, top, right, bottom, as the encoder's training marks it (recipe/portraits.py). */
const OVAL = [0.06, 0.04, 0.94, 1.07] as const;

/** What of a mask belongs to the head in a square: of the part that fills most of it, what lies inside; an oval about the head where that is too little for one, as where the square was drawn by hand. */
export function headMask(mask: PixelMask, head: Square): PixelMask {
  const inside = maskParts(mask).map((part) => onlyIn(part, head)).sort((a, b) => sizeOf(b) - sizeOf(a))[0];
  return inside && sizeOf(inside) >= LEAST_FILLED * (head.side * mask.side) ** 2 ? inside : ovalIn(mask.side, head);
}

function ovalIn(side: number, { left, top, side: length }: Square): PixelMask {
  const [l, t, r, b] = OVAL;
  const cells = Uint8Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [((i % side) + 0.5) / side, (Math.floor(i / side) + 0.5) / side].map((at, axis) => (at - (axis === 0 ? left : top)) / length) as [number, number];
    return Number(y < 1 && ((2 * x - l - r) / (r - l)) ** 2 + ((2 * y - t - b) / (b - t)) ** 2 <= 1);
  });
  return { side, cells };
}

/** The one who is meant. Faults `face-unseen` and `face-several` (subject: the picture). */
export function oneOf<T>(all: readonly T[], chosen: number | null, subject: string): T {
  if (all.length === 0) throw new Fault('face-unseen', 'Nobody stands out in this picture.', 'Crop it closer to the person, or use another one.', { subject });
  if (chosen !== null && all[chosen]) return all[chosen];
  if (all.length > 1) throw new Fault('face-several', `${all.length} stand out in this picture, and one is to be learned.`, 'Say which, or crop the picture to that one.', { subject });
  return all[0]!;
}
