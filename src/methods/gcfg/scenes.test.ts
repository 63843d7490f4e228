import { describe, expect, it } from 'vitest';
import { areContested, shareOut } from './scenes';

const of = (...values: number[]) => Float32Array.from(values);
const rounded = (masks: Float32Array[]) => masks.map((mask) => [...mask].map((value) => Math.round(1e5 * value) / 1e5));

describe('scenes that overlap', () => {
  it('are those whose masks sum to more than one somewhere', () => {
    expect(areContested([of(1, 0.5), of(0, 0.5)])).toBe(false);
    expect(areContested([of(1, 0.6), of(0, 0.5)])).toBe(true);
    expect(areContested([of(1, 1)])).toBe(false);
  });

  it('leave a place to the one that pulls most there, as far as it reaches, and the rest to the others', () => {
    // one row; what is pulled outside a mask does not count, and far enough apart that means do not mix
    const pulls = [of(9, 9, 9, 1, 1, 1, 9, 9, 9), of(5, 5, 5, 5, 5, 5, 5, 5, 5)];
    expect(rounded(shareOut([of(1, 1, 1, 1, 1, 1, 0.6, 0.6, 0), of(1, 1, 1, 1, 1, 1, 1, 1, 1)], pulls, 1, 9))).toEqual([[1, 1, 1, 0, 0, 0, 0.6, 0.6, 0], [0, 0, 0, 1, 1, 1, 0.4, 0.4, 1]]);
    const three = shareOut([of(0.8), of(0.5), of(0.25)], [of(3), of(2), of(1)], 1, 1);
    expect(rounded(three)).toEqual([[0.8], [0.13333], [0.06667]]);
  });

  it('stay as they are where they do not overlap, and what is contested sums to one', () => {
    const masks = [of(0.2, 1, 0.9, 0), of(0.3, 0, 0.7, 0)];
    const shared = shareOut(masks, [of(1, 1, 1, 1), of(2, 2, 2, 2)], 2, 2);
    expect(shared.map((mask) => [mask[0], mask[1], mask[3]])).toEqual(masks.map((mask) => [mask[0], mask[1], mask[3]]));
    expect(shared[0]![2]! + shared[1]![2]!).toBeCloseTo(1, 6);
    expect(masks[0]![2]).toBeCloseTo(0.9, 6);
  });

  it('compare what is pulled around a place, up, down and beside it, and not at it alone', () => {
    const everywhere = of(...new Array<number>(9).fill(1));
    const [edge, dot] = [of(4, 4, 4, 4, 0, 4, 4, 4, 4), of(0, 0, 0, 0, 9, 0, 0, 0, 0)];
    expect(shareOut([everywhere, everywhere], [edge, dot], 3, 3)[0]![4]).toBe(1);
  });
});
