/** Step metrics as chart columns: smoothed lines against the step, single samples against sigma. Pure functions. */
import type { StepMetrics } from '../../protocol/run';

/** x first, then one column a series; null where a series has no value. */
export type Columns = (number | null)[][];

/** Weight of the newest value in the running mean of the lines: about the last 20 steps. */
const SMOOTHING = 0.1;

function smooth(values: (number | null)[]): (number | null)[] {
  let mean: number | null = null;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    mean = mean === null ? value : mean + SMOOTHING * (value - mean);
    return mean;
  });
}

const average = (values: number[]): number | null => (values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length);
const finite = (value: number | undefined): number | null => (value === undefined || !Number.isFinite(value) ? null : value);

/** `names`: the losses that stand in the chart; `total` is their weighted sum and would hide them. */
export function lossBySteps(rows: readonly StepMetrics[], names: readonly string[]): Columns {
  return [rows.map((row) => row.step), ...names.map((name) => smooth(rows.map((row) => finite(row.losses[name]))))];
}

/** `names`: the per-sample figures that stand in the chart, each a batch's mean. */
export function figuresBySteps(rows: readonly StepMetrics[], names: readonly string[]): Columns {
  return [rows.map((row) => row.step), ...names.map((name) => smooth(rows.map((row) => average(row.figures[name] ?? []))))];
}

const ascending = (points: (number | null)[][]): Columns => {
  const sorted = points.toSorted((a, b) => a[0]! - b[0]!);
  const columns = Math.max(0, ...sorted.map((point) => point.length));
  return Array.from({ length: columns }, (_, n) => sorted.map((point) => point[n] ?? null));
};

/** A batch's losses at the mean sigma of its samples. */
export function lossBySigma(rows: readonly StepMetrics[], names: readonly string[]): Columns {
  const points = ascending(rows.map((row) => [average(row.sigma), ...names.map((name) => finite(row.losses[name]))]));
  return points.length > 0 ? points : [[], ...names.map(() => [])];
}

/** Each sample's figures at its own sigma; samples without any are left out. */
export function figuresBySigma(rows: readonly StepMetrics[], names: readonly string[]): Columns {
  const points = ascending(rows.flatMap((row) => row.sigma.flatMap((sigma, n) => {
    const values = names.map((name) => finite(row.figures[name]?.[n]));
    return values.some((value) => value !== null) ? [[sigma, ...values]] : [];
  })));
  return points.length > 0 ? points : [[], ...names.map(() => [])];
}

/** Losses fill their chart: only their course matters, not their distance from 0. */
export function lossScale(low: number, high: number): [number, number] {
  const room = 0.06 * Math.max(high - low, 1e-6);
  return [Math.max(0, low - room), high + room];
}

/** Figures stand on their ranges, and the chart grows only where they leave them. */
export const figureScale = (ranges: readonly (readonly [number, number])[]) => (low: number, high: number): [number, number] =>
  [Math.min(low, ...ranges.map(([least]) => least)), Math.max(high, ...ranges.map(([, most]) => most))];

/** The newest value of a column. */
export const newest = (column: (number | null)[] | undefined): number | null => column?.findLast((value) => value !== null) ?? null;
