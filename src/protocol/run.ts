/** A training run and its steps, as the page hears of them. */
import type { PictureEvent } from './pictures';
import type { Recipe } from './recipe';
import type { Measures } from './runReport';

export type RunPhase = 'encoding' | 'learning' | 'paused' | 'stopped' | 'finished' | 'failed';

export interface RunInfo {
  runId: string;
  name: string;
  phase: RunPhase;
  /** Id of the stage that the next step belongs to, as the method names it. */
  stage: string;
  recipe: Recipe;
  /** Optimizer steps done, all stages counted. */
  step: number;
  totalSteps: number;
  /** Seconds left at the present pace, or null before it is known. */
  secondsLeft: number | null;
  /** Unit of the balance: the running median of the figure that the method says it is (PureCC: λ*); 1 before there is one. */
  lambda: number;
  /** Set when a run resumed on another backend or adapter is no longer bit-identical. */
  notIdentical: string;
  startedAt: string;
}

/** Whether steps are being made right now, or their pictures encoded. */
export const isMoving = (run: RunInfo | null): boolean => run !== null && (run.phase === 'encoding' || run.phase === 'learning');

/** One optimizer step, for the charts. */
export interface StepMetrics {
  runId: string;
  step: number;
  stage: string;
  losses: Record<string, number>;
  /** Per sample of the batch. */
  sigma: number[];
  /** What the method tells of each sample, by name; PureCC: lambdaStar, cosine, floorHit (0 or 1). */
  figures: Record<string, number[]>;
  /** Before clipping, of the first group that the stage trains. */
  gradientNorm: number;
  stepMs: number;
}

/** A stored row in today's form: rows of the first version had λ* and the cosine beside the losses. */
export function readStepMetrics(stored: unknown): StepMetrics {
  const { lambdaStar, cosine, floorHits: _, ...row } = stored as StepMetrics & { lambdaStar?: number[]; cosine?: number[]; floorHits?: number };
  return { ...row, figures: row.figures ?? { ...(lambdaStar?.length ? { lambdaStar } : {}), ...(cosine?.length ? { cosine } : {}) } };
}

/** Likeness and drift of the preview twins of a step, as far as they go. */
/** likeness: null where the base has no image encoder to tell. */
export interface Changed { runId: string; step: number; likeness: number | null; drift: number }

/** A run as it lies in the database, up to its newest checkpoint. */
export interface StoredRun {
  run: RunInfo;
  metrics: StepMetrics[];
  /** Its previews, and the untouched base's twin of them. */
  strip: PictureEvent[];
  changed: Changed | null;
  measures: Measures | null;
  /** Prompt and seed of the previews. */
  prompt: string;
  seed: number;
  ownedElsewhere: boolean;
}
