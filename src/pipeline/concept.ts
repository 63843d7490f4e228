/**
 * A learned concept as tensors: what fields and previews evaluate, what is kept on the Shelf and exported.
 * The owner disposes it. Names of its stored tensors: `<site>.a` [in,r], `<site>.b` [r,out], `rows` [depth,hidden],
 * `pooledDelta` [p].
 */
import * as tf from '../engine/tf';
import type { Tensor, Tensor1D, Tensor2D } from '../engine/tf';
import type { StoredTensors } from '../formats/storedTensors';
import type { Adapter } from '../models/mmdit';
import type { Recipe } from '../protocol/recipe';
import { cloneAdapter, disposeAdapter } from './lora';

export interface RowTensors { rows: Tensor2D; pooledDelta: Tensor1D | null }

export interface LearnedConcept {
  /** Stage 1's adapter; needed only while learning. */
  extractor: Adapter | null;
  /** Null until stage 2 has begun. */
  student: Adapter | null;
  rows: RowTensors | null;
  /** Running median of λ*; 1 before stage 2. */
  lambda: number;
  /** True once learning is over: balance then means v_base + balance·r; before, v_base + balance·λ·g. */
  learned: boolean;
  recipe: Recipe;
}

export const cloneRows = (rows: RowTensors): RowTensors => ({ rows: tf.clone(rows.rows), pooledDelta: rows.pooledDelta && tf.clone(rows.pooledDelta) });

export function disposeRows(rows: RowTensors | null): void {
  rows?.rows.dispose();
  rows?.pooledDelta?.dispose();
}

/** The same numbers under handles of its own. */
export function cloneConcept(concept: LearnedConcept): LearnedConcept {
  const { extractor, student, rows } = concept;
  return { ...concept, extractor: extractor && cloneAdapter(extractor), student: student && cloneAdapter(student), rows: rows && cloneRows(rows) };
}

export function disposeConcept(concept: LearnedConcept): void {
  disposeAdapter(concept.extractor);
  disposeAdapter(concept.student);
  disposeRows(concept.rows);
}

/** What is kept of a concept: the student and the rows, never the extractor. */
export async function storeConcept(concept: LearnedConcept): Promise<StoredTensors> {
  const stored: StoredTensors = {};
  const put = async (name: string, tensor: Tensor | null | undefined) => {
    if (tensor) stored[name] = { shape: tensor.shape.slice(), data: new Float32Array(await tensor.data<'float32'>()) };
  };
  for (const [name, { a, b }] of Object.entries(concept.student ?? {})) {
    await put(`${name}.a`, a);
    await put(`${name}.b`, b);
  }
  await put('rows', concept.rows?.rows);
  await put('pooledDelta', concept.rows?.pooledDelta);
  return stored;
}

/** The concept that `storeConcept` stored. Its scale is 1: alpha = rank. */
export function restoreConcept(stored: StoredTensors, recipe: Recipe, lambda: number): LearnedConcept {
  const make = <T extends Tensor>(name: string): T => tf.tensor(stored[name]!.data, stored[name]!.shape) as T;
  const sites = Object.keys(stored).flatMap((name) => (name.endsWith('.a') ? [name.slice(0, -2)] : []));
  const student = Object.fromEntries(sites.map((name) => [name, { a: make<Tensor2D>(`${name}.a`), b: make<Tensor2D>(`${name}.b`), scale: 1 }]));
  const rows = stored.rows ? { rows: make<Tensor2D>('rows'), pooledDelta: stored.pooledDelta ? make<Tensor1D>('pooledDelta') : null } : null;
  return { extractor: null, student, rows, lambda, learned: true, recipe };
}
