import type { Method } from '../methods/method';
import type { StepMetrics } from '../protocol/messages';
import type { Recipe } from '../protocol/recipe';
import type { Base } from './base';
import type { TrainState } from './checkpoint';
import type { Dataset } from './dataset';
import type { LearnedConcept } from './fields';

export type TrainerStep = Omit<StepMetrics, 'runId'> & { phase: 'extractor' | 'student'; totalSteps: number; /** running median of λ*, 1 before stage 2 */ lambda: number };

export interface Trainer {
  readonly totalSteps: number;
  /** Optimizer steps done. */
  readonly step: number;
  readonly stage: 'extractor' | 'student' | 'finished';
  readonly lambda: number;
  /** One yield per optimizer step; returns after the last. Call again after an abort to go on. Throws Fault `not-finite`. */
  steps(signal?: AbortSignal): AsyncGenerator<TrainerStep>;
  /** A copy of the state after the last finished step. */
  exportState(): Promise<TrainState>;
  /** What has been learned so far as tensors of its own (cheap, shares data): for previews, fields, export. The caller disposes it (disposeConcept). */
  concept(): LearnedConcept;
  dispose(): void;
}
export declare function createTrainer(options: { base: Base; method: Method; recipe: Recipe; dataset: Dataset; state?: unknown; between?: () => Promise<void> }): Promise<Trainer>;
