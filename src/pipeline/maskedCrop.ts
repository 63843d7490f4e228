/**
 * What an image tower is shown of a picture: the square around the object, everything else painted over before anything is
 * resized, so that no number of the result depends on what the mask leaves out. As recipe/adapter.py crops.
 */
import { invariant } from '../engine/invariant';
import type { Augmentation } from '../methods/taming/references';
import { Fault } from '../protocol/faults';
import { maskBox } from '../protocol/objectMasks';

/** A square picture [side·side·3] in −1…1, row by row. */
export interface SquarePixels { side: number; values: Float32Array }
/** Cells of a square grid laid over it; above ½ (of 0…1) is the object. */
export interface PixelMask { side: number; cells: ArrayLike<number> }

export interface CropOptions {
  /** Side of the result. */
  size: number;
  /** What stands outside the mask and the picture, −1…1: mid-grey for objects, white for faces. */
  ground?: number;
  /** Colours as luminance (BT.601), so that light and make-up say less of who it is. */
  grey?: boolean;
  /** A single picture is changed before it is looked at (methods/taming/references.ts). */
  augmentation?: Augmentation | null;
}

/** The crop's side over the longer side of the mask's box. */
const MARGIN = 1.1;

/** The square around the object in pixels of the picture; it may reach beyond them. Fault `mask-empty`. */
export function objectSquare(mask: PixelMask, side: number): { left: number; top: number; side: number } {
  const box = maskBox(mask);
  if (!box) throw new Fault('mask-empty', 'The mask is empty: nothing of this picture would be looked at.', 'Brush over the object.');
  const { left, top, right, bottom } = box;
  const scale = side / mask.side;
  const length = MARGIN * scale * Math.max(right - left, bottom - top);
  return { left: (scale * (left + right) - length) / 2, top: (scale * (top + bottom) - length) / 2, side: length };
}

/** The picture with `ground` outside the mask, its cells' nearest, partly where they are between 0 and 1. */
function paintedOver({ side, values }: SquarePixels, mask: PixelMask, ground: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let y = 0; y < side; y++) {
    const row = Math.floor(((y + 0.5) * mask.side) / side) * mask.side;
    for (let x = 0; x < side; x++) {
      const alpha = mask.cells[row + Math.floor(((x + 0.5) * mask.side) / side)]!;
      for (let c = 0; c < 3; c++) {
        const at = 3 * (y * side + x) + c;
        out[at] = alpha === 0 ? ground : values[at]! * alpha + ground * (1 - alpha); // 0 times what is no number is none
      }
    }
  }
  return out;
}

/** Places of the source that a place of the result is read from: bilinear, several where it shrinks. */
function readAt(from: number, length: number, size: number): number[][] {
  const step = length / size;
  const samples = Math.max(1, Math.ceil(step));
  return Array.from({ length: size }, (_, i) => Array.from({ length: samples }, (__, k) => from + (i + (k + 0.5) / samples) * step - 0.5));
}

type Square = ReturnType<typeof objectSquare>;

/** The square moved and scaled about its middle; a scale above 1 shows the object larger. */
function placed({ left, top, side }: Square, augmentation: Augmentation | null): Square {
  if (!augmentation) return { left, top, side };
  const length = side / augmentation.scale;
  const moved = (at: number, by: number) => at + (side - length) / 2 - by * length;
  return { left: moved(left, augmentation.across), top: moved(top, augmentation.down), side: length };
}

const relit = ({ side, values }: SquarePixels, { contrast, brightness }: Augmentation): SquarePixels => ({ side, values: values.map((value) => Math.min(1, Math.max(-1, value * contrast + brightness))) });

/** [size·size·3] in −1…1: the square around the object. Faults `mask-empty`. */
export function maskedCrop(pixels: SquarePixels, mask: PixelMask, { size, ground = 0, grey = false, augmentation = null }: CropOptions): Float32Array {
  const { side } = pixels;
  invariant(pixels.values.length === side * side * 3 && mask.cells.length === mask.side ** 2, 'a masked crop takes a square picture of three channels, and a square mask');
  const square = placed(objectSquare(mask, side), augmentation);
  const clean = paintedOver(augmentation ? relit(pixels, augmentation) : pixels, mask, ground);
  const [across, down] = [readAt(square.left, square.side, size), readAt(square.top, square.side, size)];
  const clamped = (at: number) => Math.min(side - 1, Math.max(0, at));
  const pixel = (x: number, y: number, c: number) => clean[3 * (clamped(y) * side + clamped(x)) + c]!;
  const outside = (at: number) => at < -0.5 || at >= side - 0.5;
  const out = new Float32Array(size * size * 3);
  const bilinear = (u: number, w: number, c: number) => {
    if (outside(u) || outside(w)) return ground;
    const [x, y] = [Math.floor(u), Math.floor(w)];
    const [fx, fy] = [u - x, w - y];
    return (1 - fy) * ((1 - fx) * pixel(x, y, c) + fx * pixel(x + 1, y, c)) + fy * ((1 - fx) * pixel(x, y + 1, c) + fx * pixel(x + 1, y + 1, c));
  };
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const seen = [0, 1, 2].map((c) => {
        let sum = 0;
        for (const w of down[y]!) for (const u of across[x]!) sum += bilinear(u, w, c);
        return sum / (down[y]!.length * across[x]!.length);
      });
      const luminance = 0.299 * seen[0]! + 0.587 * seen[1]! + 0.114 * seen[2]!;
      const column = augmentation?.flip ? size - 1 - x : x;
      for (let c = 0; c < 3; c++) out[3 * (y * size + column) + c] = grey ? luminance : seen[c]!;
    }
  }
  return out;
}
