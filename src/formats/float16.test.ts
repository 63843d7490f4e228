import { describe, expect, it } from 'vitest';
import { fromHalf, toHalf } from './float16';

describe('halves', () => {
  it('go there and back for every half', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      expect(toHalf(fromHalf(bits))).toBe(bits);
      if (bits > 0) expect(toHalf(fromHalf(bits | 0x8000))).toBe(bits | 0x8000);
    }
  });

  it('round to the nearest, ties to even', () => {
    expect(fromHalf(toHalf(1 + 2 ** -11))).toBe(1);
    expect(fromHalf(toHalf(1 + 3 * 2 ** -11))).toBe(1 + 2 ** -9);
    expect(fromHalf(toHalf(1 + 2 ** -11 + 2 ** -20))).toBe(1 + 2 ** -10);
    expect(fromHalf(toHalf(2 ** -25))).toBe(0);
    expect(fromHalf(toHalf(1.5 * 2 ** -24))).toBe(2 ** -23);
    expect(fromHalf(toHalf(1e9))).toBe(65_504);
  });
});
