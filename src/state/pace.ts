/**
 * How long learning takes on this device: from the steps of the run that goes on, else from the last run here, else from the
 * picture the base has drawn. Null before any of these, so that no figure stands on the page before there is one.
 */
import type { Compute } from '../protocol/compute';
import { median } from '../protocol/median';
import { metaOf, stagesOfRecipe, type Recipe } from '../protocol/recipe';
import type { StepMetrics } from '../protocol/run';
import type { StudioState } from './slice';

/** Seconds a picture of the batch takes in one step, by stage. */
export type Pace = Record<string, number>;

/** Steps whose median is the pace of a stage. */
const LAST_STEPS = 20;
const PACE_KEY = 'lamina.pace';

/** Seconds of a step in a stage, from the newest steps; null where the stage has none. */
function stepSeconds(metrics: readonly StepMetrics[], stage: StepMetrics['stage']): number | null {
  const ms = median(metrics.filter((row) => row.stage === stage).slice(-LAST_STEPS).map(({ stepMs }) => stepMs));
  return ms === null ? null : ms / 1000;
}

/** A large base takes longer than the embedded one. */
const engine = ({ backend, adapter, threads }: Compute, base: string): string => `${backend} ${adapter} ${threads}${base === 'embedded' ? '' : ` ${base}`}`;

/** Remembers the pace of a run that has gone through all its stages. */
export function rememberPace(memory: Pick<Storage, 'setItem'> | null, { metrics, compute, run, usedBase }: Pick<StudioState, 'metrics' | 'compute' | 'run' | 'usedBase'>): void {
  if (!compute || !run) return;
  const stages = metaOf(run.recipe).stages.map(({ id }) => [id, stepSeconds(metrics, id)] as const);
  if (stages.some(([, seconds]) => seconds === null)) return;
  memory?.setItem(PACE_KEY, JSON.stringify({ engine: engine(compute, usedBase.id), ...Object.fromEntries(stages.map(([id, seconds]) => [id, seconds! / run.recipe.batchSize])) }));
}

/** The pace of the last run, if it was made on the same engine and base. */
export function rememberedPace(memory: Pick<Storage, 'getItem'> | null, compute: Compute, base: string): Pace | null {
  const text = memory?.getItem(PACE_KEY) ?? '';
  try {
    const { engine: of, ...stages } = JSON.parse(text) as Record<string, unknown>;
    return of === engine(compute, base) && Object.values(stages).every((seconds) => typeof seconds === 'number' && seconds > 0) ? (stages as Pace) : null;
  } catch {
    // Nothing remembered, or not by this app: the base's own picture tells.
    return null;
  }
}

/** The pace that a full picture of the base lets expect. */
export function drawnPace({ twins, guidance, recipe }: Pick<StudioState, 'twins' | 'guidance' | 'recipe'>): Pace | null {
  const { base } = twins;
  if (base?.state !== 'full' || base.steps === 0) return null;
  const evaluation = base.elapsedMs / 1000 / (base.steps * (guidance > 1 ? 2 : 1));
  return Object.fromEntries(metaOf(recipe).stages.map(({ id, cost }) => [id, evaluation * cost]));
}

/** Null where the pace is another method's. */
function runSeconds(pace: Pace, recipe: Recipe): number | null {
  const stages = stagesOfRecipe(recipe);
  return stages.every(({ id }) => pace[id] !== undefined) ? recipe.batchSize * stages.reduce((sum, { id, count }) => sum + count * pace[id]!, 0) : null;
}

type Known = Pick<StudioState, 'pace' | 'twins' | 'guidance' | 'recipe'>;

/** Seconds that learning with the present recipe takes here, or null. */
export function learnSeconds(state: Known): number | null {
  const pace = state.pace ?? drawnPace(state);
  return pace && runSeconds(pace, state.recipe);
}

/** Seconds until a step of the first stage, counted from now; null while nothing is known. */
export function secondsUntil(step: number, state: Known & Pick<StudioState, 'run' | 'metrics'>): number | null {
  const pace = state.pace ?? drawnPace(state);
  const first = metaOf(state.recipe).stages[0]!.id;
  const remembered = pace?.[first];
  const each = stepSeconds(state.metrics, first) ?? (remembered === undefined ? null : remembered * state.recipe.batchSize);
  return each === null ? null : each * Math.max(0, step - (state.run?.step ?? 0));
}
