import { describe, expect, it } from 'vitest';
import { growth } from '../../scripts/growth.mjs';
import { noise } from './kernels/suite';

const jitter = noise(20, 5);
const samples = (value: (step: number, n: number) => number) => Array.from({ length: 19 }, (_, n) => ({ step: 200 + 100 * n, value: value(200 + 100 * n, n) }));

describe('whether memory grows', () => {
  it('calls noise flat, and one bad sample at the end too', () => {
    expect(growth(samples((_, n) => 100 + 5 * jitter[n]!)).grows).toBe(false);
    expect(growth(samples((_, n) => (n === 18 ? 200 : 100))).grows).toBe(false);
  });

  it('finds a leak of a twentieth of the level, noise or not', () => {
    expect(growth(samples((step) => 100 + step / 300)).grows).toBe(true);
    expect(growth(samples((step, n) => 100 + step / 300 + 0.5 * jitter[n]!)).grows).toBe(true);
  });

  it('finds one tensor a hundred steps among six hundred', () => {
    expect(growth(samples((step) => 600 + Math.floor(step / 80)))).toMatchObject({ grows: true });
    expect(growth(samples(() => 614))).toMatchObject({ rise: 0, grows: false });
  });

  it('gives each part a level of its own, and still finds what leaks in both', () => {
    const stepped = samples((step) => (step < 1000 ? 614 : 708)).map((one) => ({ ...one, part: one.step < 1000 ? 'first' : 'second' }));
    expect(growth(stepped)).toMatchObject({ rise: 0, grows: false });
    expect(growth(stepped.map((one) => ({ ...one, value: one.value + one.step / 40 }))).grows).toBe(true);
  });

  it('allows what a step keeps by design', () => {
    const rows = samples((step) => 8e6 + 900 * step);
    expect(growth(rows).grows).toBe(true);
    expect(growth(rows, { floor: 2e6 }).grows).toBe(false);
    expect(growth(rows, { floor: 1e6 }).grows).toBe(true);
    expect(growth(rows, { keptPerStep: 1024 }).grows).toBe(false);
  });
});
