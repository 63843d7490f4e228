/** What a step tells of itself: tensors of the loss before they are read, numbers for charts and session after. */
import * as tf from '../../engine/tf';
import type { Tensor1D } from '../../engine/tf';
import type { LossFigures } from '../../methods/method';

export interface StepFigures {
  /** Means over the batch by name, and `total`, their weighted sum. */
  losses: Record<string, number>;
  /** Sample by sample. */
  perSample: Record<string, number[]>;
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** [B] each, in the order in which nameFigures takes their numbers: all losses, then all figures. */
export function figureTensors({ terms, figures }: LossFigures): { losses: Tensor1D[]; figures: Tensor1D[] } {
  return { losses: Object.values(terms).map(({ perSample }) => perSample), figures: Object.values(figures) };
}

/** The numbers of figureTensors one after another, by name. */
export function nameFigures({ terms, figures }: LossFigures, numbers: Float32Array): StepFigures {
  let at = 0;
  const next = ({ size }: Tensor1D): number[] => Array.from(numbers.subarray(at, (at += size)));
  const losses: Record<string, number> = {};
  let total = 0;
  for (const [name, { perSample, weight }] of Object.entries(terms)) {
    losses[name] = average(next(perSample));
    total += weight * losses[name];
  }
  return { losses: { ...losses, total }, perSample: Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, next(figure)])) };
}

export function disposeFigures(parts: LossFigures): void {
  const { losses, figures } = figureTensors(parts);
  tf.dispose([...losses, ...figures]);
}
