import { describe, expect, it } from 'vitest';
import { normal } from '../pipeline/random';
import { eigenvalues, frechet } from './frechet';

const rows = (n: number, d: number, step: number, scale: readonly number[], shift = 0) => {
  const drawn = normal([n * d], { seed: 1, purpose: 'test', step });
  return Array.from({ length: n }, (_, i) => Array.from({ length: d }, (__, k) => shift + scale[k]! * drawn[i * d + k]!));
};

// roots of eigenvalues that are 0 but for rounding: six digits are left
describe('the Fréchet distance', () => {
  it('is none between a set and itself, whatever its order', () => {
    const set = rows(12, 5, 0, [1, 2, 3, 4, 5]);
    expect(frechet(set, set.toReversed())).toBeCloseTo(0, 5);
  });

  it('is (μ₁ − μ₂)² + (s₁ − s₂)² in one dimension', () => {
    // means 2 and 7, sample deviations 1 and 3
    expect(frechet([[1], [2], [3]], [[4], [7], [10]])).toBeCloseTo(25 + 4, 12);
  });

  it('is the sum over the axes where covariances commute, for sets of any two sizes', () => {
    const corners = (a: number, b: number, times: number) => Array.from({ length: times }, () => [[a, b], [a, -b], [-a, b], [-a, -b]]).flat();
    const [small, large] = [corners(1, 2, 1), corners(3, 1, 5)];
    const spread = (length: number, value: number) => value * Math.sqrt(length / (length - 1));
    const expected = (spread(4, 1) - spread(20, 3)) ** 2 + (spread(4, 2) - spread(20, 1)) ** 2;
    expect(frechet(small, large)).toBeCloseTo(expected, 6);
    expect(frechet(large, small)).toBeCloseTo(expected, 6);
  });

  it('falls as sets of one distribution grow', () => {
    const scale = [1, 1, 2, 2];
    expect(frechet(rows(100, 4, 1, scale), rows(100, 4, 2, scale))).toBeLessThan(frechet(rows(20, 4, 1, scale), rows(20, 4, 2, scale)));
  });
});

it('eigenvalues of a symmetric matrix', () => {
  expect(eigenvalues([[2, 1, 0], [1, 2, 1], [0, 1, 2]]).sort((a, b) => a - b).map((value) => value.toFixed(9))).toEqual([2 - Math.SQRT2, 2, 2 + Math.SQRT2].map((value) => value.toFixed(9)));
});
