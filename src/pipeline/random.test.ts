import { describe, expect, it } from 'vitest';
import { integers, normal, philox, uniform } from './random';

describe('philox', () => {
  // Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
  it.each([
    [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]],
  ] as const)('gives the published words for counter %j', (counter, key, words) => {
    expect(philox([...counter], [...key])).toEqual([...words]);
  });
});

describe('streams', () => {
  const key = { seed: 7, purpose: 'test', step: 3 } as const;

  it('depend on seed, purpose and step', () => {
    const first = normal([8], key);
    expect(normal([8], key)).toEqual(first);
    for (const other of [{ ...key, seed: 8 }, { ...key, step: 4 }, { ...key, purpose: 'picture' as const }]) expect(normal([8], other)).not.toEqual(first);
  });

  it('fill NCHW whatever the layout', () => {
    const flat = normal([2 * 3 * 4 * 5], key);
    const nhwc = normal([2, 4, 5, 3], key);
    // batch 1, row 2, column 3, channel 2
    expect(nhwc[((1 * 4 + 2) * 5 + 3) * 3 + 2]).toBe(flat[((1 * 3 + 2) * 4 + 2) * 5 + 3]);
  });

  it('are standard normal, uniform and whole', () => {
    const z = normal([40000], key);
    const mean = z.reduce((a, b) => a + b) / z.length;
    const variance = z.reduce((a, b) => a + (b - mean) ** 2, 0) / z.length;
    // Four standard errors of 40,000 draws: 4/√40000 = .02 and 4·√2/√40000 = .028.
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.028);
    const u = uniform(1000, key);
    expect(Math.min(...u)).toBeGreaterThan(0);
    expect(Math.max(...u)).toBeLessThan(1);
    expect(new Set(integers(200, 5, key))).toEqual(new Set([0, 1, 2, 3, 4]));
  });
});
