/**
 * A learned concept as tensors: what fields and previews evaluate, what is kept on the Shelf and exported.
 * The owner disposes it. Names of its stored tensors: `<site>.a` [in,r], `<site>.b` [r,out], `rows` [depth,hidden],
 * `pooledDelta` [p], `tokens` [1,N,width], `word.clip_l` and `word.clip_g` [n,width].
 */
import * as tf from '../engine/tf';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '../engine/tf';
import type { StoredTensors } from '../formats/storedTensors';
import type { Evaluated } from '../methods/method';
import { methodOf } from '../methods';
import { stagesOf } from '../methods/meta';
import type { Adapter } from '../models/mmdit';
import type { PictureAdapter } from '../models/objectEncoder';
import type { Recipe } from '../protocol/recipe';
import { storedWord, wordTensors, type LearnedWord, type SpokenOf } from './learnedWord';
import { cloneAdapter, disposeAdapter } from './lora';
import type { ZeroTokens } from './zeroTokens';

export interface RowTensors { rows: Tensor2D; pooledDelta: Tensor1D | null }

/** What evaluations take, by parameter group. */
export interface Weights {
  adapters: Record<string, Adapter>;
  rows: Record<string, RowTensors>;
}

/** Whom or what a concept sees through a picture adapter, which whoever opened the concept keeps in place. */
export interface ConceptSight { adapter: PictureAdapter; /** [1,N,width]; the concept's. */ tokens: Tensor3D }

/** A stored concept has the weights of its result alone. */
export interface LearnedConcept extends Weights {
  /** The groups that stand for the concept: what is drawn, kept and exported. */
  result: Pick<Evaluated, 'adapter' | 'rows'>;
  /** Unit of the balance: running median of λ*; 1 before there is one. */
  lambda: number;
  /** True once learning is over: balance then means v_base + balance·r; before, v_base + balance·λ·g. */
  learned: boolean;
  recipe: Recipe;
  /** Where the method's evaluations see. */
  sight?: ConceptSight | null;
  /** What the text encoders read at its [V], where it came with a word learned elsewhere. Plain numbers: nothing to dispose. */
  word?: LearnedWord | null;
}

/** The tensors of a concept's result. They stay the concept's. */
export function resultOf({ adapters, rows, result }: LearnedConcept): { adapter: Adapter | null; rows: RowTensors | null } {
  return { adapter: result.adapter === null ? null : adapters[result.adapter]!, rows: result.rows === null ? null : rows[result.rows]! };
}

/** How its prompts are read. */
export const spokenOf = ({ recipe, word = null }: LearnedConcept): SpokenOf & ZeroTokens => ({ ...recipe, word });

const cloneRows = (rows: RowTensors): RowTensors => ({ rows: tf.clone(rows.rows), pooledDelta: rows.pooledDelta && tf.clone(rows.pooledDelta) });

export function disposeRows(rows: RowTensors | null): void {
  rows?.rows.dispose();
  rows?.pooledDelta?.dispose();
}

const mapped = <T>(record: Record<string, T>, change: (value: T) => T): Record<string, T> => Object.fromEntries(Object.entries(record).map(([id, value]) => [id, change(value)]));

/** The same numbers under handles of its own. */
export const cloneWeights = ({ adapters, rows }: Weights): Weights => ({ adapters: mapped(adapters, cloneAdapter), rows: mapped(rows, cloneRows) });

export function disposeWeights({ adapters, rows }: Weights): void {
  Object.values(adapters).forEach(disposeAdapter);
  Object.values(rows).forEach(disposeRows);
}

const cloneSight = (sight: ConceptSight): ConceptSight => ({ ...sight, tokens: tf.clone(sight.tokens) });

export const cloneConcept = (concept: LearnedConcept): LearnedConcept => ({ ...concept, ...cloneWeights(concept), ...(concept.sight && { sight: cloneSight(concept.sight) }) });

export function disposeConcept(concept: LearnedConcept): void {
  disposeWeights(concept);
  concept.sight?.tokens.dispose();
}

/** What is kept of a concept: the adapter and the rows of its result. */
export async function storeConcept(concept: LearnedConcept): Promise<StoredTensors> {
  const stored: StoredTensors = {};
  const put = async (name: string, tensor: Tensor | null | undefined) => {
    if (tensor) stored[name] = { shape: tensor.shape.slice(), data: new Float32Array(await tensor.data<'float32'>()) };
  };
  const { adapter, rows } = resultOf(concept);
  for (const [name, { a, b }] of Object.entries(adapter ?? {})) {
    await put(`${name}.a`, a);
    await put(`${name}.b`, b);
  }
  await put('rows', rows?.rows);
  await put('pooledDelta', rows?.pooledDelta);
  await put('tokens', concept.sight?.tokens);
  return { ...stored, ...(concept.word && wordTensors(concept.word)) };
}

/** The concept that `storeConcept` stored. Its scale is 1: alpha = rank. Rows that its result does not read are left out. `adapter`: what it sees through, where it sees. */
export function restoreConcept(stored: StoredTensors, recipe: Recipe, lambda: number, adapter: PictureAdapter | null = null): LearnedConcept {
  const method = methodOf(recipe);
  const { adapter: pairsOf, rows } = method.stages[stagesOf(method.meta, recipe).at(-1)!.id]!.result(recipe);
  const make = <T extends Tensor>(name: string): T => tf.tensor(stored[name]!.data, stored[name]!.shape) as T;
  const sites = Object.keys(stored).flatMap((name) => (name.endsWith('.a') ? [name.slice(0, -2)] : []));
  const pairs = () => Object.fromEntries(sites.map((name) => [name, { a: make<Tensor2D>(`${name}.a`), b: make<Tensor2D>(`${name}.b`), scale: 1 }]));
  const table = () => ({ rows: make<Tensor2D>('rows'), pooledDelta: stored.pooledDelta ? make<Tensor1D>('pooledDelta') : null });
  const readRows = stored.rows ? rows : null;
  const word = storedWord(stored);
  return {
    adapters: pairsOf === null ? {} : { [pairsOf]: pairs() }, rows: readRows === null ? {} : { [readRows]: table() }, result: { adapter: pairsOf, rows: readRows }, lambda, learned: true, recipe,
    ...(word && { word }),
    ...(adapter && stored.tokens && { sight: { adapter, tokens: make<Tensor3D>('tokens') } }),
  };
}
