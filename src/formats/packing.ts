/**
 * Frozen weights in few bits. Layout [in,out] for forward and input gradient alike, rows padded to a multiple of eight
 * columns so that a row begins at a word. A weight is code · scale + offset; scale and offset belong to one column and to
 * `group` rows of it (all of them: one scale per output feature, as per-row int8 in [out,in] has).
 *   f32   a float a word                     f16   two halves a word
 *   int8  four signed codes a word, float32 scale                      (offset 0)
 *   int4  eight codes 0…15 a word, scale and offset as two halves of a word; symmetric: offset = −8·scale
 * Codes are chosen with the scale as stored, so rounding the scale adds no error of its own. No tensors, no GPU here.
 */
import { invariant } from '../engine/invariant';
import { fromHalf, toHalf } from './float16';

export type Precision = 'f32' | 'f16' | 'int8' | 'int4';

export interface Packing {
  precision: Precision;
  /** Input features that share a scale; 0 for all of them. */
  group?: number;
  /** int4 only: no offset but −8·scale. */
  symmetric?: boolean;
}

/** Packed weights that lie somewhere: how they are packed, and how to get them. */
export interface PackedLayer { packing: Packing; read(): Promise<PackedValues> }

export interface PackedValues {
  precision: Precision;
  inFeatures: number;
  outFeatures: number;
  /** outFeatures rounded up to eight. */
  stride: number;
  /** Rows under one scale, 1…inFeatures. */
  group: number;
  words: Uint32Array<ArrayBuffer>;
  /** One word a group and column, [⌈in/group⌉, stride]; empty for f32 and f16. */
  scales: Uint32Array<ArrayBuffer>;
}

/** Values a word. */
const PER_WORD: Record<Precision, number> = { f32: 1, f16: 2, int8: 4, int4: 8 };
const floats = (words: Uint32Array<ArrayBuffer>) => new Float32Array(words.buffer, words.byteOffset, words.length);

export interface PackedSizes {
  stride: number;
  group: number;
  /** Numbers of words. */
  words: number;
  scales: number;
}

/** What a layer takes when packed. */
export function packedSizes(inFeatures: number, outFeatures: number, { precision, group: asked = 0 }: Packing): PackedSizes {
  const stride = 8 * Math.ceil(outFeatures / 8);
  const group = Math.min(asked || inFeatures, inFeatures);
  const scaled = precision === 'int8' || precision === 'int4';
  return { stride, group, words: (inFeatures * stride) / PER_WORD[precision], scales: scaled ? Math.ceil(inFeatures / group) * stride : 0 };
}

export interface Scale { scale: number; offset: number; word: number }

export function scaleOf(low: number, high: number, precision: 'int8' | 'int4', symmetric: boolean): Scale {
  const top = Math.max(-low, high);
  if (precision === 'int8') {
    const scale = Math.fround(top / 127) || 1;
    return { scale, offset: 0, word: floatWord(scale) };
  }
  const half = toHalf(symmetric ? top / 7 : (high - low) / 15);
  const scale = fromHalf(half) || 1;
  const offset = toHalf(symmetric ? -8 * scale : low);
  return { scale, offset: fromHalf(offset), word: ((offset << 16) | toHalf(scale)) >>> 0 };
}

const single = new Float32Array(1);
const singleWord = new Uint32Array(single.buffer);

function floatWord(value: number): number {
  single[0] = value;
  return singleWord[0]!;
}

/** Codes of one column's group: finds the range, then rounds. `put` gets row and code. */
function quantizeGroup(values: Float32Array, column: number, columns: number, from: number, to: number, packing: { precision: 'int8' | 'int4'; symmetric: boolean }, put: (row: number, code: number) => void): number {
  let low = 0;
  let high = 0;
  for (let row = from; row < to; row++) {
    const value = values[row * columns + column]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const { scale, offset, word } = scaleOf(low, high, packing.precision, packing.symmetric);
  const inverse = 1 / scale;
  const [least, most] = packing.precision === 'int8' ? [-127, 127] : [0, 15];
  for (let row = from; row < to; row++) put(row, Math.max(least, Math.min(most, Math.round((values[row * columns + column]! - offset) * inverse))));
  return word;
}

/** values [in,out], row-major. */
export function pack(values: Float32Array, inFeatures: number, outFeatures: number, packing: Packing): PackedValues {
  invariant(values.length === inFeatures * outFeatures, `${values.length} weights for [${inFeatures},${outFeatures}]`);
  const { precision, symmetric = true } = packing;
  const { stride, group, ...sizes } = packedSizes(inFeatures, outFeatures, packing);
  const perWord = PER_WORD[precision];
  const words = new Uint32Array(sizes.words);
  const head = { precision, inFeatures, outFeatures, stride, group, words };
  if (precision === 'f32' || precision === 'f16') {
    const store = precision === 'f32' ? floats(words) : new Uint16Array(words.buffer);
    for (let row = 0; row < inFeatures; row++) {
      for (let column = 0; column < outFeatures; column++) {
        const value = values[row * outFeatures + column]!;
        store[row * stride + column] = precision === 'f32' ? value : toHalf(value);
      }
    }
    return { ...head, scales: new Uint32Array(0) };
  }
  const groups = Math.ceil(inFeatures / group);
  const scales = new Uint32Array(sizes.scales);
  const width = 32 / perWord;
  const mask = 2 ** width - 1;
  for (let g = 0; g < groups; g++) {
    for (let column = 0; column < outFeatures; column++) {
      const put = (row: number, code: number) => {
        const at = row * stride + column;
        words[Math.floor(at / perWord)]! |= (code & mask) << ((at % perWord) * width);
      };
      scales[g * stride + column] = quantizeGroup(values, column, outFeatures, g * group, Math.min(inFeatures, (g + 1) * group), { precision, symmetric }, put);
    }
  }
  return { ...head, scales };
}

/** The weights as they act, [in,out]. */
export function unpack({ precision, inFeatures, outFeatures, stride, group, words, scales }: PackedValues): Float32Array {
  const out = new Float32Array(inFeatures * outFeatures);
  const codes = new Int8Array(words.buffer);
  const halves = new Uint16Array(words.buffer);
  const singles = floats(words);
  const scaleFloats = floats(scales);
  for (let row = 0; row < inFeatures; row++) {
    const scaleRow = Math.floor(row / group) * stride;
    for (let column = 0; column < outFeatures; column++) {
      const at = row * stride + column;
      const word = scales[scaleRow + column] ?? 0;
      out[row * outFeatures + column] =
        precision === 'f32' ? singles[at]!
        : precision === 'f16' ? fromHalf(halves[at]!)
        : precision === 'int8' ? codes[at]! * scaleFloats[scaleRow + column]!
        : ((words[at >>> 3]! >>> ((at & 7) * 4)) & 15) * fromHalf(word & 0xffff) + fromHalf(word >>> 16);
    }
  }
  return out;
}
