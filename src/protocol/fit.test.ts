import { describe, expect, it } from 'vitest';
import { planStream } from '../models/streaming';
import { fitOf, USABLE_SHARE, type MemoryPlan } from './fit';
import { sd35Plan } from './sd35Plan';

const plan: MemoryPlan = {
  model: 'made up',
  weights: { f16: { blockBytes: [20, 20, 20], endsBytes: 10 }, int8: { blockBytes: [10, 10, 10], endsBytes: 10 }, int4: { blockBytes: [5, 5, 5], endsBytes: 10 } },
  rows: [{ task: 'learn', rank: 4, size: 512, workBytes: 20 }],
};
const at = (adapterBytes: number, precision: 'f16' | 'int8' | 'int4' = 'int8') => fitOf(plan, { task: 'learn', rank: 4 }, 512, adapterBytes / 0.9, precision);

describe('what fits', () => {
  it('is all of it, as many blocks as there is room for beside two places, or nothing', () => {
    expect(at(60)).toEqual({ verdict: 'fits', streamed: 0, bytes: 60, instead: null });
    expect(at(59)).toEqual({ verdict: 'streams', streamed: 3, bytes: 50, instead: null });
    expect(at(90, 'f16')).toEqual({ verdict: 'fits', streamed: 0, bytes: 90, instead: null });
    expect(at(89, 'f16')).toEqual({ verdict: 'streams', streamed: 3, bytes: 70, instead: null });
    expect(at(49)).toEqual({ verdict: 'does not fit', streamed: 3, bytes: 50, instead: 'int4' });
    expect(at(30)).toMatchObject({ verdict: 'does not fit', instead: null });
  });

  it('counts as many blocks to be streamed as the model then streams', () => {
    for (const { task, rank, size, workBytes } of sd35Plan.rows) {
      const { blockBytes, endsBytes } = sd35Plan.weights.f16;
      for (const gb of [6, 7, 8, 9]) {
        const fit = fitOf(sd35Plan, { task, rank }, size, gb * 1e9, 'f16')!;
        if (fit.verdict !== 'does not fit') expect(fit.streamed, `${task} ${rank} ${size} ${gb}`).toBe(blockBytes.length - planStream(blockBytes, gb * 1e9 * USABLE_SHARE - workBytes - endsBytes).staying);
      }
    }
  });

  it('is not said of what was not planned', () => {
    expect(fitOf(plan, { task: 'draw', rank: 0 }, 512, 1e9, 'int8')).toBeNull();
  });

  it('of SD3.5 Medium grows with the picture and shrinks with the bits', () => {
    for (const { task, rank } of sd35Plan.rows) {
      const bytes = [512, 768, 1024].map((size) => fitOf(sd35Plan, { task, rank }, size, 1e12, 'int8')!.bytes);
      expect([...bytes].sort((a, b) => a - b)).toEqual(bytes);
      expect(fitOf(sd35Plan, { task, rank }, 512, 1e12, 'f16')!.bytes).toBeGreaterThan(bytes[0]!);
    }
    expect(sd35Plan.weights.int8.blockBytes).toHaveLength(24);
  });
});
