/**
 * Velocity fields for sampling: the untouched base, the learned student, the goal while learning, and the balance between.
 * Every field is a weighted sum of evaluations whose weights add up to 1, so classifier-free guidance around it,
 * v0 + s·(v − v0) with v0 from the untouched base, is again one: Σ s·w_i (v_i − v0) added to v0, one fused pass.
 *   learned        v_base(Base) + balance·r,    r = v_student(Complete) − v_base(Base)
 *   while learning v_base(Base) + balance·λ·g,  g = v_extractor(Target) − its reference (recipe.guidanceReference)
 * Evaluations of weight 0 are not made: balance 0 evaluates the base alone, a learned balance 1 the student alone.
 */
import { invariant } from '../../engine/invariant';
import { guidanceFusion } from '../../engine/kernels/guidanceFusion';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { Fault } from '../../protocol/faults';
import type { Recipe } from '../../protocol/recipe';
import type { Base, EncodedPrompts, FlowBase } from '../base';
import { resultOf, type LearnedConcept } from '../concept';
import { evaluate, type Evaluation } from '../evaluate';
import { disposePrompts, encodePrompts, promptRoles } from '../prompts';

export interface Pacing {
  /** Awaited between blocks of the transformer. */
  between?: () => Promise<void>;
  signal?: AbortSignal;
}

/** Encoded prompts of K pictures, K rows each. */
export interface FieldWords {
  complete: EncodedPrompts;
  base: EncodedPrompts;
  target: EncodedPrompts;
  class: EncodedPrompts;
  /** The empty prompt. */
  null: EncodedPrompts;
  /** v0 of the guidance: the empty prompt, or what the user doesn't want. */
  negative: EncodedPrompts;
}

/** All roles of K prompts, with or without [V]. The caller disposes (disposeFieldWords). */
export function encodeFieldWords(base: Base, prompts: readonly string[], negative: string, recipe: Pick<Recipe, 'kind' | 'classWord'>): FieldWords {
  const roles = prompts.map((prompt) => promptRoles(prompt, recipe));
  const read = (texts: readonly string[]) => encodePrompts(base, texts, recipe.classWord);
  return {
    complete: read(roles.map((role) => role.complete)),
    base: read(roles.map((role) => role.base)),
    target: read(roles.map((role) => role.target)),
    class: read(roles.map((role) => role.class)),
    null: read(prompts.map(() => '')),
    negative: read(prompts.map(() => negative)),
  };
}

export function disposeFieldWords(words: FieldWords): void {
  for (const encoded of Object.values(words)) disposePrompts(encoded as EncodedPrompts);
}

export interface VelocityField {
  /** K, the rows of x it takes. */
  rows: number;
  /** v0 + guidance·(v − v0); guidance 1 is v itself and skips v0. The caller disposes. Fault `aborted`. */
  evaluate(x: Tensor4D, sigma: number, guidance: number, pacing?: Pacing): Promise<Tensor4D>;
}

export interface WeightedEvaluation extends Evaluation { weight: number }

/** A field from evaluations whose weights add up to 1. */
export function weightedField(base: FlowBase, negative: EncodedPrompts, parts: readonly WeightedEvaluation[]): VelocityField {
  const used = parts.filter(({ weight }) => weight !== 0);
  const rows = negative.at.length;
  invariant(Math.abs(used.reduce((sum, { weight }) => sum + weight, 0) - 1) < 1e-6, 'the weights of a field add up to 1');
  return {
    rows,
    async evaluate(x, sigma, guidance, { between = async () => {}, signal } = {}) {
      const paced = async () => {
        await between();
        if (signal?.aborted) throw new Fault('aborted', 'Stopped.');
      };
      await paced();
      const scaled = used.map((part) => ({ ...part, weight: part.weight * guidance }));
      // The first one stands for v0; what the others leave of 1 is its weight.
      const [origin, ...others] = guidance === 1 ? used : [{ words: negative, adapter: null, rows: null }, ...scaled];
      const velocities = await evaluate(base, x, new Array<number>(rows).fill(sigma), [origin!, ...others], paced);
      const [v0, ...rest] = velocities;
      const weights = (others as WeightedEvaluation[]).map(({ weight }) => weight);
      const v = rest.length === 0 ? tf.clone(v0!) : (guidanceFusion(v0!, rest, weights) as Tensor4D);
      tf.dispose(velocities);
      return v;
    },
  };
}

const untouched = (words: EncodedPrompts, weight: number): WeightedEvaluation => ({ words, adapter: null, rows: null, weight });

/** The untouched base on the Base prompts. */
export function baseField(base: FlowBase, words: FieldWords): VelocityField {
  return weightedField(base, words.negative, [untouched(words.base, 1)]);
}

/** The concept's direction in units of the balance: r once learned, λ·g while learning; weights add up to 0. */
export function directionParts(words: FieldWords, concept: LearnedConcept): WeightedEvaluation[] {
  const { recipe, lambda } = concept;
  if (concept.learned) return [{ words: words.complete, ...resultOf(concept), weight: 1 }, untouched(words.base, -1)];
  const extractor = concept.adapters.extractor!;
  const reference = recipe.guidanceReference === 'null' ? { ...untouched(words.null, -lambda), adapter: extractor } : untouched(words.class, -lambda);
  return [{ words: words.target, adapter: extractor, rows: concept.rows.rows!, weight: lambda }, reference];
}

/** v_base(Base) + balance·direction. */
export function balancedField(base: FlowBase, words: FieldWords, concept: LearnedConcept, balance: number): VelocityField {
  const direction = balance === 0 ? [] : directionParts(words, concept).map((part) => ({ ...part, weight: part.weight * balance }));
  const original = untouched(words.base, 1);
  const last = direction.at(-1);
  // A learned direction subtracts the very evaluation it is added to: one evaluation, weight 1 − balance.
  if (last?.words === words.base) return weightedField(base, words.negative, [{ ...original, weight: 1 - balance }, direction[0]!]);
  return weightedField(base, words.negative, [original, ...direction]);
}

/**
 * The customized model itself, as exported: the student (the extractor in stage 1) on the prompts as they are, Base
 * prompts among them (customBase twins). `rows: false` leaves the concept rows out, as other tools draw it.
 */
export function conceptField(base: FlowBase, words: FieldWords, concept: LearnedConcept, { rows = true }: { rows?: boolean } = {}): VelocityField {
  const result = resultOf(concept);
  return weightedField(base, words.negative, [{ words: words.complete, adapter: result.adapter, rows: rows ? result.rows : null, weight: 1 }]);
}
