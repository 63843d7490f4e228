import { expect, it } from 'vitest';
import { makeSizes } from './sizes';

const sizes = makeSizes({ own: { height: 128, width: 128 }, downscale: 8, channels: 16, patch: 2, mostPatches: 16 });

it('gives the size asked for and its latent, or the base’s own', () => {
  expect(sizes.pictureSize()).toEqual({ height: 128, width: 128 });
  expect(sizes.latentShape()).toEqual([16, 16, 16]);
  expect(sizes.latentShape({ height: 64, width: 256 })).toEqual([8, 32, 16]);
});

it.each([[0, 128], [128, 72], [272, 128], [Number.NaN, 128]])('refuses %i × %i', (height, width) => {
  expect(() => sizes.pictureSize({ height, width })).toThrow(expect.objectContaining({ code: 'base-mismatch' }));
  expect(() => sizes.latentShape({ height, width })).toThrow(expect.objectContaining({ code: 'base-mismatch' }));
});
