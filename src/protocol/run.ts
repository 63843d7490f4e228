/** A training run and its steps, as the page hears of them. */
import type { Recipe } from './recipe';

export type RunPhase = 'encoding' | 'extractor' | 'student' | 'paused' | 'stopped' | 'finished' | 'failed';

export interface RunInfo {
  runId: string;
  name: string;
  phase: RunPhase;
  recipe: Recipe;
  /** Optimizer steps done, both stages counted. */
  step: number;
  totalSteps: number;
  /** Seconds left at the present pace, or null before it is known. */
  secondsLeft: number | null;
  /** Running median of λ* over the last 50 steps; 1 before stage 2. */
  lambda: number;
  /** Set when a run resumed on another backend or adapter is no longer bit-identical. */
  notIdentical: string;
  startedAt: string;
}

/** One optimizer step, for the charts. */
export interface StepMetrics {
  runId: string;
  step: number;
  stage: 'extractor' | 'student';
  losses: Record<string, number>;
  /** Per sample of the batch. */
  sigma: number[];
  lambdaStar: number[];
  cosine: number[];
  gradientNorm: number;
  floorHits: number;
  stepMs: number;
}
