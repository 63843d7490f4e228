/** float16 as bits, both ways: to a half it rounds to nearest, ties to even, overflow to ±65504 (a weight is never infinite). */
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
const LARGEST = 65_504;

export function toHalf(value: number): number {
  float[0] = Math.max(-LARGEST, Math.min(LARGEST, value));
  const sign = (bits[0]! >>> 16) & 0x8000;
  float[0] = Math.abs(float[0]);
  // Below 2⁻¹⁴ a half counts steps of 2⁻²⁴: adding ½ leaves exactly those bits in the mantissa, rounded by the processor.
  if (float[0] < 2 ** -14) {
    float[0] += 0.5;
    return sign | (bits[0]! - 0x3f000000);
  }
  const word = bits[0]!;
  // 127 − 15 = 112 off the exponent; half a step up, and one more where the last kept bit is odd.
  return sign | ((word - (112 << 23) + 0xfff + ((word >>> 13) & 1)) >>> 13);
}

function bitsApart(half: number): number {
  const exponent = (half >>> 10) & 31;
  const mantissa = half & 1023;
  const size = exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? (mantissa ? NaN : Infinity) : (1024 + mantissa) * 2 ** (exponent - 25);
  return half & 0x8000 ? -size : size;
}

let table: Float32Array | null = null;

/** What each of the 65,536 halves is, filled at first use (256 KiB): a look-up is many times faster than taking bits apart for each weight. */
export const halfTable = (): Float32Array => (table ??= Float32Array.from({ length: 65_536 }, (_, half) => bitsApart(half)));

export const fromHalf = (half: number): number => (table ?? halfTable())[half]!;
