/**
 * Several evaluations of the transformer at one point, in as few forward passes as possible: equal ones are made once, and rows
 * whose adapter is the same share a pass, whichever concept rows their words read.
 */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import type { Adapter, Between, ConceptRows, MmditInput } from '../models/mmdit';
import { velocityAsync } from '../models/mmdit';
import type { EncodedPrompts, FlowBase } from './base';
import type { RowTensors } from './concept';
import { disposeAdapter, sumAdapters, type WeightedAdapter } from './lora';
import { alikeSeen, atLevels, expectFits, injectionOf, sameSeen, seenOf, type SeenPicture } from './seen';

export interface Evaluation {
  words: EncodedPrompts;
  /** One adapter, or several with their weights. */
  adapter: Adapter | readonly WeightedAdapter[] | null;
  /** Concept rows for the [V] of these words; null leaves the text stream alone. */
  rows: RowTensors | null;
  /** Blocks of the transformer that are left out (skip-layer guidance). */
  skip?: readonly number[];
  /** Rows of further concepts by the name that the words call them, [name]. */
  named?: Readonly<Record<string, RowTensors>>;
  /** At weight 0, without tokens and above its noise level it is the same evaluation as without. */
  seen?: SeenPicture | null;
}

type Adapters = Evaluation['adapter'];
/** As a list with weights, whichever way they were given. */
export const adaptersOf = (adapter: Adapters): readonly WeightedAdapter[] => (adapter === null ? [] : Array.isArray(adapter) ? (adapter as readonly WeightedAdapter[]) : [{ adapter: adapter as Adapter, weight: 1 }]);

function sameAdapters(a: Adapters, b: Adapters): boolean {
  if (a === b) return true;
  const [first, second] = [adaptersOf(a), adaptersOf(b)];
  return first.length === second.length && first.every(({ adapter, weight }, i) => adapter === second[i]!.adapter && weight === second[i]!.weight);
}
const skipped = ({ skip = [] }: Evaluation): string => [...new Set(skip)].sort((a, b) => a - b).join();

/** Whether two evaluations have the same value: the same words, picture, adapters and rows, or rows that no word of theirs reads. */
export function sameEvaluation(a: Evaluation, b: Evaluation): boolean {
  const read = (rows: RowTensors | null | undefined, at: readonly number[] | undefined) => (rows && at?.some((position) => position >= 0) ? rows : null);
  const names = new Set([...Object.keys(a.named ?? {}), ...Object.keys(b.named ?? {})]);
  return a.words === b.words && skipped(a) === skipped(b) && sameAdapters(a.adapter, b.adapter) && sameSeen(seenOf(a), seenOf(b)) && read(a.rows, a.words.at) === read(b.rows, b.words.at)
    && [...names].every((name) => read(a.named?.[name], a.words.named?.[name]) === read(b.named?.[name], b.words.named?.[name]));
}

type At = readonly number[];

/** Each table of rows that some evaluation of a pass reads, with its places; once more where one reads it under a second name. Those of [V] come first. */
function marksOf(evaluations: readonly Evaluation[]): ConceptRows[] {
  const marks: { table: RowTensors; places: Map<Evaluation, At> }[] = [];
  const read = (evaluation: Evaluation, table: RowTensors | null | undefined, at: At | undefined) => {
    if (!table || !at?.some((position) => position >= 0)) return;
    const mark = marks.find((each) => each.table === table && !each.places.has(evaluation));
    if (mark) mark.places.set(evaluation, at);
    else marks.push({ table, places: new Map([[evaluation, at]]) });
  };
  for (const evaluation of evaluations) read(evaluation, evaluation.rows, evaluation.words.at);
  for (const name of new Set(evaluations.flatMap(({ named }) => Object.keys(named ?? {})))) {
    for (const evaluation of evaluations) read(evaluation, evaluation.named?.[name], evaluation.words.named?.[name]);
  }
  return marks.map(({ table, places }) => ({ ...table, at: evaluations.flatMap((evaluation) => places.get(evaluation) ?? evaluation.words.at.map(() => -1)) }));
}

