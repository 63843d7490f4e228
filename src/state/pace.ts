/**
 * How long learning takes on this device: from the steps of the run that goes on, else from the last run here, else from the
 * picture the base has drawn. Null before any of these, so that no figure stands on the page before there is one.
 */
import type { Compute } from '../protocol/compute';
import type { Recipe } from '../protocol/recipe';
import type { StepMetrics } from '../protocol/run';
import type { StudioState } from './slice';

/** Seconds a picture of the batch takes in one step. */
export interface Pace { extractor: number; student: number }

/** A training step in evaluations of the model, backward passes included: measured on wasm with one thread, batch 2. */
const EVALUATIONS = { extractor: 2.7, student: 7.9 };
/** Steps whose median is the pace of a stage. */
const LAST_STEPS = 20;
const PACE_KEY = 'lamina.pace';

const middle = (values: number[]): number | null => values.toSorted((a, b) => a - b)[values.length >> 1] ?? null;

/** Seconds of a step in a stage, from the newest steps; null where the stage has none. */
export function stepSeconds(metrics: readonly StepMetrics[], stage: StepMetrics['stage']): number | null {
  const ms = middle(metrics.filter((row) => row.stage === stage).slice(-LAST_STEPS).map(({ stepMs }) => stepMs));
  return ms === null ? null : ms / 1000;
}

const engine = ({ backend, adapter, threads }: Compute): string => `${backend} ${adapter} ${threads}`;

/** Remembers the pace of a run that has gone through both stages. */
export function rememberPace(memory: Pick<Storage, 'setItem'> | null, { metrics, compute, run }: Pick<StudioState, 'metrics' | 'compute' | 'run'>): void {
  const [extractor, student] = [stepSeconds(metrics, 'extractor'), stepSeconds(metrics, 'student')];
  if (!compute || !run || extractor === null || student === null) return;
  const { batchSize } = run.recipe;
  memory?.setItem(PACE_KEY, JSON.stringify({ engine: engine(compute), extractor: extractor / batchSize, student: student / batchSize }));
}

/** The pace of the last run, if it was made on the same engine. */
export function rememberedPace(memory: Pick<Storage, 'getItem'> | null, compute: Compute): Pace | null {
  const text = memory?.getItem(PACE_KEY) ?? '';
  try {
    const { engine: of, extractor, student } = JSON.parse(text) as Partial<Pace> & { engine?: string };
    return of === engine(compute) && Number(extractor) > 0 && Number(student) > 0 ? { extractor: Number(extractor), student: Number(student) } : null;
  } catch {
    // Nothing remembered, or not by this app: the base's own picture tells.
    return null;
  }
}

/** The pace that a full picture of the base lets expect. */
export function drawnPace({ twins, guidance }: Pick<StudioState, 'twins' | 'guidance'>): Pace | null {
  const { base } = twins;
  if (base?.state !== 'full' || base.steps === 0) return null;
  const evaluation = base.elapsedMs / 1000 / (base.steps * (guidance > 1 ? 2 : 1));
  return { extractor: evaluation * EVALUATIONS.extractor, student: evaluation * EVALUATIONS.student };
}

export const runSeconds = (pace: Pace, { stage1Steps, stage2Steps, batchSize }: Pick<Recipe, 'stage1Steps' | 'stage2Steps' | 'batchSize'>): number =>
  batchSize * (stage1Steps * pace.extractor + stage2Steps * pace.student);

type Known = Pick<StudioState, 'pace' | 'twins' | 'guidance' | 'recipe'>;

/** Seconds that learning with the present recipe takes here, or null. */
export function learnSeconds(state: Known): number | null {
  const pace = state.pace ?? drawnPace(state);
  return pace && runSeconds(pace, state.recipe);
}

/** Seconds until a step of stage 1, counted from now; null while nothing is known. */
export function secondsUntil(step: number, state: Known & Pick<StudioState, 'run' | 'metrics'>): number | null {
  const pace = state.pace ?? drawnPace(state);
  const each = stepSeconds(state.metrics, 'extractor') ?? (pace && pace.extractor * state.recipe.batchSize);
  return each === null ? null : each * Math.max(0, step - (state.run?.step ?? 0));
}
