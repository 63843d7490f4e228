import { describe, expect, it } from 'vitest';
import type { StepMetrics } from '../../protocol/run';
import { figureScale, figuresBySigma, figuresBySteps, lossBySigma, lossBySteps, lossScale, newest } from './series';

const shown = ['lambdaStar', 'cosine'];
const names = ['flow', 'pure', 'anchor'];
const row = (step: number, changes: Partial<StepMetrics> = {}): StepMetrics =>
  ({ runId: 'r', step, stage: 'student', losses: { flow: 1, pure: 2 }, sigma: [0.9, 0.1], figures: { lambdaStar: [0.4, 0.6], cosine: [0.2, 0.4] }, gradientNorm: 1, stepMs: 1, ...changes });

describe('chart columns', () => {
  it('leaves gaps where a stage has no such figure', () => {
    const columns = lossBySteps([row(1, { losses: { flow: 3 } }), row(2)], names);
    expect(columns.map((column) => column[0])).toEqual([1, 3, null, null]);
    expect(newest(figuresBySteps([row(1, { figures: {} })], shown)[1])).toBeNull();
  });

  it('smooths towards the newest value', () => {
    const [, flow] = lossBySteps([row(1), row(2, { losses: { flow: 2 } })], names);
    expect(flow![1]).toBeGreaterThan(1);
    expect(flow![1]).toBeLessThan(2);
  });

  it('puts every sample at its own sigma, in order', () => {
    expect(figuresBySigma([row(1)], shown)).toEqual([[0.1, 0.9], [0.6, 0.4], [0.4, 0.2]]);
    expect(lossBySigma([row(1)], names)[0]).toEqual([0.5]);
    expect(figuresBySigma([], shown)).toEqual([[], [], []]);
  });

  it('takes any figures by their names, one of them alone too', () => {
    const rows = [row(1, { figures: { loyalty: [0.5, 0.7] } }), row(2, { figures: {} })];
    expect(figuresBySteps(rows, ['loyalty'])).toEqual([[1, 2], [0.6, null]]);
    expect(figuresBySigma(rows, ['loyalty'])).toEqual([[0.1, 0.9], [0.7, 0.5]]);
    expect(figuresBySigma(rows, ['loyalty', 'cosine'])).toEqual([[0.1, 0.9], [0.7, 0.5], [null, null]]);
  });

  it('scales losses to their data, and figures to their ranges as long as they stay there', () => {
    const [low, high] = lossScale(0.4, 0.5);
    expect(low).toBeCloseTo(0.394);
    expect(high).toBeCloseTo(0.506);
    expect(figureScale([[0, 1]])(0.2, 0.8)).toEqual([0, 1]);
    expect(figureScale([[0, 1], [-1, 0]])(-0.1, 1.7)).toEqual([-1, 1.7]);
  });

  it('does not let a figure that is no number break the line', () => {
    expect(lossBySteps([row(1, { losses: { flow: Number.NaN } }), row(2)], names)[1]).toEqual([null, 1]);
  });
});