/** Inputs of one pass: x and sigma repeated once for each evaluation. The caller disposes with disposeStacked. */
export function stack(x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[]): { input: MmditInput; rows: ConceptRows | null } {
  const [first, ...others] = marksOf(evaluations);
  return {
    input: {
      x: evaluations.length === 1 ? tf.clone(x) : tf.concat4d(evaluations.map(() => x), 0),
      sigma: evaluations.flatMap(() => [...sigma]),
      context: tf.concat3d(evaluations.map(({ words }) => words.context), 0),
      pooled: tf.concat2d(evaluations.map(({ words }) => words.pooled), 0),
      injection: injectionOf(evaluations.map((each) => ({ seen: seenOf(each), rows: each.words.at.length }))),
    },
    rows: first ? { ...first, ...(others.length > 0 && { others }) } : null,
  };
}

export const disposeStacked = ({ input }: { input: MmditInput }): void => tf.dispose([input.x, input.context, input.pooled, ...(input.injection ? [input.injection.tokens] : [])]);

/** One pass: evaluations of equal adapters, blocks and ways of seeing, their velocities [members·K,h,w,C] one after the other. */
async function pass(base: FlowBase, x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[], between: Between): Promise<Tensor4D> {
  const { adapter: own, skip } = evaluations[0]!;
  const seen = seenOf(evaluations[0]!);
  if (seen) expectFits(base.mmdit, seen.adapter);
  const adapter: Adapters = seen?.adapter.lora ? [...adaptersOf(own), { adapter: seen.adapter.lora, weight: 1 }] : own;
  const summed = Array.isArray(adapter) ? sumAdapters(adapter as readonly WeightedAdapter[]) : null;
  const stacked = stack(x, sigma, evaluations);
  try {
    return await velocityAsync(base.mmdit, stacked.input, summed ?? (adapter as Adapter | null), stacked.rows, between, skip);
  } finally {
    disposeAdapter(summed);
    disposeStacked(stacked);
  }
}

/** Velocities where the passes left them. */
export interface Passes {
  /** [members·K,h,w,C] each. */
  outputs: Tensor4D[];
  /** Where each evaluation's K rows lie: the pass, and how many members stand before it. */
  at: { pass: number; member: number }[];
}

/** As `evaluate`, but nothing is taken apart or copied. The caller disposes the outputs. */
export async function evaluatePasses(base: FlowBase, x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[], between: Between): Promise<Passes> {
  const passes: Evaluation[][] = [];
  const at = evaluations.map((each) => atLevels(each, sigma)).map((evaluation) => {
    let pass = passes.findIndex(([member]) => member!.words.context.shape[1] === evaluation.words.context.shape[1] && sameAdapters(member!.adapter, evaluation.adapter) && skipped(member!) === skipped(evaluation) && alikeSeen(seenOf(member!), seenOf(evaluation)));
    if (pass < 0) pass = passes.push([]) - 1;
    const members = passes[pass]!;
    const known = members.findIndex((member) => sameEvaluation(member, evaluation));
    return { pass, member: known >= 0 ? known : members.push(evaluation) - 1 };
  });
  const outputs: Tensor4D[] = [];
  try {
    for (const members of passes) outputs.push(await pass(base, x, sigma, members, between));
    return { outputs, at };
  } catch (error) {
    tf.dispose(outputs);
    throw error;
  }
}

/** One velocity per evaluation, in order. x [K,h,w,C]; every evaluation's words have K rows. What `between` throws passes through. The caller disposes. */
export async function evaluate(base: FlowBase, x: Tensor4D, sigma: readonly number[], evaluations: readonly Evaluation[], between: Between): Promise<Tensor4D[]> {
  const { outputs, at } = await evaluatePasses(base, x, sigma, evaluations, between);
  const velocities = at.map(({ pass, member }) => tf.tidy(() => tf.slice(outputs[pass]!, [member * x.shape[0], 0, 0, 0], x.shape)));
  tf.dispose(outputs);
  return velocities;
}
