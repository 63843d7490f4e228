import { expect, it } from 'vitest';
import { seenOf } from './run';

it('measures against what was learned from: its crop and the mask that was brushed, no captions', () => {
  const crop = { x: 1, y: 2, size: 3 }, file = new Blob(), mask = { side: 2, cells: Uint8Array.of(0, 1, 1, 0) };
  const captions = { complete: 'a [V] dog', base: 'a dog', target: '[V] dog' };
  const named = (pictureId: string) => ({ pictureId, name: pictureId, crop, file });
  const seen = seenOf({ pictures: [{ ...named('a'), captions, mask }, { ...named('b'), captions }] });
  expect(seen).toEqual([{ ...named('a'), mask }, named('b')]);
  expect(seen[1]).not.toHaveProperty('mask');
});
