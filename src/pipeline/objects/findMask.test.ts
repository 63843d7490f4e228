import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readPng } from '../../testing/png';
import { findMask } from './findMask';
import { areaOf, closed, filled, grown, opened, parts, shrunk } from './grid';

const SIDE = 64;
type Colour = [number, number, number];
/** A picture by its colour at each place, with a little noise. */
const scene = (colour: (x: number, y: number) => Colour): Float32Array =>
  Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => colour(Math.floor(i / 3) % SIDE, Math.floor(i / 3 / SIDE))[i % 3]! + 0.02 * Math.sin(i * 12.9898));
const sky: Colour = [-0.2, 0.4, 0.9], ground: Colour = [0.5, 0.4, 0], purple: Colour = [-0.3, -0.6, 0.2];
const landscape = (y: number): Colour => (y < 38 ? sky : ground);

function agreement(found: Uint8Array, truth: (x: number, y: number) => boolean): number {
  let [both, either] = [0, 0];
  found.forEach((cell, i) => {
    const is = truth(i % SIDE, Math.floor(i / SIDE));
    both += Number(cell === 1 && is);
    either += Number(cell === 1 || is);
  });
  return both / either;
}

describe('finding an object', () => {
  it('parts it from a sky and a ground, with its eye', () => {
    const disc = (x: number, y: number) => Math.hypot(x - 32, y - 34) < 16;
    const found = findMask(scene((x, y) => (Math.hypot(x - 32, y - 30) < 4 ? [0.9, 0.9, 0.9] : disc(x, y) ? purple : landscape(y))), SIDE)!;
    expect(agreement(found.cells, disc)).toBeGreaterThan(0.9);
  });

  it('takes what stands in the middle, and not a larger thing in the corner', () => {
    const box = (x: number, y: number) => x > 20 && x < 39 && y > 28 && y < 47;
    const found = findMask(scene((x, y) => (box(x, y) ? purple : Math.hypot(x - 51, y - 12) < 11 ? [0.9, 0.9, -0.6] : landscape(y))), SIDE)!;
    expect(agreement(found.cells, box)).toBeGreaterThan(0.9);
  });

  it('gives an object at the lower edge its feet', () => {
    const box = (x: number, y: number) => x > 20 && x < 42 && y > 20;
    const found = findMask(scene((x, y) => (box(x, y) ? purple : landscape(y))), SIDE)!;
    expect(agreement(found.cells, box)).toBeGreaterThan(0.85);
  });

  it('finds nothing where nothing stands out', () => {
    expect(findMask(scene((_, y) => landscape(y)), SIDE)).toBeNull();
    expect(findMask(scene(() => [0, 0, 0]), SIDE)).toBeNull();
  });

  it.each(['guide-dog', 'one-eyed-monster'])('has the middle and not the corners of every picture of %s', (set) => {
    for (const n of [1, 2, 3, 4, 5]) {
      const { width, pixels } = readPng(readFileSync(`public/concepts/${set}/${n}.png`));
      const { cells } = findMask(Float32Array.from(pixels), width)!;
      const share = areaOf(cells) / cells.length;
      expect(share).toBeGreaterThan(0.12);
      expect(share).toBeLessThan(0.5);
      expect([cells[0], cells[width - 1]]).toEqual([0, 0]);
      expect(cells[Math.round(width * 0.55) * width + Math.round(width * 0.55)]).toBe(1);
    }
  });
});

describe('grids', () => {
  const grid = (...rows: string[]) => Uint8Array.from(rows.join(''), Number);
  const five = grid('00000', '01110', '01010', '01110', '00000');

  it('fill what the edge can’t reach', () => {
    expect(filled(five, 5)).toEqual(grid('00000', '01110', '01110', '01110', '00000'));
    expect(filled(grid('01000', '01110', '01010', '01010', '00000'), 5)[12]).toBe(0);
  });

  it('grow and shrink by whole cells; the picture’s edge shrinks nothing', () => {
    expect(areaOf(grown(grid('00000', '00000', '00100', '00000', '00000'), 5, 1))).toBe(9);
    expect(shrunk(grid('00000', '01110', '01110', '01110', '00000'), 5, 1)).toEqual(grid('00000', '00000', '00100', '00000', '00000'));
    expect(areaOf(shrunk(new Uint8Array(25).fill(1), 5, 1))).toBe(25);
  });

  it('open thin lines away and close narrow gaps', () => {
    expect(areaOf(opened(grid('00000', '01111', '00000', '00000', '00000'), 5, 1))).toBe(0);
    expect(closed(grid('00000', '11011', '11011', '11011', '00000'), 5, 1)[7]).toBe(1);
  });

  it('come apart into connected parts', () => {
    expect(parts(grid('11000', '11000', '00011', '00011', '10000'), 5).map(areaOf).sort()).toEqual([1, 4, 4]);
  });
});
