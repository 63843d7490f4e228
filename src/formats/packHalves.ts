/**
 * 16-bit rows to int8 with one scale a row, the case that most of an import is: the largest magnitude is found on the bits, values
 * get their float32 form without a look-up, and four codes are written as one word. The same codes as `pack` gives, bit for bit.
 */
import { fromHalf } from './float16';

/** A half's exponent and mantissa in a float's place are the value over 2¹¹². */
const HALF_UNIT = 2 ** 112;
const EXPONENT = { F16: 0x7c00, BF16: 0x7f80 } as const;

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);
const bfloat = (bits: number): number => {
  word[0] = bits << 16;
  return float[0]!;
};
const scaleWord = (scale: number): number => {
  float[0] = scale;
  return word[0]!;
};

/** Packs `rows` rows (a multiple of four) from a row of the file on; false, and nothing written, where one of their values is not finite. */
export function int8Rows(source: Uint16Array, dtype: 'F16' | 'BF16', rows: number, inFeatures: number, stride: number, words: Uint32Array<ArrayBuffer>, scales: Uint32Array): (from: number) => boolean {
  const values = new Float32Array(rows * inFeatures);
  const bits = new Uint32Array(values.buffer);
  const inverse = new Float64Array(rows);
  const isHalf = dtype === 'F16';

  /** The row's values into `values`, its largest magnitude's bits returned. */
  function decode(row: number, into: number): number {
    let most = 0;
    for (let at = row * inFeatures, end = at + inFeatures, to = into * inFeatures; at < end; at++, to++) {
      const half = source[at]!;
      const magnitude = half & 0x7fff;
      if (magnitude > most) most = magnitude;
      bits[to] = isHalf ? ((half & 0x8000) << 16) | (magnitude << 13) : half << 16;
    }
    return most;
  }

  return (from) => {
    for (let r = 0; r < rows; r++) {
      const most = decode(from + r, r);
      if (most >= EXPONENT[dtype]) return false;
      const scale = Math.fround((isHalf ? fromHalf(most) : bfloat(most)) / 127) || 1;
      scales[from + r] = scaleWord(scale);
      inverse[r] = (isHalf ? HALF_UNIT : 1) * (1 / scale);
    }
    for (let quad = 0; quad < rows; quad += 4) {
      const [a, b, c, d] = [inverse[quad]!, inverse[quad + 1]!, inverse[quad + 2]!, inverse[quad + 3]!];
      // rounds half up, as Math.round does: adding 128 makes truncation a floor
      for (let i = 0, k = quad * inFeatures, at = (from + quad) >> 2, step = stride >> 2; i < inFeatures; i++, k++, at += step) {
        words[at] = (((values[k]! * a + 128.5) | 0) - 128) & 255
          | ((((values[k + inFeatures]! * b + 128.5) | 0) - 128) & 255) << 8
          | ((((values[k + 2 * inFeatures]! * c + 128.5) | 0) - 128) & 255) << 16
          | (((values[k + 3 * inFeatures]! * d + 128.5) | 0) - 128) << 24;
      }
    }
    return true;
  };
}
