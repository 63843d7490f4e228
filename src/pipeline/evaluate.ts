/**
 * Several evaluations of the transformer at one point, in as few forward passes as possible: equal ones are made once, and rows
 * whose adapter is the same share a pass (rows without [V] ignore the concept rows, so they batch with those that have one).
 */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import type { Adapter, Between, ConceptRows, MmditInput } from '../models/mmdit';
import { velocityAsync } from '../models/mmdit';
import type { EncodedPrompts, FlowBase } from './base';
import type { RowTensors } from './concept';
import { disposeAdapter, sumAdapters, type WeightedAdapter } from './lora';

export interface Evaluation {
  words: EncodedPrompts;
  /** One adapter, or several with their weights. */
  adapter: Adapter | readonly WeightedAdapter[] | null;
  /** Concept rows for the [V] of these words; null leaves the text stream alone. */
  rows: RowTensors | null;
  /** Rows of further concepts by the name that the words call them, [name]. */
  named?: Readonly<Record<string, RowTensors>>;
}

type Adapters = Evaluation['adapter'];
const listOf = (adapter: Adapters): readonly WeightedAdapter[] => (adapter === null ? [] : Array.isArray(adapter) ? (adapter as readonly WeightedAdapter[]) : [{ adapter: adapter as Adapter, weight: 1 }]);

function sameAdapters(a: Adapters, b: Adapters): boolean {
  if (a === b) return true;
  const [first, second] = [listOf(a), listOf(b)];
  return first.length === second.length && first.every(({ adapter, weight }, i) => adapter === second[i]!.adapter && weight === second[i]!.weight);
}
/** Whether what both say of [V] and of each name can go into one pass. */
function compatibleRows(a: Evaluation, b: Evaluation): boolean {
  const agree = (one: RowTensors | null | undefined, other: RowTensors | null | undefined) => !one || !other || one === other;
  return agree(a.rows, b.rows) && Object.entries(a.named ?? {}).every(([name, rows]) => agree(rows, b.named?.[name]));
}

/** Whether two evaluations have the same value: the same words, adapters and rows, or rows that no word of theirs reads. */
export function sameEvaluation(a: Evaluation, b: Evaluation): boolean {
  const read = (rows: RowTensors | null | undefined, at: readonly number[] | undefined) => (rows && at?.some((position) => position >= 0) ? rows : null);
  const names = new Set([...Object.keys(a.named ?? {}), ...Object.keys(b.named ?? {})]);
  return a.words === b.words && sameAdapters(a.adapter, b.adapter) && read(a.rows, a.words.at) === read(b.rows, b.words.at)
    && [...names].every((name) => read(a.named?.[name], a.words.named?.[name]) === read(b.named?.[name], b.words.named?.[name]));
}

/** The rows of one mark over all evaluations of a pass; null where none of them reads any. */
function rowsOf(evaluations: readonly Evaluation[], rows: (evaluation: Evaluation) => RowTensors | null | undefined, at: (words: EncodedPrompts) => readonly number[] | undefined): ConceptRows | null {
  const table = evaluations.map(rows).find(Boolean);
  const places = evaluations.flatMap((evaluation) => (rows(evaluation) ? at(evaluation.words) : undefined) ?? evaluation.words.at.map(() => -1));
  return table && places.some((position) => position >= 0) ? { ...table, at: places } : null;
}

/** Inputs of one pass: x and sigma repeated once for each evaluation. The caller disposes with disposeStacked. */
export function stack(x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[]): { input: MmditInput; rows: ConceptRows | null } {
  const names = [...new Set(evaluations.flatMap(({ named }) => Object.keys(named ?? {})))];
  const marked = [rowsOf(evaluations, ({ rows }) => rows, ({ at }) => at), ...names.map((name) => rowsOf(evaluations, ({ named }) => named?.[name], ({ named }) => named?.[name]))];
  const [first, ...others] = marked.filter((rows) => rows !== null);
  return {
    input: {
      x: evaluations.length === 1 ? tf.clone(x) : tf.concat4d(evaluations.map(() => x), 0),
      sigma: evaluations.flatMap(() => [...sigma]),
      context: tf.concat3d(evaluations.map(({ words }) => words.context), 0),
      pooled: tf.concat2d(evaluations.map(({ words }) => words.pooled), 0),
    },
    rows: first ? { ...first, ...(others.length > 0 && { others }) } : null,
  };
}

export const disposeStacked = ({ input }: { input: MmditInput }): void => tf.dispose([input.x, input.context, input.pooled]);

/** One pass: evaluations of equal adapters. */
async function pass(base: FlowBase, x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[], between: Between): Promise<Tensor4D[]> {
  const { adapter } = evaluations[0]!;
  const summed = Array.isArray(adapter) ? sumAdapters(adapter as readonly WeightedAdapter[]) : null;
  const stacked = stack(x, sigma, evaluations);
  try {
    const all = await velocityAsync(base.mmdit, stacked.input, summed ?? (adapter as Adapter | null), stacked.rows, between);
    const parts = tf.split<Tensor4D>(all, evaluations.length, 0);
    all.dispose();
    return parts;
  } finally {
    disposeAdapter(summed);
    disposeStacked(stacked);
  }
}

/** One velocity per evaluation, in order. x [K,h,w,C]; every evaluation's words have K rows. What `between` throws passes through. The caller disposes. */
export async function evaluate(base: FlowBase, x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[], between: Between): Promise<Tensor4D[]> {
  const once = evaluations.filter((evaluation, i) => evaluations.findIndex((other) => sameEvaluation(other, evaluation)) === i);
  const passes: Evaluation[][] = [];
  for (const evaluation of once) {
    const fitting = passes.find((members) => sameAdapters(members[0]!.adapter, evaluation.adapter) && members.every((member) => compatibleRows(member, evaluation)));
    if (fitting) fitting.push(evaluation);
    else passes.push([evaluation]);
  }
  const made = new Map<Evaluation, Tensor4D>();
  try {
    for (const members of passes) (await pass(base, x, sigma, members, between)).forEach((velocity, i) => made.set(members[i]!, velocity));
    return evaluations.map((evaluation) => tf.clone(made.get(once.find((other) => sameEvaluation(other, evaluation))!)!));
  } finally {
    made.forEach((velocity) => velocity.dispose());
  }
}
