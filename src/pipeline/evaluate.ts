/**
 * Several evaluations of the transformer at one point, as few forward passes as possible: rows whose adapter is the same
 * share a pass (rows without [V] ignore the concept rows, so they batch with those that have one).
 */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import type { Adapter, Between, ConceptRows, MmditInput } from '../models/mmdit';
import { velocityAsync } from '../models/mmdit';
import type { EncodedPrompts, FlowBase } from './base';
import type { RowTensors } from './concept';

export interface Evaluation {
  words: EncodedPrompts;
  adapter: Adapter | null;
  /** Concept rows for the [V] of these words; null leaves the text stream alone. */
  rows: RowTensors | null;
}

/** Inputs of one pass: x and sigma repeated once for each evaluation. The caller disposes with disposeStacked. */
export function stack(x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[]): { input: MmditInput; rows: ConceptRows | null } {
  const rows = evaluations.find((evaluation) => evaluation.rows)?.rows ?? null;
  const at = evaluations.flatMap((evaluation) => (evaluation.rows ? evaluation.words.at : evaluation.words.at.map(() => -1)));
  return {
    input: {
      x: evaluations.length === 1 ? tf.clone(x) : tf.concat4d(evaluations.map(() => x), 0),
      sigma: evaluations.flatMap(() => [...sigma]),
      context: tf.concat3d(evaluations.map(({ words }) => words.context), 0),
      pooled: tf.concat2d(evaluations.map(({ words }) => words.pooled), 0),
    },
    rows: rows && at.some((position) => position >= 0) ? { ...rows, at } : null,
  };
}

export const disposeStacked = ({ input }: { input: MmditInput }): void => tf.dispose([input.x, input.context, input.pooled]);

/** One velocity per evaluation, in order. x [K,h,w,C]; every evaluation's words have K rows. What `between` throws passes through. The caller disposes. */
export async function evaluate(base: FlowBase, x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[], between: Between): Promise<Tensor4D[]> {
  const velocities: Tensor4D[] = [];
  try {
    for (const adapter of new Set(evaluations.map((evaluation) => evaluation.adapter))) {
      const members = evaluations.flatMap((evaluation, i) => (evaluation.adapter === adapter ? [i] : []));
      const stacked = stack(x, sigma, members.map((i) => evaluations[i]!));
      try {
        const all = await velocityAsync(base.mmdit, stacked.input, adapter, stacked.rows, between);
        tf.split<Tensor4D>(all, members.length, 0).forEach((part, n) => (velocities[members[n]!] = part));
        all.dispose();
      } finally {
        disposeStacked(stacked);
      }
    }
    return velocities;
  } catch (error) {
    for (const velocity of Object.values(velocities)) velocity.dispose();
    throw error;
  }
}
