import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Fault } from '../protocol/faults';
import type { WeightSource } from '../models/weightSource';
import { folderFiles, safetensorsFile } from '../testing/files';
import { openSafetensors, type TensorSource } from './safetensors';
import { hashTensors, writeSafetensors } from './safetensorsWriter';
import { toFloat32 } from './tensorBytes';

const file = (header: unknown, dataBytes: number, length?: number) => {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(length ?? json.length), true);
  out.set(json, 8);
  return out;
};
const f32 = (from: number, to: number, shape = [(to - from) / 4]) => ({ dtype: 'F32', shape, data_offsets: [from, to] });

describe('reading', () => {
  it('is what models ask for', () => {
    const source: WeightSource = {} as TensorSource;
    expect(source).toBeDefined();
  });

  it('reads every tensor of the shipped transformer, in file order and with its own shape', async () => {
    const source = await folderFiles('public/base').weights('transformer');
    expect(source.keys()).toHaveLength(203);
    let values = 0;
    for (const key of source.keys()) {
      const data = await source.read(key);
      expect(data.length, key).toBe(source.shape(key).reduce((a, b) => a * b, 1));
      expect(data.every(Number.isFinite), key).toBe(true);
      values += data.length;
    }
    const { size } = await (await import('node:fs/promises')).stat('public/base/transformer/diffusion_pytorch_model.safetensors');
    expect(2 * values + 8 + 22_120).toBe(size);
  });

  it('gives rows of the first axis equal to the same part of the whole', async () => {
    const source = await safetensorsFile('fixtures/sd3/mmdit_plain.original.safetensors');
    const key = 'model.diffusion_model.t_embedder.mlp.0.weight';
    const whole = await source.read(key);
    expect(await source.readRows(key, 3, 7)).toEqual(whole.slice(3 * 256, 7 * 256));
    await expect(source.readRows(key, 3, 129)).rejects.toThrow('invariant');
    await expect(source.read('nothing')).rejects.toMatchObject({ code: 'tensor-missing', subject: 'nothing' });
  });

  it('names the tensor that is not there, also for names every object has', () => {
    const source = openSafetensors(writeSafetensors({ a: { shape: [1], data: new Float32Array(1) } }));
    expect(source.has('toString')).toBe(false);
    expect(() => source.shape('toString')).toThrow('toString');
  });

  it.each([
    ['shorter than its length field', new Uint8Array(5), 'needs at least 8'],
    ['a header longer than the file', file({}, 0, 4000), 'claims 4000 bytes'],
    ['a header beyond the limit', file({}, 0, 2 ** 40), 'more than this app reads'],
    ['no JSON', file('<html></html>', 0), 'not readable JSON'],
    ['a list', file([], 0), 'not an object'],
    ['a kind unknown', file({ a: { dtype: 'Q4', shape: [1], data_offsets: [0, 4] } }, 4), '“Q4”'],
    ['a kind every object has', file({ a: { dtype: 'constructor', shape: [1], data_offsets: [0, 4] } }, 4), '“constructor”'],
    ['a name twice, once in escapes', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4), 'names “a” twice'],
    ['a shape given twice', file('{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}}', 4), 'names “shape” twice'],
    ['a byte order mark', file('\ufeff{}', 0), 'not readable JSON'],
    ['a shape beyond all numbers', file({ a: { dtype: 'F32', shape: [2 ** 40, 2 ** 40, 2 ** 40], data_offsets: [0, 4] } }, 4), 'larger than any file'],
    ['metadata as a list', file({ __metadata__: ['a'] }, 0), 'not all text'],
    ['a negative dimension', file({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, 4), 'no proper shape'],
    ['no byte range', file({ a: { dtype: 'F32', shape: [1] } }, 4), 'no proper byte range'],
    ['a range outside', file({ a: f32(0, 16) }, 8), 'of a file of'],
    ['a shape of another size', file({ a: f32(0, 8, [3]) }, 8), 'needs 12 bytes and has 8'],
    ['overlap', file({ a: f32(0, 8), b: f32(4, 12) }, 12), 'overlaps'],
    ['a gap', file({ a: f32(0, 4), b: f32(8, 12) }, 12), '4 bytes before tensor “b”'],
    ['bytes left over', file({ a: f32(0, 4) }, 12), '8 bytes after the last tensor'],
    ['metadata that are not text', file({ __metadata__: { a: 1 } }, 0), 'not all text'],
  ])('refuses %s', (_, bytes, says) => {
    expect(() => openSafetensors(bytes, 'x.safetensors')).toThrow(says);
    try {
      openSafetensors(bytes, 'x.safetensors');
    } catch (error) {
      expect(Fault.is(error, 'safetensors-invalid')).toBe(true);
    }
  });
});

