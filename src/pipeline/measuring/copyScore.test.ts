import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readPng } from '../../testing/png';
import { copyScore } from './copyScore';

const read = (path: string) => readPng(readFileSync(`public/concepts/${path}`));
const SIDE = 128;
const monster = read('one-eyed-monster/1.png').pixels;
/** Read from another place of the same picture. */
const from = (place: (x: number, y: number) => [number, number]) => Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
  const at = Math.floor(i / 3);
  const [x, y] = place(at % SIDE, Math.floor(at / SIDE));
  return x < 0 || y < 0 || x >= SIDE || y >= SIDE ? 0 : monster[3 * (y * SIDE + x) + (i % 3)]!;
});

it('is 1 for the picture itself, however bright', () => {
  expect(copyScore(monster, monster, SIDE)).toBeCloseTo(1, 5);
  expect(copyScore(monster.map((value) => 0.6 * value - 0.2), monster, SIDE)).toBeCloseTo(1, 5);
});

it('finds a copy that has moved a little', () => {
  expect(copyScore(from((x, y) => [x - 3, y + 2]), monster, SIDE)).toBeGreaterThan(0.9);
});

it('is low for the same thing elsewhere, in another size, and mirrored', () => {
  for (const other of [read('one-eyed-monster/2.png').pixels, read('one-eyed-monster/4.png').pixels, from((x, y) => [SIDE - 1 - x, y])]) expect(copyScore(other, monster, SIDE)).toBeLessThan(0.35);
});

it('tells the same place with another thing in it from that thing elsewhere', () => {
  // the beach is the same picture but for the dog
  const beach = copyScore(read('guide-dog/1.png').pixels, monster, SIDE);
  expect(beach).toBeGreaterThan(copyScore(read('guide-dog/3.png').pixels, monster, SIDE));
});

it('is 0 where there are no edges', () => {
  expect(copyScore(new Float32Array(SIDE * SIDE * 3), monster, SIDE)).toBe(0);
});
