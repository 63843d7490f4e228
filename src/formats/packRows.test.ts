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
  return new Uint8Array(Uint16Array.from(new Uint32Array(given.buffer), (bits) => bits >>> 16).buffer);
};
const packings: Packing[] = [{ precision: 'f32' }, { precision: 'f16' }, { precision: 'int8' }, { precision: 'int8', group: 32 }, { precision: 'int4', group: 32 }, { precision: 'int4', group: 32, symmetric: false }];

describe('packing a checkpoint’s rows', () => {
  it.each(['F32', 'F16', 'BF16'].flatMap((dtype) => packings.map((packing) => [dtype, packing] as const)))('%s as %j equals packing the transposed values', (dtype, packing) => {
    const values = toFloat32(bytesOf(dtype), dtype);
    const transposed = Float32Array.from({ length: OUT * IN }, (_, at) => values[(at % OUT) * IN + Math.floor(at / OUT)]!);
    expect(packRows(bytesOf(dtype), dtype, OUT, IN, packing)).toEqual(pack(transposed, IN, OUT, packing));
  });

  it('refuses a wrong number of bytes', () => {
    expect(() => packRows(bytesOf('F16'), 'F16', OUT, IN + 1, { precision: 'int8' })).toThrow('5180 bytes');
  });
});
