/** The report of a run as the page knows it: what `npm run demo` completes and writes as run.json, and anyone may save. */
import { RUN_REPORT_VERSION, type RunReport } from '../protocol/runReport';
import type { StepMetrics } from '../protocol/run';
import type { StudioState } from './slice';

const median = (values: readonly number[]): number | null => {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
const seconds = (rows: readonly StepMetrics[]): number => (median(rows.map(({ stepMs }) => stepMs)) ?? 0) / 1000;

/** Last steps over which λ* and the cosine are taken, as in the offline reference. */
const LAST_STEPS = 100;

/** Null until there is a run and something measured. */
export function runReport({ run, metrics, measures, compute, conceptName }: Pick<StudioState, 'run' | 'metrics' | 'measures' | 'compute' | 'conceptName'>): RunReport | null {
  if (!run || !measures || !compute) return null;
  const student = metrics.filter(({ stage }) => stage === 'student');
  const last = student.slice(-LAST_STEPS);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const perStep = (pick: (row: StepMetrics) => number[]) => median(last.flatMap((row) => (pick(row).length ? [mean(pick(row))] : [])));
  return {
    version: RUN_REPORT_VERSION, app: 'Lamina', set: conceptName, recipe: run.recipe, backend: compute.backend, adapter: compute.adapter, threads: compute.threads,
    steps: [...metrics],
    secondsPerStep: { extractor: seconds(metrics.filter(({ stage }) => stage === 'extractor')), student: seconds(student) },
    secondsTotal: metrics.reduce((sum, { stepMs }) => sum + stepMs, 0) / 1000,
    lambdaStar: perStep((row) => row.lambdaStar), cosine: perStep((row) => row.cosine),
    measures, compare: null, peakTabBytes: null,
  };
}
