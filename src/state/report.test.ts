import { expect, it } from 'vitest';
import type { StepMetrics } from '../protocol/run';
import { defaultRecipe } from '../protocol/recipe';
import type { Measures } from '../protocol/runReport';
import { runReport } from './report';

const row = (step: number, stage: StepMetrics['stage'], lambda: number[], stepMs: number): StepMetrics =>
  ({ runId: 'r', step, stage, losses: {}, sigma: [0.5, 0.5], figures: lambda.length ? { lambdaStar: lambda, cosine: lambda } : {}, gradientNorm: 1, stepMs });
const run = { runId: 'r', name: 'n', phase: 'finished' as const, stage: 'student', recipe: defaultRecipe(), step: 4, totalSteps: 4, secondsLeft: null, lambda: 1, notIdentical: '', startedAt: '' };
const compute = { backend: 'wasm' as const, adapter: 'wasm', software: true, threads: 1, crossOriginIsolated: true, reason: '' };
const measures = { likeness: 0.5 } as Measures;

it('reports the median step of each stage and the median of the steps’ mean λ*', () => {
  const metrics = [row(1, 'extractor', [], 100), row(2, 'extractor', [], 300), row(3, 'student', [0.2, 0.4], 500), row(4, 'student', [0.6, 1], 700), row(5, 'student', [0, 0], 900)];
  const report = runReport({ run, metrics, measures, compute, conceptName: 'set' })!;
  expect(report.secondsPerStep).toEqual({ extractor: 0.2, student: 0.7 });
  expect(Object.keys(report.figures)).toEqual(['lambdaStar', 'cosine']);
  expect(report.figures.lambdaStar).toBeCloseTo(0.3, 12);
  expect(report.secondsTotal).toBeCloseTo(2.5, 12);
});

it('is nothing without a run or a measurement', () => {
  expect(runReport({ run: null, metrics: [], measures, compute, conceptName: '' })).toBeNull();
  expect(runReport({ run, metrics: [], measures: null, compute, conceptName: '' })).toBeNull();
});
