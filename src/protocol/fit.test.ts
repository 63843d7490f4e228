import { describe, expect, it } from 'vitest';
import { planStream } from '../models/streaming';
import { ADAPTER_MEMORIES, fitOf, roomBeside, suggestedPrecision, USABLE_SHARE, type MemoryPlan } from './fit';
import { sd35Plan } from './sd35Plan';

const plan: MemoryPlan = {
  model: 'made up',
  weights: { f16: { blockBytes: [20, 20, 20], endsBytes: 10 }, int8: { blockBytes: [10, 10, 10], endsBytes: 10 }, int4: { blockBytes: [5, 5, 5], endsBytes: 10 } },
  rows: [{ task: 'learn', rank: 4, size: 512, workBytes: 20 }],
};
const at = (adapterBytes: number, precision: 'f16' | 'int8' | 'int4' = 'int8') => fitOf(plan, { task: 'learn', rank: 4 }, 512, adapterBytes / 0.9, precision);

describe('what fits', () => {
  it('is all of it, as many blocks as there is room for beside two places, one place, or nothing', () => {
    expect(at(60)).toEqual({ verdict: 'fits', streamed: 0, bytes: 60, instead: null });
    expect(at(59)).toEqual({ verdict: 'streams', streamed: 3, bytes: 50, instead: null });
    expect(at(90, 'f16')).toEqual({ verdict: 'fits', streamed: 0, bytes: 90, instead: null });
    expect(at(89, 'f16')).toEqual({ verdict: 'streams', streamed: 3, bytes: 70, instead: null });
    expect(at(49)).toEqual({ verdict: 'streams', streamed: 3, bytes: 40, instead: null });
    expect(at(39)).toEqual({ verdict: 'does not fit', streamed: 3, bytes: 40, instead: 'int4' });
    expect(at(30)).toMatchObject({ verdict: 'does not fit', instead: null });
  });

  it('counts as many blocks to be streamed as the model then streams', () => {
    for (const { task, rank, size, workBytes } of sd35Plan.rows) {
      const { blockBytes, endsBytes } = sd35Plan.weights.f16;
      // just above work and ends, where there is room for one place, for two, for a few blocks more, and for nearly all
      for (const room of [0.21e9, 0.3e9, 0.41e9, 0.7e9, 2e9, 4.4e9]) {
        const fit = fitOf(sd35Plan, { task, rank }, size, (workBytes + endsBytes + room) / USABLE_SHARE, 'f16')!;
        const { staying, mostBytes } = planStream(blockBytes, room);
        expect(fit, `${task} ${rank} ${size} ${room}`).toMatchObject({ verdict: 'streams', streamed: blockBytes.length - staying, bytes: workBytes + endsBytes + mostBytes });
      }
      expect(fitOf(sd35Plan, { task, rank }, size, (workBytes + endsBytes + 0.2e9) / USABLE_SHARE, 'f16')!.verdict).toBe('does not fit');
    }
  });

  it('leaves the weights the room in which as many blocks are streamed as it says', () => {
    const ranks = { draw: 0, learn: 32 } as const;
    for (const task of ['draw', 'learn'] as const) for (const size of [512, 768, 1024]) for (const gb of ADAPTER_MEMORIES) for (const precision of ['f16', 'int8', 'int4'] as const) {
      const { verdict, streamed } = fitOf(sd35Plan, { task, rank: ranks[task] }, size, gb * 1e9, precision)!;
      if (verdict === 'does not fit') continue;
      const { blockBytes } = sd35Plan.weights[precision];
      expect(blockBytes.length - planStream(blockBytes, roomBeside(sd35Plan, task, size, gb * 1e9)).staying, `${task} ${size} ${gb} GB ${precision}`).toBe(streamed);
    }
    expect(roomBeside(sd35Plan, 'draw', 640, 8e9)).toBe(roomBeside(sd35Plan, 'draw', 768, 8e9));
    expect(roomBeside(sd35Plan, 'draw', 1536, 8e9)).toBe(roomBeside(sd35Plan, 'draw', 1024, 8e9));
    expect(roomBeside(sd35Plan, 'learn', 1024, 2e9)).toBe(0);
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

describe('the suggested precision', () => {
  it('is the most exact in which SD3.5 Medium learns as a whole, and int4 only where nothing else runs', () => {
    const suggestions = ADAPTER_MEMORIES.map((gb) => suggestedPrecision(sd35Plan, gb * 1e9));
    expect(suggestions).toEqual(['int8', 'int8', 'f16', 'f16']);
    const learning = (gb: number, precision: 'f16' | 'int8') => fitOf(sd35Plan, { task: 'learn', rank: 4 }, 1024, gb * 1e9, precision)!.verdict;
    expect([learning(12, 'f16'), learning(8, 'f16'), learning(8, 'int8'), learning(6, 'int8')]).toEqual(['fits', 'streams', 'fits', 'streams']);
    // room for one block in 4 bits, and for none in 8
    const { endsBytes, blockBytes } = sd35Plan.weights.int4;
    const { workBytes } = sd35Plan.rows.find(({ task, rank, size }) => task === 'learn' && rank === 4 && size === 1024)!;
    expect(suggestedPrecision(sd35Plan, (workBytes + endsBytes + blockBytes[0]!) / USABLE_SHARE + 1)).toBe('int4');
    expect(suggestedPrecision(sd35Plan, 1e9)).toBe('int8');
  });
});
