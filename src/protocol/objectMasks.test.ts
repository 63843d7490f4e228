import { describe, expect, it } from 'vitest';
import { blankMask, inverted, maskBox, maskProblem, maskShare, painted, sameMask, type ObjectMask } from './objectMasks';

const middle = { u: 0.5, w: 0.5 };
/** A filled box of a 20 × 20 mask. */
const box = (left: number, top: number, right: number, bottom: number): ObjectMask => {
  const mask = blankMask(20);
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) mask.cells[20 * y + x] = 1;
  return mask;
};

describe('the brush', () => {
  it('paints a disc of its radius and leaves the mask it was given', () => {
    const before = blankMask(100);
    const after = painted(before, middle, middle, 0.1, false);
    expect(maskShare(after)).toBeCloseTo(Math.PI * 0.01, 2);
    expect(maskShare(before)).toBe(0);
  });

  it('covers the whole way between two places, so that a quick stroke has no gaps', () => {
    const { cells } = painted(blankMask(20), { u: 0.1, w: 0.525 }, { u: 0.9, w: 0.525 }, 0.05, false);
    expect([...cells.subarray(200, 220)]).toEqual([0, ...new Array<number>(18).fill(1), 0]);
  });

  it('takes away where it erases, and nothing else', () => {
    const full = inverted(blankMask(20));
    const holed = painted(full, { u: 0.25, w: 0.25 }, { u: 0.25, w: 0.25 }, 0.2, true);
    expect(holed.cells[20 * 5 + 5]).toBe(0);
    expect(holed.cells[20 * 15 + 15]).toBe(1);
  });

  it('may leave the picture at its edges', () => {
    expect(maskBox(painted(blankMask(20), { u: -0.5, w: 0.5 }, { u: 1.5, w: 0.5 }, 0.1, false))).toEqual({ left: 0, top: 8, right: 20, bottom: 12 });
  });
});

it('inverts what is the object', () => {
  const mask = box(0, 0, 10, 20);
  expect(maskShare(inverted(mask))).toBe(0.5);
  expect(inverted(mask).cells[0]).toBe(0);
  expect(sameMask(inverted(inverted(mask)), mask)).toBe(true);
  expect(sameMask(inverted(mask), mask)).toBe(false);
});

it('finds the box around the object', () => {
  expect(maskBox(box(3, 4, 9, 12))).toEqual({ left: 3, top: 4, right: 9, bottom: 12 });
  expect(maskBox(blankMask(20))).toBeNull();
  expect(maskBox({ side: 2, cells: [0.5, 0.6, 0.4, 0] })).toEqual({ left: 1, top: 0, right: 2, bottom: 1 });
});

describe('what can’t be encoded has a name and a way out', () => {
  it.each([
    ['mask-empty', box(0, 0, 0, 0)], ['mask-small', box(5, 5, 6, 8)], ['mask-full', box(0, 0, 20, 20)],
  ])('%s', (code, mask) => {
    const problem = maskProblem(mask, 'p1');
    expect(problem).toMatchObject({ code, subject: 'p1' });
    expect(problem!.remedy).not.toBe('');
  });

  it('lets through what lies between 1 and 95 %', () => {
    expect(maskProblem(box(5, 5, 7, 7), 'p1')).toBeNull();
    expect(maskProblem(box(0, 0, 20, 19), 'p1')).toBeNull();
  });
});
