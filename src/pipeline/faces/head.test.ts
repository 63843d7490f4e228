import { describe, expect, it } from 'vitest';
import type { PixelMask } from '../maskedCrop';
import { bustAround, everybody, headIn, headMask, headOf, laidInto, maskParts, oneOf, onlyIn } from './head';

const PLACE = [0.16, 0.05, 0.68] as const;
/** Rectangles of 1 on a grid of 100: left, top, right, bottom. */
function maskOf(...boxes: [number, number, number, number][]): PixelMask {
  const cells = new Uint8Array(100 * 100);
  for (const [l, t, r, b] of boxes) for (let y = t; y < b; y++) for (let x = l; x < r; x++) cells[100 * y + x] = 1;
  return { side: 100, cells };
}
const middle = ({ left, top, side }: { left: number; top: number; side: number }) => [left + side / 2, top + side / 2, side];
const near = (found: number[], wanted: number[]) => found.forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 2));

describe('heads of a mask', () => {
  it('stand in a square that is centred on the bust and ends with it', () => {
    // a bust of 60 × 75 cells of a square of 80 whose lower edge is the picture's: 75/0.94
    near(middle(headOf(maskOf([20, 25, 80, 100]), PLACE)), [0.5, 1 - 0.798 + (0.05 + 0.34) * 0.798, 0.68 * 0.798]);
    // the same bust, wider than it is high, elsewhere
    near(middle(headOf(maskOf([5, 20, 45, 40]), PLACE)), [0.25, 0.4 - 0.4255 + 0.39 * 0.4255, 0.68 * 0.4255]);
  });

  it('are as many as stand out, the largest first; specks are nobody', () => {
    const mask = maskOf([0, 60, 20, 100], [50, 30, 90, 100], [40, 0, 42, 3]);
    expect(maskParts(mask)).toHaveLength(3);
    const all = everybody(mask, PLACE);
    expect(all.map(({ head }) => Math.round(100 * (head.left + head.side / 2)))).toEqual([70]);
    const both = everybody(maskOf([0, 60, 30, 100], [50, 50, 90, 100]), PLACE);
    expect(both.map(({ head }) => Math.round(100 * (head.left + head.side / 2)))).toEqual([70, 15]);
    // parts that touch at a corner alone are two
    expect(maskParts(maskOf([0, 0, 10, 10], [10, 10, 20, 20]))).toHaveLength(2);
  });

  it('take of the mask what is theirs: hair and hat, not clothes', () => {
    const [one] = everybody(maskOf([20, 25, 80, 100]), PLACE);
    const rows = [30, 60, 80, 95].map((y) => Array.from({ length: 100 }, (_, x) => one!.mask.cells[100 * y + x]!).reduce((sum, cell) => sum + cell, 0));
    expect(rows[0]).toBeGreaterThan(40);
    expect(rows[1]).toBe(rows[0]);
    expect(rows[2]).toBe(0);
    expect(rows[3]).toBe(0);
    const soft = onlyIn({ side: 2, cells: [0.7, 0.2, 1, 1] }, { left: 0, top: 0, side: 0.6 });
    expect(Array.from(soft.cells, (cell) => Math.round(10 * cell))).toEqual([7, 0, 0, 0]);
  });

  it('nobody, and several without a choice, are named', () => {
    expect(() => oneOf(everybody(maskOf(), PLACE), null, 'Picture 2')).toThrow(expect.objectContaining({ code: 'face-unseen', subject: 'Picture 2' }));
    const both = everybody(maskOf([0, 60, 30, 100], [50, 50, 90, 100]), PLACE);
    expect(() => oneOf(both, null, 'a')).toThrow(expect.objectContaining({ code: 'face-several', message: expect.stringContaining('2 stand out') }));
    expect(oneOf(both, 1, 'a')).toBe(both[1]);
    expect(() => oneOf(both, 7, 'a')).toThrow(/stand out/);
    expect(oneOf(both.slice(0, 1), null, 'a')).toBe(both[0]);
  });
});

it('a bust stands around its head, as much of it as lies in the picture; what is found in it is laid where it stands', () => {
  const high = { left: 0.2, top: 0.3, side: 0.5 };
  const around = bustAround(headIn(high, PLACE), PLACE);
  for (const key of ['left', 'top', 'side'] as const) expect(around[key]).toBeCloseTo(high[key], 9);
  const bust = { left: 0.25, top: 0.5, side: 0.5 };
  expect(bustAround({ left: 0.7, top: 0, side: 0.3 }, PLACE)).toMatchObject({ left: 1 - 0.3 / 0.68, top: 0, side: 0.3 / 0.68 });
  const whole = { side: 8, cells: new Uint8Array(64) };
  laidInto(whole, { side: 4, cells: [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.9] }, bust);
  expect([...whole.cells].flatMap((cell, i) => (cell === 1 ? [[i % 8, Math.floor(i / 8)]] : []))).toEqual([[3, 5], [5, 7]]);
});

it('takes of a mask what belongs to the head in a frame, and an oval where that is too little for a head', () => {
  const side = 20;
  const cells = new Uint8Array(side * side);
  for (let y = 4; y < 16; y++) for (let x = 2; x < 10; x++) cells[y * side + x] = 1;
  // a neighbour reaches into the frame
  for (let y = 4; y < 16; y++) for (let x = 11; x < 18; x++) cells[y * side + x] = 1;
  const head = { left: 0.1, top: 0.2, side: 0.5 };
  const { cells: found } = headMask({ side, cells }, head);
  const at = (x: number, y: number) => found[y * side + x];
  expect([at(5, 5), at(11, 5), at(5, 15), at(1, 5)]).toEqual([1, 0, 0, 0]);
  const speck = Uint8Array.from(cells, (cell, i) => (cell === 1 && i % side < 4 && i < 8 * side ? 1 : 0));
  for (const little of [new Uint8Array(side * side), speck]) {
    const oval = headMask({ side, cells: little }, head);
    const sum = Array.from(oval.cells).reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThan(60);
    expect(sum).toBeLessThan(90);
    const inOval = (x: number, y: number) => oval.cells[y * side + x];
    expect([inOval(7, 9), inOval(2, 4), inOval(11, 4), inOval(13, 9), inOval(7, 13), inOval(7, 14)]).toEqual([1, 0, 0, 0, 1, 0]);
  }
});
