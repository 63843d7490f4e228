import { describe, expect, it } from 'vitest';
import { noise } from '../testing/kernels/suite';
import { pack, packedSizes, unpack, type Packing } from './packing';

const [IN, OUT] = [70, 13];
const weights = noise(IN * OUT, 3).map((value, i) => value * (1 + (i % OUT)));
/** Largest error of each column over half a step of its scale. */
function worstInSteps(packing: Packing, step: (column: number[]) => number): number {
  const acting = unpack(pack(weights, IN, OUT, packing));
  const group = packing.group || IN;
  let worst = 0;
  for (let column = 0; column < OUT; column++) {
    for (let from = 0; from < IN; from += group) {
      const rows = Array.from({ length: Math.min(group, IN - from) }, (_, i) => (from + i) * OUT + column);
      const size = step(rows.map((at) => weights[at]!));
      for (const at of rows) worst = Math.max(worst, Math.abs(acting[at]! - weights[at]!) / size);
    }
  }
  return worst;
}
const top = (column: number[]) => Math.max(...column.map(Math.abs));
const span = (column: number[]) => Math.max(0, ...column) - Math.min(0, ...column);

describe('packing', () => {
  it('keeps float32 as it is', () => {
    expect(unpack(pack(weights, IN, OUT, { precision: 'f32' }))).toEqual(weights);
  });

  // Half a step by rounding; the rest is the scale's own: one in 2,048 of fifteen steps for int4, less for int8.
  it.each([
    [{ precision: 'int8' }, (column: number[]) => top(column) / 127],
    [{ precision: 'int8', group: 32 }, (column: number[]) => top(column) / 127],
    [{ precision: 'int4', group: 32 }, (column: number[]) => top(column) / 7],
    [{ precision: 'int4', group: 32, symmetric: false }, (column: number[]) => span(column) / 15],
  ] satisfies [Packing, (column: number[]) => number][])('%j is off by half a step at most', (packing, step) => {
    expect(worstInSteps(packing, step)).toBeLessThan(0.515);
    expect(worstInSteps(packing, step)).toBeGreaterThan(0.4);
  });

  it('gives a row to each scale where groups are of one', () => {
    const acting = unpack(pack(weights, IN, OUT, { precision: 'int8', group: 1 }));
    acting.forEach((value, i) => expect(value).toBeCloseTo(weights[i]!, 5));
  });

  it.each([{ precision: 'f32' }, { precision: 'f16' }, { precision: 'int8' }, { precision: 'int4', group: 32 }] satisfies Packing[])('says how many words %j takes', (packing) => {
    const { words, scales } = pack(weights, IN, OUT, packing);
    expect(packedSizes(IN, OUT, packing)).toMatchObject({ words: words.length, scales: scales.length });
  });

  it('packs zeros, and refuses a wrong count', () => {
    for (const precision of ['int8', 'int4'] as const) expect([...unpack(pack(new Float32Array(16), 2, 8, { precision }))].every((value) => value === 0)).toBe(true);
    expect(() => pack(weights, IN, OUT + 1, { precision: 'f32' })).toThrow('910 weights');
  });
});
