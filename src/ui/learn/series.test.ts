import { describe, expect, it } from 'vitest';
import type { StepMetrics } from '../../protocol/run';
import { lambdaBySigma, lambdaBySteps, lambdaScale, lossBySigma, lossBySteps, lossScale, newest } from './series';

const names = ['flow', 'pure', 'anchor'];
const row = (step: number, changes: Partial<StepMetrics> = {}): StepMetrics =>
  ({ runId: 'r', step, stage: 'student', losses: { flow: 1, pure: 2 }, sigma: [0.9, 0.1], figures: { lambdaStar: [0.4, 0.6], cosine: [0.2, 0.4] }, gradientNorm: 1, stepMs: 1, ...changes });

describe('chart columns', () => {
  it('leaves gaps where a stage has no such figure', () => {
    const columns = lossBySteps([row(1, { losses: { flow: 3 } }), row(2)], names);
    expect(columns.map((column) => column[0])).toEqual([1, 3, null, null]);
    expect(newest(lambdaBySteps([row(1, { figures: {} })])[1])).toBeNull();
  });

  it('smooths towards the newest value', () => {
    const [, flow] = lossBySteps([row(1), row(2, { losses: { flow: 2 } })], names);
    expect(flow![1]).toBeGreaterThan(1);
    expect(flow![1]).toBeLessThan(2);
  });

  it('puts every sample at its own sigma, in order', () => {
    expect(lambdaBySigma([row(1)])).toEqual([[0.1, 0.9], [0.6, 0.4], [0.4, 0.2]]);
    expect(lossBySigma([row(1)], names)[0]).toEqual([0.5]);
    expect(lambdaBySigma([])).toEqual([[], [], []]);
  });

  it('scales losses to their data, and λ* to 0…1 as long as it stays there', () => {
    const [low, high] = lossScale(0.4, 0.5);
    expect(low).toBeCloseTo(0.394);
    expect(high).toBeCloseTo(0.506);
    expect(lambdaScale(0.2, 0.8)).toEqual([0, 1]);
    expect(lambdaScale(-0.1, 1.7)).toEqual([-0.1, 1.7]);
  });

  it('does not let a figure that is no number break the line', () => {
    expect(lossBySteps([row(1, { losses: { flow: Number.NaN } }), row(2)], names)[1]).toEqual([null, 1]);
  });
});
