/** What a mask is called. */
import { expect, it } from 'vitest';
import type { Mask } from '../../protocol/mix';
import { masks, nameOf } from './masks';

const box = (left: number, top: number, right: number, bottom: number): Mask => ({ kind: 'box', left, top, right, bottom, feather: 0 });

it.each(masks.map((each) => [each.label, each.mask] as const))('calls %s as the menu does', (label, mask) => {
  expect(nameOf(mask)).toBe(label);
});

it.each([['left', box(0, 0, 0.66, 1)], ['right', box(0.34, 0, 1, 1)], ['top', box(0, 0, 1, 0.2)], ['bottom', box(0, 0.9, 1, 1)]] as const)('calls a box that reaches elsewhere by its side: %s', (name, mask) => {
  expect(nameOf(mask)).toBe(name);
});

it.each([box(0.1, 0, 0.6, 1), box(0, 0, 0.5, 0.5), box(0, 0, 1, 1), box(0.25, 0.25, 0.75, 0.7)])('calls any other a box: %o', (mask) => {
  expect(nameOf(mask)).toBe('box');
});
