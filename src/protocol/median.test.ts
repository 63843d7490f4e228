import { expect, it } from 'vitest';
import { median } from './median';

it('is the middle value, between two the mean of both, and nothing of nothing', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 9])).toBe(3);
  expect(median([])).toBeNull();
});
