import { describe, expect, it } from 'vitest';
import { noise } from '../../testing/kernels/suite';
import { REFERENCE_CHANCES, referenceFor } from './references';

describe('the picture looked at', () => {
  const draws = 10_000;
  const chances = noise(draws * REFERENCE_CHANCES, 7).map((value) => Math.min(0.999999, Math.abs(value)));
  const chancesOf = (draw: number) => [...chances.subarray(draw * REFERENCE_CHANCES, (draw + 1) * REFERENCE_CHANCES)];

  it.each([2, 3, 5])('T1: is never the target among %d, and each other one equally often', (count) => {
    const seen = Array.from({ length: count }, () => new Array<number>(count).fill(0));
    for (let draw = 0; draw < draws; draw++) {
      const target = draw % count;
      const { index, single, augmentation } = referenceFor(target, count, chancesOf(draw));
      expect(index !== target && index >= 0 && index < count && !single && augmentation === null).toBe(true);
      seen[target]![index]!++;
    }
    for (const [target, row] of seen.entries()) row.forEach((times, index) => { if (index !== target) expect(Math.abs(times / (draws / count / (count - 1)) - 1)).toBeLessThan(0.15); });
    for (const edge of [0, 0.999999, 1]) expect(referenceFor(0, count, new Array<number>(REFERENCE_CHANCES).fill(edge)).index).not.toBe(0);
  });

  it('T1: of one picture is that one, said and changed', () => {
    const all = Array.from({ length: 100 }, (_, draw) => referenceFor(0, 1, chancesOf(draw)));
    expect(all.every(({ index, single, augmentation }) => index === 0 && single && augmentation !== null)).toBe(true);
    expect(new Set(all.map(({ augmentation }) => augmentation!.flip)).size).toBe(2);
    for (const name of ['scale', 'across', 'down', 'contrast', 'brightness'] as const) expect(new Set(all.map(({ augmentation }) => augmentation![name])).size, name).toBeGreaterThan(90);
    expect(() => referenceFor(2, 2, chancesOf(0))).toThrow(/picture 2 of 2/);
  });
});
