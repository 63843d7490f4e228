/**
 * Stored numbers to float32. Little-endian, row-major, as safetensors has them; F16, BF16 and the 8-bit floats (E4M3, E5M2) are
 * exact in float32, 64-bit kinds are rounded to it. Scales that a file of 8-bit weights may keep beside them (`scale_weight`,
 * `scaled_fp8`) are tensors like any other: applying them is the reader's affair. It does not know about files: it gets the
 * bytes of one tensor, or of some of its rows.
 */
import { invariant } from '../engine/invariant';
import { fromHalf, halfTable } from './float16';

/** Bytes one value takes; the kinds this app reads. */
export const valueBytes: Readonly<Record<string, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1, F8_E4M3: 1, F8_E5M2: 1 };

/**
 * An 8-bit float with 4 bits of exponent (bias 7) and 3 of mantissa, as weights are stored in: no infinities, so that the top exponent
 * counts as well, up to 448; only all bits set (0x7f, 0xff) is not a number.
 */
function fromE4M3(bits: number): number {
  const [exponent, mantissa] = [(bits >>> 3) & 15, bits & 7];
  const size = (bits & 0x7f) === 0x7f ? NaN : exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10);
  return bits & 0x80 ? -size : size;
}

/** An 8-bit float of 5 bits of exponent and 2 of mantissa is the upper half of a half. */
const fromE5M2 = (bits: number): number => fromHalf(bits << 8);

const bytes256 = (from: (bits: number) => number) => Float32Array.from({ length: 256 }, (_, bits) => from(bits));
const eighths = { F8_E4M3: bytes256(fromE4M3), F8_E5M2: bytes256(fromE5M2) };

/** A copy in a buffer of its own; Node's Buffer overrides `slice` with a view, hence the prototype's. */
const copy = (bytes: Uint8Array) => Uint8Array.prototype.slice.call(bytes).buffer;

/** A typed view needs an aligned start; tensors in a file may begin anywhere. */
function aligned(bytes: Uint8Array, align: number): { buffer: ArrayBufferLike; byteOffset: number } {
  if (bytes.byteOffset % align === 0) return { buffer: bytes.buffer, byteOffset: bytes.byteOffset };
  return { buffer: copy(bytes), byteOffset: 0 };
}

/** The bytes of whole values of kind `dtype` as float32: in `out`, which has room for just as many, or in a new array. */
export function toFloat32(bytes: Uint8Array, dtype: string, out?: Float32Array): Float32Array {
  const size = valueBytes[dtype];
  invariant(size !== undefined && bytes.byteLength % size === 0, `${bytes.byteLength} bytes are not whole values of ${dtype}`);
  const count = bytes.byteLength / size;
  out ??= new Float32Array(count);
  invariant(out.length === count, `${count} values of ${dtype} for ${out.length}`);
  if (dtype === 'F32') {
    new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
    return out;
  }
  const { buffer, byteOffset } = aligned(bytes, size);
  switch (dtype) {
    case 'F16': {
      const table = halfTable();
      const source = new Uint16Array(buffer, byteOffset, count);
      for (let i = 0; i < count; i++) out[i] = table[source[i]!]!;
      return out;
    }
    case 'BF16': {
      const bits = new Uint32Array(out.buffer, out.byteOffset, count);
      const source = new Uint16Array(buffer, byteOffset, count);
      for (let i = 0; i < count; i++) bits[i] = source[i]! << 16;
      return out;
    }
    case 'F8_E4M3':
    case 'F8_E5M2': {
      const source = new Uint8Array(buffer, byteOffset, count);
      for (let i = 0; i < count; i++) out[i] = eighths[dtype][source[i]!]!;
      return out;
    }
    case 'I64':
    case 'U64': {
      const source = dtype === 'I64' ? new BigInt64Array(buffer, byteOffset, count) : new BigUint64Array(buffer, byteOffset, count);
      for (let i = 0; i < count; i++) out[i] = Number(source[i]);
      return out;
    }
    case 'F64': out.set(new Float64Array(buffer, byteOffset, count)); return out;
    case 'I32': out.set(new Int32Array(buffer, byteOffset, count)); return out;
    case 'I16': out.set(new Int16Array(buffer, byteOffset, count)); return out;
    case 'I8': out.set(new Int8Array(buffer, byteOffset, count)); return out;
    case 'U32': out.set(new Uint32Array(buffer, byteOffset, count)); return out;
    case 'U16': out.set(new Uint16Array(buffer, byteOffset, count)); return out;
    default: out.set(new Uint8Array(buffer, byteOffset, count)); return out;
  }
}
