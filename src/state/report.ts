/** The report of a run as the page knows it: what `npm run demo` completes and writes as run.json, and anyone may save. */
import { RUN_REPORT_VERSION, type RunReport } from '../protocol/runReport';
import type { StepMetrics } from '../protocol/run';
import { median } from '../protocol/median';
import { metaOf, stagesOfRecipe } from '../protocol/recipe';
import type { StudioState } from './slice';

const seconds = (rows: readonly StepMetrics[]): number => (median(rows.map(({ stepMs }) => stepMs)) ?? 0) / 1000;

/** Last steps over which the method's figures are taken, as in the offline reference. */
const LAST_STEPS = 100;

/** Null until there is a run and something measured. */
export function runReport({ run, metrics, measures, compute, conceptName }: Pick<StudioState, 'run' | 'metrics' | 'measures' | 'compute' | 'conceptName'>): RunReport | null {
  if (!run || !measures || !compute) return null;
  const stages = stagesOfRecipe(run.recipe);
  const last = metrics.filter(({ stage }) => stage === stages.at(-1)?.id).slice(-LAST_STEPS);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const perStep = (figure: string) => median(last.flatMap(({ figures: { [figure]: values } }) => (values?.length ? [mean(values)] : [])));
  return {
    version: RUN_REPORT_VERSION, app: 'Lamina', set: conceptName, recipe: run.recipe, backend: compute.backend, adapter: compute.adapter, threads: compute.threads,
    steps: [...metrics],
    secondsPerStep: Object.fromEntries(stages.map(({ id }) => [id, seconds(metrics.filter(({ stage }) => stage === id))])),
    secondsTotal: metrics.reduce((sum, { stepMs }) => sum + stepMs, 0) / 1000,
    figures: Object.fromEntries(metaOf(run.recipe).figures.map(({ name }) => [name, perStep(name)])),
    measures, compare: null, peakTabBytes: null,
  };
}
