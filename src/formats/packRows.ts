/**
 * Packs a linear layer straight from a checkpoint's bytes, [out,in] row-major in any kind of number: what `pack` makes of the
 * transposed float32 values, bit for bit, in one pass over a few rows at a time. An import goes through this for each layer.
 */
import { invariant } from '../engine/invariant';
import { toHalf } from './float16';
import { packedSizes, scaleOf, type PackedValues, type Packing } from './packing';
import { toFloat32, valueBytes } from './tensorBytes';
import { int8Rows } from './packHalves';

/** Rows of the file in work at once: their columns lie side by side in the result, so that writes fill cache lines. */
const ROWS = 16;

/** Memory for one result after the other. Fresh memory for each costs more time than packing into it. */
export type Scratch = (words: number) => Uint32Array<ArrayBuffer>;

/** Gives zeroed words, the same ones at each call. */
export function makeScratch(): Scratch {
  let kept = new Uint32Array(0);
  return (words) => {
    if (kept.length < words) return (kept = new Uint32Array(words));
    return kept.subarray(0, words).fill(0);
  };
}

/** With `scratch` the result is good until it is used again. factor: every value is multiplied by it. */
export function packRows(bytes: Uint8Array, dtype: string, outFeatures: number, inFeatures: number, packing: Packing, scratch: Scratch = (words) => new Uint32Array(words), factor = 1): PackedValues {
  const rowBytes = inFeatures * (valueBytes[dtype] ?? NaN);
  invariant(bytes.byteLength === outFeatures * rowBytes, `${bytes.byteLength} bytes of ${dtype} for [${outFeatures},${inFeatures}]`);
  const { precision } = packing;
  const { stride, group, words: wordCount, scales: scaleCount } = packedSizes(inFeatures, outFeatures, packing);
  const words = scratch(wordCount);
  const scales = new Uint32Array(scaleCount);
  const put = precision === 'int8' || precision === 'int4' ? quantizer(words, scales, stride, group, inFeatures, precision, packing.symmetric ?? true) : plain(words, stride, inFeatures, precision);
  // most of a large import is this case
  const fast = factor === 1 && precision === 'int8' && group === inFeatures && (dtype === 'F16' || dtype === 'BF16') ? int8Rows(halvesOf(bytes), dtype, ROWS, inFeatures, stride, words, scales) : null;
  if (factor === 1 && precision === 'f16' && dtype === 'F16') copyHalves(halvesOf(bytes), words, outFeatures, inFeatures, stride);
  else for (let from = 0; from < outFeatures; from += ROWS) {
    const rows = Math.min(ROWS, outFeatures - from);
    if (fast && rows === ROWS && fast(from)) continue;
    const values = toFloat32(bytes.subarray(from * rowBytes, (from + rows) * rowBytes), dtype);
    if (factor !== 1) for (let at = 0; at < values.length; at++) values[at]! *= factor;
    put(values, from, rows);
  }
  return { precision, inFeatures, outFeatures, stride, group, words, scales };
}

const halvesOf = (bytes: Uint8Array): Uint16Array => (bytes.byteOffset % 2 === 0 ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2) : new Uint16Array(bytes.slice().buffer));

/** Halves stay what they are, also those that are no numbers. */
function copyHalves(halves: Uint16Array, words: Uint32Array<ArrayBuffer>, outFeatures: number, inFeatures: number, stride: number): void {
  const store = new Uint16Array(words.buffer);
  for (let from = 0; from < outFeatures; from += ROWS) {
    const end = Math.min(outFeatures, from + ROWS);
    for (let i = 0; i < inFeatures; i++) for (let o = from; o < end; o++) store[i * stride + o] = halves[o * inFeatures + i]!;
  }
}

/** values: `rows` rows of the file, which become the columns from `from` on. */
type Put = (values: Float32Array, from: number, rows: number) => void;

function plain(words: Uint32Array<ArrayBuffer>, stride: number, inFeatures: number, precision: 'f32' | 'f16'): Put {
  const store = precision === 'f32' ? new Float32Array(words.buffer) : new Uint16Array(words.buffer);
  return (values, from, rows) => {
    for (let i = 0; i < inFeatures; i++) {
      const at = i * stride + from;
      for (let r = 0; r < rows; r++) {
        const value = values[r * inFeatures + i]!;
        store[at + r] = precision === 'f32' ? value : toHalf(value);
      }
    }
  };
}

function quantizer(words: Uint32Array<ArrayBuffer>, scales: Uint32Array, stride: number, group: number, inFeatures: number, precision: 'int8' | 'int4', symmetric: boolean): Put {
  const codes = new Int8Array(words.buffer);
  const nibbles = new Uint8Array(words.buffer);
  const [inverse, offset] = [new Float64Array(ROWS), new Float64Array(ROWS)];
  return (values, from, rows) => {
    for (let first = 0, g = 0; first < inFeatures; first += group, g++) {
      const end = Math.min(inFeatures, first + group);
      for (let r = 0; r < rows; r++) {
        let low = 0;
        let high = 0;
        for (let at = r * inFeatures + first, last = r * inFeatures + end; at < last; at++) {
          const value = values[at]!;
          if (value < low) low = value;
          else if (value > high) high = value;
        }
        const found = scaleOf(low, high, precision, symmetric);
        inverse[r] = 1 / found.scale;
        offset[r] = found.offset;
        scales[g * stride + from + r] = found.word;
      }
      if (precision === 'int8') int8Codes(values, codes, inverse, inFeatures, stride, first, end, from, rows);
      else int4Codes(values, nibbles, inverse, offset, inFeatures, stride, first, end, from, rows);
    }
  };
}

/** No clamp: scale is the largest magnitude over 127, rounded to float32. floor(x + ½) is Math.round, several times faster. */
function int8Codes(values: Float32Array, codes: Int8Array, inverse: Float64Array, inFeatures: number, stride: number, first: number, end: number, from: number, rows: number): void {
  for (let i = first; i < end; i++) {
    const at = i * stride + from;
    for (let r = 0, k = i; r < rows; r++, k += inFeatures) codes[at + r] = Math.floor(values[k]! * inverse[r]! + 0.5);
  }
}

function int4Codes(values: Float32Array, nibbles: Uint8Array, inverse: Float64Array, offset: Float64Array, inFeatures: number, stride: number, first: number, end: number, from: number, rows: number): void {
  for (let i = first; i < end; i++) {
    const at = i * stride + from;
    for (let r = 0, k = i; r < rows; r++, k += inFeatures) {
      const code = Math.floor((values[k]! - offset[r]!) * inverse[r]! + 0.5);
      nibbles[(at + r) >> 1]! |= (code < 0 ? 0 : code > 15 ? 15 : code) << (((at + r) & 1) * 4);
    }
  }
}
