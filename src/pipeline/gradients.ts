/**
 * Gradients from the transformer to the optimizer: one flat read each for adapter and rows, refused by name when a number
 * is not finite, so that an optimizer never sees it. Disposes what it is given.
 */
import * as tf from '../engine/tf';
import type { VelocityGradients } from '../models/mmdit';
import { flattenGradients, parameterAt, type LoraLayout } from './lora';
import { notFinite } from './trainingStep';

export interface FlatGradients {
  /** In the layout's order. */
  adapter: Float32Array;
  /** Rows, then the pooled delta; null where rows are not trained. */
  rows: Float32Array | null;
}

/** Fault `not-finite` names the parameter and the step. `deltaNumbers`: length of the pooled delta, 0 without one. */
export async function readGradients(layout: LoraLayout, gradients: VelocityGradients, deltaNumbers: number, step: number): Promise<FlatGradients> {
  const adapterTensor = flattenGradients(layout, gradients.sites);
  const { rows: rowGradient, pooledDelta } = gradients;
  const rowsTensor = rowGradient && tf.tidy(() => tf.concat1d([tf.reshape<tf.Rank.R1>(rowGradient, [-1]), pooledDelta ?? tf.zeros<tf.Rank.R1>([deltaNumbers])]));
  for (const { a, b } of Object.values(gradients.sites)) tf.dispose([a, b]);
  rowGradient?.dispose();
  pooledDelta?.dispose();
  // Copies: a backend may hand out its own memory.
  const adapter = new Float32Array(await adapterTensor.data<'float32'>());
  const rows = rowsTensor && new Float32Array(await rowsTensor.data<'float32'>());
  adapterTensor.dispose();
  rowsTensor?.dispose();
  const bad = adapter.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw notFinite(`the gradient of ${parameterAt(layout, bad)}`, step);
  if (rows && !rows.every(Number.isFinite)) throw notFinite('the gradient of the concept rows', step);
  return { adapter, rows };
}
