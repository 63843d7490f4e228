import { readFile } from 'node:fs/promises';
import { crc32 as zlibCrc, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseParameters, readPictureParameters, writeParameters, writePictureParameters, type PictureRecipe } from './pngParameters';
import { crc32 } from './crc32';
import { readPngText, writePngText } from './pngText';

const sample = async () => new Uint8Array(await readFile('public/concepts/guide-dog/1.png'));
const bytes = (...parts: (string | number[] | Uint8Array)[]) => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));
const withChunk = async (kind: string, data: Uint8Array) => {
  const png = await sample();
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(bytes(kind, data)));
  return new Uint8Array(bytes(png.slice(0, 33), head, kind, data, crc, png.slice(33)));
};
const kinds = (png: Uint8Array) => {
  const found: string[] = [];
  const view = new DataView(png.buffer, png.byteOffset);
  for (let at = 8; at < png.length; at += 12 + view.getUint32(at)) {
    found.push(String.fromCharCode(...png.subarray(at + 4, at + 8)));
    const end = at + 8 + view.getUint32(at);
    expect(view.getUint32(end), 'CRC').toBe(crc32(png.subarray(at + 4, end)));
  }
  return found;
};

describe('text chunks', () => {
  it('has PNG’s CRC', () => {
    // The check value of CRC-32/ISO-HDLC.
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    if (zlibCrc) expect(crc32(new Uint8Array([0, 255, 7]))).toBe(zlibCrc(new Uint8Array([0, 255, 7])));
  });

  it('writes Latin-1 as tEXt and the rest as iTXt, before the picture data, and reads both', async () => {
    const texts = { parameters: 'a dog, naïve\nSteps: 3', lamina: '{"name":"犬 — “dog”"}', empty: '' };
    const png = writePngText(await sample(), texts);
    expect(await readPngText(png)).toEqual(texts);
    const order = kinds(png);
    expect(order.slice(0, 4)).toEqual(['IHDR', 'tEXt', 'iTXt', 'tEXt']);
    expect(order.at(-1)).toBe('IEND');
  });

  it('leaves every other byte alone and replaces its own texts', async () => {
    const original = await sample();
    const once = writePngText(original, { a: '1' });
    const twice = writePngText(once, { a: '22' });
    expect(await readPngText(twice)).toEqual({ a: '22' });
    expect(twice.length).toBe(once.length + 1);
    expect(Buffer.compare(writePngText(twice, {}), twice)).toBe(0);
    expect(Buffer.compare(twice.slice(33 + 12 + 4), original.slice(33))).toBe(0);
  });

  it('reads zTXt and compressed iTXt', async () => {
    expect(await readPngText(await withChunk('zTXt', bytes('key', [0, 0], deflateSync(Buffer.from('gr\u00fcn', 'latin1')))))).toEqual({ key: 'grün' });
    expect(await readPngText(await withChunk('iTXt', bytes('key', [0, 1, 0], 'de', [0], [0], deflateSync('grün 犬'))))).toEqual({ key: 'grün 犬' });
  });

  it('leaves damaged texts out: bad compression, a bomb, no keyword, a file that breaks off', async () => {
    expect(await readPngText(await withChunk('zTXt', bytes('key', [0, 0], [1, 2, 3, 4])))).toEqual({});
    expect(await readPngText(await withChunk('zTXt', bytes('key', [0, 0], deflateSync(Buffer.alloc(20_000_000)))))).toEqual({});
    expect(await readPngText(await withChunk('tEXt', bytes('nothing here')))).toEqual({});
    expect(await readPngText((await withChunk('tEXt', bytes('key', [0], 'x'))).slice(0, 40))).toEqual({});
    expect(await readPngText(new Uint8Array(3))).toEqual({});
    expect(() => writePngText(new Uint8Array(100), {})).toThrow('not a PNG');
  });
});

