import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../protocol/faults';
import { readPictureHeader } from './pictureHeader';
import { checkPicture, Pictures, readPictureFile } from './pictures';
import { resampleSquare } from './resample';

const codeOf = async (bytes: Uint8Array): Promise<string> => {
  try {
    checkPicture(await readPictureFile(new Blob([bytes as Uint8Array<ArrayBuffer>]), 'a.png', 'id'), 'a.png', 'id');
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

  it('takes a whole picture', async () => {
    expect(readPictureHeader(png)).toEqual({ kind: 'png', width: 128, height: 128, truncated: false, animated: false });
    expect(await codeOf(png)).toBe('fine');
  });

  it('names what is wrong with it', async () => {
    expect(await codeOf(new Uint8Array(0))).toBe('file-empty');
    expect(await codeOf(png.slice(0, png.length / 2))).toBe('file-truncated');
    expect(await codeOf(png.slice(0, 20))).toBe('file-truncated');
    expect(await codeOf(bytes('Dear diary, this is no picture.'))).toBe('file-not-a-picture');
    const sized = (width: number, height: number) => Uint8Array.from([...png.slice(0, 16), ...big(width), ...big(height), ...png.slice(24)]);
    expect(await codeOf(sized(10_000, 10_000))).toBe('picture-too-large');
    expect(await codeOf(sized(1, 1))).toBe('picture-too-small');
    expect(await codeOf(sized(0, 0))).toBe('picture-too-small');
  });

  it('takes a thumbnail’s end marker for the thumbnail’s, not for the picture’s', () => {
    const start = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9, 0xff, 0xc0, 0, 11, 8, 0, 64, 0, 48, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2, 7, 7, 7];
    expect(readPictureHeader(Uint8Array.from(start))).toMatchObject({ kind: 'jpeg', width: 48, height: 64, truncated: true });
    expect(readPictureHeader(Uint8Array.from([...start, 0xff, 0xd9]))).toMatchObject({ truncated: false });
  });

  it('reads no more than the beginning of a large file that is no picture, and nothing beyond its first bytes of a larger one that is', async () => {
    const huge = (first: Uint8Array) => ({ size: 5 * 2 ** 30, slice: (begin: number, end: number) => new Blob([first.slice(begin, end)]), arrayBuffer: () => Promise.reject(new RangeError('Array buffer allocation failed')) }) as unknown as Blob;
    await expect(readPictureFile(huge(bytes('A film, not a picture.')), 'film.mov', 'id')).rejects.toMatchObject({ code: 'file-not-a-picture' });
    await expect(readPictureFile(huge(png), 'scan.png', 'id')).rejects.toMatchObject({ code: 'file-too-large', message: '“scan.png” has 5120 MB; pictures of up to 256 MB can be opened.' });
  });

  it('tells HEIC from AVIF, and says what to do with it where the browser reads none', async () => {
    const iphone = bytes([0, 0, 0, 24], 'ftypheic', [0, 0, 0, 0], 'mif1heic', [0, 0, 0, 20], 'ispe', [0, 0, 0, 0], big(600), big(400));
    expect(readPictureHeader(iphone)).toMatchObject({ kind: 'heic', width: 600, height: 400 });
    const pictures = new Pictures({ decode: () => Promise.reject(new Error('no decoder')) } as never);
    await expect(pictures.add(new Blob([iphone]), 'IMG_1.HEIC', 'id')).rejects.toMatchObject({ code: 'file-not-a-picture', message: '“IMG_1.HEIC” is a HEIC picture, as iPhones save them, and this browser cannot read it.', remedy: 'Save it as JPEG, or open this page in Safari.' });
  });

  it('sees a second frame of GIF, WebP, APNG and AVIF', () => {
    const moves = (file: Uint8Array) => readPictureHeader(file)!.animated;
    const frame = [0x21, 0xf9, 4, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x4c, 1, 0];
    const gifOf = (frames: number) => bytes('GIF89a', [1, 0, 1, 0, 0x80, 0, 0, 1, 1, 1, 2, 2, 2], ...Array.from({ length: frames }, () => frame), [0x3b]);
    expect([gifOf(1), gifOf(2)].map(moves)).toEqual([false, true]);
    const webpOf = (flags: number) => bytes('RIFF', [22, 0, 0, 0], 'WEBPVP8X', [10, 0, 0, 0], [flags, 0, 0, 0], [0x57, 2, 0], [0x8f, 1, 0]);
    expect([webpOf(0x10), webpOf(0x12)].map(moves)).toEqual([false, true]);
    const control = (frames: number) => bytes(big(8), 'acTL', big(frames), big(0), big(0));
    const pngOf = (frames: number) => Uint8Array.from([...png.slice(0, 33), ...control(frames), ...png.slice(33)]);
    expect([pngOf(1), pngOf(3)].map(moves)).toEqual([false, true]);
    const avifOf = (brand: string) => bytes([0, 0, 0, 20], `ftyp${brand}`, [0, 0, 0, 0], 'avif', [0, 0, 0, 20], 'ispe', [0, 0, 0, 0], big(600), big(400));
    expect([avifOf('avif'), avifOf('avis')].map(moves)).toEqual([false, true]);
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