describe('kinds of numbers', () => {
  it('takes halves exactly: zero, subnormal, one, largest, infinity, not a number', () => {
    const halves = new Uint16Array([0x0000, 0x8000, 0x0001, 0x3c00, 0xc000, 0x7bff, 0x7c00, 0x7e00, 0x3555]);
    expect([...toFloat32(new Uint8Array(halves.buffer), 'F16')]).toEqual([0, -0, 2 ** -24, 1, -2, 65504, Infinity, NaN, 0.333251953125]);
  });

  it('takes bfloat16 as the upper half of float32', () => {
    expect([...toFloat32(new Uint8Array(new Uint16Array([0x3f80, 0xc049, 0x0001]).buffer), 'BF16')]).toEqual([1, -3.140625, 2 ** -133]);
  });

  it('takes all 8-bit floats exactly: E4M3 without infinities up to 448, E5M2 as the upper byte of a half', () => {
    const all = Uint8Array.from({ length: 256 }, (_, bits) => bits);
    const [e4m3, e5m2] = [toFloat32(all, 'F8_E4M3'), toFloat32(all, 'F8_E5M2')];
    // zero, smallest, largest subnormal, smallest normal, one, the largest, not a number; then the same below zero
    expect([0x00, 0x01, 0x07, 0x08, 0x38, 0x3c, 0x7e, 0x7f].map((bits) => e4m3[bits])).toEqual([0, 2 ** -9, 7 * 2 ** -9, 2 ** -6, 1, 1.5, 448, NaN]);
    expect([0x80, 0x81, 0xb8, 0xfe, 0xff].map((bits) => e4m3[bits])).toEqual([-0, -(2 ** -9), -1, -448, NaN]);
    expect([0x00, 0x01, 0x3c, 0x3e, 0x7b, 0x7c, 0x7d, 0x7f, 0xfc, 0xc0].map((bits) => e5m2[bits])).toEqual([0, 2 ** -16, 1, 1.5, 57344, Infinity, NaN, NaN, -Infinity, -2]);
    expect(new Set(e4m3).size).toBe(254) // ±0 are one, both NaN another;
    for (let bits = 1; bits < 0x7f; bits++) expect(e4m3[bits]!, String(bits)).toBeGreaterThan(e4m3[bits - 1]!);
    for (let bits = 1; bits <= 0x7c; bits++) expect(e5m2[bits]!, String(bits)).toBeGreaterThan(e5m2[bits - 1]!);
  });

  it('reads a file of them, scales beside the weights as tensors of their own', async () => {
    const source = openSafetensors(file({ w: { dtype: 'F8_E4M3', shape: [2, 2], data_offsets: [0, 4] }, 'w.scale_weight': f32(4, 8, []) }, 8));
    expect(source.shape('w')).toEqual([2, 2]);
    expect([...(await source.readRows('w', 1, 2))]).toEqual([0, 0]);
    expect(await source.read('w.scale_weight')).toHaveLength(1);
    expect(() => openSafetensors(file({ w: { dtype: 'F8_E4M3', shape: [2, 2], data_offsets: [0, 8] } }, 8))).toThrow('needs 4 bytes and has 8');
  });

  it('takes whole numbers, and starts that are not aligned', () => {
    const bytes = new Uint8Array(17);
    new DataView(bytes.buffer).setBigInt64(1, -7n, true);
    new DataView(bytes.buffer).setInt32(9, 70_000, true);
    expect([...toFloat32(bytes.subarray(1, 9), 'I64')]).toEqual([-7]);
    expect([...toFloat32(bytes.subarray(9, 13), 'I32')]).toEqual([70_000]);
    expect([...toFloat32(new Uint8Array([255, 1]), 'I8')]).toEqual([-1, 1]);
    expect([...toFloat32(new Uint8Array([255, 1]), 'U8')]).toEqual([255, 1]);
  });
});

describe('writing', () => {
  const tensors = { b: { shape: [2, 3], data: new Float32Array([1, -2, 3, 0.1, NaN, -0]) }, a: { shape: [], data: new Float32Array([5]) }, none: { shape: [0, 4], data: new Float32Array(0) } };

  it('comes back bit for bit, order and metadata included, data on a multiple of 8', async () => {
    const bytes = writeSafetensors(tensors, { note: 'ä “quoted”', empty: '' });
    const source = openSafetensors(bytes);
    expect(source.keys()).toEqual(['b', 'a', 'none']);
    expect(source.header.metadata).toEqual({ note: 'ä “quoted”', empty: '' });
    expect(source.header.dataBegin % 8).toBe(0);
    expect(source.shape('none')).toEqual([0, 4]);
    expect(new Uint8Array((await source.read('b')).buffer)).toEqual(new Uint8Array(tensors.b.data.buffer));
  });

  it('hashes the bytes after the header', async () => {
    const bytes = writeSafetensors(tensors, { note: 'x' });
    const digest = await crypto.subtle.digest('SHA-256', bytes.slice(openSafetensors(bytes).header.dataBegin));
    expect(await hashTensors(tensors)).toBe(`0x${Buffer.from(digest).toString('hex')}`);
  });

  it('rewrites a file of the reference implementation with the same tensor bytes', async () => {
    const original = new Uint8Array(await readFile('fixtures/sd3/lora_peft.safetensors'));
    const source = openSafetensors(original);
    const all: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
    for (const key of source.keys()) all[key] = { shape: source.shape(key), data: await source.read(key) };
    const written = writeSafetensors(all, source.header.metadata);
    expect(openSafetensors(written).keys()).toEqual(source.keys());
    expect(Buffer.compare(written.subarray(openSafetensors(written).header.dataBegin), original.subarray(source.header.dataBegin))).toBe(0);
  });
});
