import { describe, expect, it } from 'vitest';
import { noise } from '../testing/kernels/suite';
import { toHalf } from './float16';
import { pack, type Packing } from './packing';
import { packRows } from './packRows';
import { toFloat32 } from './tensorBytes';

const [OUT, IN] = [37, 70];
const given = noise(OUT * IN, 5).map((value, i) => value * (1 + (i % IN)));
const bytesOf = (dtype: string): Uint8Array => {
  if (dtype === 'F32') return new Uint8Array(given.buffer);
  if (dtype === 'F16') return new Uint8Array(Uint16Array.from(given, toHalf).buffer);
  // every code but those that are no numbers
  if (dtype === 'F8_E4M3') return Uint8Array.from(given, (_, i) => ((i * 89) % 127) | (i % 2 ? 0x80 : 0));
  return new Uint8Array(Uint16Array.from(new Uint32Array(given.buffer), (bits) => bits >>> 16).buffer);
};
const packings: Packing[] = [{ precision: 'f32' }, { precision: 'f16' }, { precision: 'int8' }, { precision: 'int8', group: 32 }, { precision: 'int4', group: 32 }, { precision: 'int4', group: 32, symmetric: false }];

describe('packing a checkpoint’s rows', () => {
  it.each(['F32', 'F16', 'BF16', 'F8_E4M3'].flatMap((dtype) => packings.map((packing) => [dtype, packing] as const)))('%s as %j equals packing the transposed values, multiplied or not', (dtype, packing) => {
    for (const factor of [undefined, 0.0371]) {
      const values = toFloat32(bytesOf(dtype), dtype).map((value) => value * (factor ?? 1));
      const transposed = Float32Array.from({ length: OUT * IN }, (_, at) => values[(at % OUT) * IN + Math.floor(at / OUT)]!);
      expect(packRows(bytesOf(dtype), dtype, OUT, IN, packing, undefined, factor)).toEqual(pack(transposed, IN, OUT, packing));
    }
    expect(new Set(bytesOf('F8_E4M3')).size).toBe(254);
  });

  it.each(['F16', 'BF16'])('%s of the smallest kind, of none at all and beyond all bounds are packed as they are elsewhere', (dtype) => {
    // sixteen rows of numbers below the normal ones, zeros, and one row with an infinity among sixteen
    const rows = 48;
    const source = Uint16Array.from({ length: rows * IN }, (_, at) => (at < 16 * IN ? at % 900 : at < 32 * IN ? 0 : at === 40 * IN ? (dtype === 'F16' ? 0x7c00 : 0x7f80) : 0x3c00 + (at % 7)));
    const bytes = new Uint8Array(source.buffer);
    const values = toFloat32(bytes, dtype);
    const transposed = Float32Array.from({ length: rows * IN }, (_, at) => values[(at % rows) * IN + Math.floor(at / rows)]!);
    expect(packRows(bytes, dtype, rows, IN, { precision: 'int8' })).toEqual(pack(transposed, IN, rows, { precision: 'int8' }));
  });

  it('refuses a wrong number of bytes', () => {
    expect(() => packRows(bytesOf('F16'), 'F16', OUT, IN + 1, { precision: 'int8' })).toThrow('5180 bytes');
  });
});
