import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../testing/backend';
import { layerNormSpec, normModulateSpec, rmsNormSpec, type NormOptions } from '../../testing/kernels/normRows';
import { describeKernel } from '../../testing/kernels/suite';
import { adapterTraits } from '../webgpu/adapterTraits';
import { lanesFor } from './normRows';

describe.each(['wasm', 'cpu'] as const)('on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // the largest cases are about dispatch limits, and the variants about workgroups: only a GPU has either
  for (const spec of [layerNormSpec, normModulateSpec, rmsNormSpec]) {
    describeKernel({ ...spec, cases: spec.cases.filter(({ forwardOnly, options }) => !forwardOnly && ((options as NormOptions).lanes ?? 1) === 1) });
  }
});

describe('the variant', () => {
  const { software } = adapterTraits;
  afterEach(() => { adapterTraits.software = software; });

  it('shares a row between threads on a graphics card only, fewer where rows are short', () => {
    adapterTraits.software = false;
    expect([64, 128, 512, 1536].map(lanesFor)).toEqual([16, 16, 64, 64]);
    adapterTraits.software = true;
    expect([64, 1536].map(lanesFor)).toEqual([1, 1]);
  });
});