describe('parameters', () => {
  const picture: PictureRecipe = {
    version: 1, app: 'Lamina 0.1.0', prompt: 'a [V] dog,\nin the snow', negative: 'two dogs', seed: 4294967295, steps: 20, guidance: 3.5, balance: 1.25, width: 128, height: 128,
    base: 'embedded', baseSha256: '0123456789abcdef'.repeat(4), random: 1, concept: { conceptId: 'c', name: 'guide dog: “Rex”, the 2nd', lambda: 1.5 }, recipe: { rank: 4 },
  };

  it('are written as A1111 writes them', () => {
    expect(writeParameters({ ...picture, concept: null })).toBe(
      'a [V] dog,\nin the snow\nNegative prompt: two dogs\nSteps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 3.5, Seed: 4294967295, Size: 128x128, Model hash: 0123456789, Model: embedded, Version: Lamina 0.1.0',
    );
    expect(writeParameters(picture)).toContain('Concept: "guide dog: “Rex”, the 2nd", Balance: 1.25, Lambda: 1.5');
  });

  it('come back whole from our own picture', async () => {
    const found = await readPictureParameters(writePictureParameters(await sample(), picture));
    expect(found).toEqual({ picture, prompt: picture.prompt, negative: 'two dogs', seed: 4294967295, steps: 20, guidance: 3.5, balance: 1.25 });
  });

  it('come back from the common text alone', async () => {
    const png = writePngText(await sample(), { parameters: writeParameters(picture) });
    expect(await readPictureParameters(png)).toEqual({ picture: null, prompt: picture.prompt, negative: 'two dogs', seed: 4294967295, steps: 20, guidance: 3.5, balance: 1.25, sampler: 'euler' });
  });

  it('say the sampler by the name that others have for it, and skipped layers', async () => {
    const drawn: PictureRecipe = { ...picture, sampler: 'dpmpp-2m', skipLayers: true };
    expect(writeParameters(drawn)).toContain('Sampler: DPM++ 2M, Schedule');
    expect(await readPictureParameters(writePictureParameters(await sample(), drawn))).toMatchObject({ sampler: 'dpmpp-2m', skipLayers: true });
    expect(await readPictureParameters(writePngText(await sample(), { parameters: writeParameters(drawn) }))).toMatchObject({ sampler: 'dpmpp-2m' });
    expect(await readPictureParameters(writePngText(await sample(), { parameters: writeParameters({ ...drawn, sampler: 'heun' }) }))).not.toHaveProperty('sampler');
  });

  it('are read tolerantly from others', () => {
    expect(parseParameters('a cat\r\nNegative prompt: bad,\r\nugly\r\nSteps: 28, Sampler: DPM++ 2M, CFG scale: 4, Lora hashes: "x: 12, y: \\"z\\"", Size: 1x2')).toEqual({
      prompt: 'a cat', negative: 'bad,\nugly', fields: { Steps: '28', Sampler: 'DPM++ 2M', 'CFG scale': '4', 'Lora hashes': 'x: 12, y: "z"', Size: '1x2' },
    });
    expect(parseParameters('just: a prompt')).toEqual({ prompt: 'just: a prompt', negative: '', fields: {} });
    const started = performance.now();
    expect(parseParameters('word '.repeat(200_000)).fields).toEqual({});
    expect(parseParameters('a:"'.repeat(6000)).fields).toEqual({});
    // Quadratic matching of the first would take minutes.
    expect(performance.now() - started).toBeLessThan(2000);
    expect(parseParameters('')).toEqual({ prompt: '', negative: '', fields: {} });
  });

  it('leave out numbers that make no sense, and are null where there are none', async () => {
    const png = writePngText(await sample(), { parameters: 'x\nSteps: many, Seed: -1, CFG scale: 4, Balance: ', lamina: '{"version":99}' });
    expect(await readPictureParameters(png)).toEqual({ picture: null, prompt: 'x', negative: '', guidance: 4 });
    expect(await readPictureParameters(await sample())).toBeNull();
  });
});
