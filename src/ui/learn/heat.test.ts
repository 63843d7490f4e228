import { expect, it } from 'vitest';
import { heatOf } from './heat';

const grey = (...values: number[]) => Uint8ClampedArray.from(values.flatMap((value) => [value, value, value, 255]));

it('counts what is seen to differ, and is the brighter the more it does', () => {
  const { pixels, changed } = heatOf(grey(10, 10, 10, 10), grey(10, 20, 80, 255));
  expect(changed).toBe(0.5);
  const red = [0, 4, 8, 12].map((at) => pixels[at]!);
  expect(red[0]).toBe(0);
  expect(red).toEqual([...red].sort((a, b) => a - b));
  expect(new Set(red).size).toBe(4);
});

it('sees a difference in one channel alone', () => {
  expect(heatOf(Uint8ClampedArray.from([9, 9, 200, 255]), Uint8ClampedArray.from([9, 9, 9, 255])).changed).toBe(1);
});
