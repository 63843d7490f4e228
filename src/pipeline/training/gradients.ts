/** Gradients of the transformer as flat tensors, in the order of the parameter groups, and the name of a number in them. */
import { joinFlat } from '../../engine/kernels/flatCopy';
import * as tf from '../../engine/tf';
import type { Tensor1D } from '../../engine/tf';
import type { VelocityGradients } from '../../models/mmdit';
import { flattenGradients, parameterAt, type LoraLayout } from '../lora';
import type { Refusal } from './parameters';

export interface FlatGradients {
  /** In the layout's order. */
  adapter: Tensor1D;
  /** Rows, then the pooled delta; null where rows are not trained. */
  rows: Tensor1D | null;
}

/** Disposes what it is given; the caller disposes the result. `deltaNumbers`: length of the pooled delta, 0 without one. */
export function flatGradients(layout: LoraLayout, gradients: VelocityGradients, deltaNumbers: number): FlatGradients {
  const { sites, rows, pooledDelta } = gradients;
  const adapter = flattenGradients(layout, sites);
  const flatRows = rows && tf.tidy(() => joinFlat([rows, ...(pooledDelta ? [pooledDelta] : deltaNumbers ? [tf.zeros([deltaNumbers])] : [])]));
  tf.dispose([...Object.values(sites).flatMap(({ a, b }) => [a, b]), ...(rows ? [rows] : []), ...(pooledDelta ? [pooledDelta] : [])]);
  return { adapter, rows: flatRows };
}

/** In words, the gradient that held a step back. */
export function nameGradient(layout: LoraLayout, { group, index }: Exclude<Refusal, string>): string {
  if (group === 'rows') return 'the gradient of the concept rows';
  return index < 0 ? 'the norm of the gradient' : `the gradient of ${parameterAt(layout, index)}`;
}
