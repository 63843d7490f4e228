/**
 * What the optimizer moves: named flat groups of parameters with AdamW's moments, and one step over several of them that
 * happens to all or to none. Two stores keep them: on the CPU side (parametersCpu.ts: wasm and plain JavaScript) and on the
 * device (parametersGpu.ts: WebGPU), where a step reads nothing back but the few numbers it returns.
 */
import type { Tensor, Tensor1D } from '../../engine/tf';
import type { Moments } from './checkpoint';

export interface Move {
  /** Id of the group. */
  group: string;
  /** In the group's order. */
  gradient: Tensor1D;
  learningRate: number;
  weightDecay: number;
  /** Largest norm of the gradient; null leaves it as it is. */
  clip: number | null;
  /** Steps of this group so far, this one counted: 1, 2, … */
  step: number;
}

/** Why a step did not happen: a loss, or a gradient, is not finite. Index: the first number that is not; −1 where only their norm is too large for float32. */
export type Refusal = 'losses' | { group: string; index: number };

export interface Moved {
  /** Set where the step did not happen; nothing has changed then. */
  refused: Refusal | null;
  /** √Σ g² of each move, before clipping. */
  norms: number[];
  /** The numbers of losses and figures, in order. */
  numbers: Float32Array;
}

export interface Parameters {
  /** Adds a group or replaces one. The arrays are taken over. */
  set(name: string, moments: Moments): void;
  /** What cutFlat makes tensors from. To be looked at only, and before the next step. */
  values(name: string): Float32Array | Tensor1D;
  /** One AdamW step of every move's group, and in the same read the numbers of losses and figures. Disposes nothing it is given. */
  move(moves: readonly Move[], losses: readonly Tensor[], figures: readonly Tensor[]): Promise<Moved>;
  /** A copy of the group as it is now, whatever steps follow while it is read. */
  read(name: string): Promise<Moments>;
  dispose(): void;
}

/** Index of the first number that is not finite; −1 without one. */
export const firstNotFinite = (numbers: Float32Array): number => numbers.findIndex((value) => !Number.isFinite(value));
