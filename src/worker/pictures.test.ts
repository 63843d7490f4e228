import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../protocol/faults';
import { readPictureHeader } from './pictureHeader';
import { checkPictureFile } from './pictures';
import { resampleSquare } from './resample';

const codeOf = (bytes: Uint8Array): string => {
  try {
    checkPictureFile(bytes, 'a.png', 'id');
    return 'fine';
  } catch (error) {
    return (error as Fault).code;
  }
};
const bytes = (...parts: (string | number[])[]) => Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...part].map((c) => c.charCodeAt(0)) : part)));
const big = (n: number) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

describe('a file, before it is decoded', () => {
  let png: Uint8Array;
  beforeAll(async () => { png = new Uint8Array(await readFile('public/concepts/guide-dog/1.png')); });

  it('takes a whole picture', () => {
    expect(readPictureHeader(png)).toEqual({ kind: 'png', width: 128, height: 128, truncated: false });
    expect(codeOf(png)).toBe('fine');
  });

  it('names what is wrong with it', () => {
    expect(codeOf(new Uint8Array(0))).toBe('file-empty');
    expect(codeOf(png.slice(0, png.length / 2))).toBe('file-truncated');
    expect(codeOf(png.slice(0, 20))).toBe('file-truncated');
    expect(codeOf(bytes('Dear diary, this is no picture.'))).toBe('file-not-a-picture');
    const sized = (width: number, height: number) => Uint8Array.from([...png.slice(0, 16), ...big(width), ...big(height), ...png.slice(24)]);
    expect(codeOf(sized(10_000, 10_000))).toBe('picture-too-large');
    expect(codeOf(sized(1, 1))).toBe('picture-too-small');
    expect(codeOf(sized(0, 0))).toBe('picture-too-small');
  });

  it('takes a thumbnail’s end marker for the thumbnail’s, not for the picture’s', () => {
    const start = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9, 0xff, 0xc0, 0, 11, 8, 0, 64, 0, 48, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2, 7, 7, 7];
    expect(readPictureHeader(Uint8Array.from(start))).toMatchObject({ kind: 'jpeg', width: 48, height: 64, truncated: true });
    expect(readPictureHeader(Uint8Array.from([...start, 0xff, 0xd9]))).toMatchObject({ truncated: false });
  });

  it('reads sizes of the other kinds', () => {
    const size = (file: Uint8Array) => { const { kind, width, height } = readPictureHeader(file)!; return [kind, width, height]; };
    expect(size(bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xc2, 0, 17, 8, 1, 0x90, 2, 0x58, 3], [0, 0, 0, 0, 0xff, 0xd9]))).toEqual(['jpeg', 600, 400]);
    expect(size(bytes('GIF89a', [0x58, 2, 0x90, 1], Array<number>(20).fill(0)))).toEqual(['gif', 600, 400]);
    expect(size(bytes('RIFF', [22, 0, 0, 0], 'WEBPVP8X', [10, 0, 0, 0], [0, 0, 0, 0], [0x57, 2, 0], [0x8f, 1, 0]))).toEqual(['webp', 600, 400]);
    expect(size(bytes([0, 0, 0, 20], 'ftypavif', [0, 0, 0, 0], 'mif1', [0, 0, 0, 20], 'ispe', [0, 0, 0, 0], big(600), big(400)))).toEqual(['avif', 600, 400]);
  });
});

describe('resampling', () => {
  const square = (side: number, value: (x: number, y: number) => number[]) => Uint8ClampedArray.from(Array.from({ length: side * side }, (_, i) => value(i % side, Math.floor(i / side))).flat());

  it('leaves a picture of the right size as it is', () => {
    const rgba = square(5, (x, y) => [x * 40, y * 40, 7, 255]);
    const out = resampleSquare(rgba, 5, 5);
    for (let i = 0; i < 25; i++) expect([...out.subarray(3 * i, 3 * i + 3)].map((v) => Math.round((v + 1) * 127.5))).toEqual([...rgba.subarray(4 * i, 4 * i + 3)]);
  });

  it('keeps flat colours, puts white behind transparency, and averages a fine checkerboard away', () => {
    expect(new Set(resampleSquare(square(37, () => [51, 51, 51, 255]), 37, 8))).toEqual(new Set([Math.fround(51 / 127.5 - 1)]));
    expect(new Set(resampleSquare(square(9, () => [0, 0, 0, 0]), 9, 4))).toEqual(new Set([1]));
    const grey = resampleSquare(square(64, (x, y) => { const v = (x + y) % 2 ? 255 : 0; return [v, v, v, 255]; }), 64, 8);
    // Pillow leaves at most 2 of 255 at the border, where the window is cut
    expect(Math.max(...grey.map(Math.abs))).toBeLessThan(0.05);
  });
});
