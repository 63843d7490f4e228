/** Weighted squared distances for the shared suite; inputs are left and right of each term in turn, outputs the means and the gradient. */
import { weightedLoss, weightedLossComposed } from '../../engine/kernels/weightedLoss';
import * as tf from '../../engine/tf';
import type { KernelCase, KernelSpec, Values } from './spec';

interface Options { weights: number[]; keeps: (number[] | null)[] }

/** Every second term, from the second on, leaves out every second sample. */
const lossCase = (rows: number, n: number, weights: number[]): KernelCase => ({
  title: `[${rows},${n}], ${weights.length} terms`,
  shapes: weights.flatMap(() => [[rows, n], [rows, n]]),
  options: { weights, keeps: weights.map((_, t) => (t % 2 === 1 ? Array.from({ length: rows }, (__, row) => row % 2) : null)) } satisfies Options,
  // its gradient is an output: there is nothing to differentiate
  forwardOnly: true,
});

const call = (form: typeof weightedLoss) => (inputs: tf.Tensor[], options: unknown): tf.Tensor[] => tf.tidy(() => {
  const { weights, keeps } = options as Options;
  const { means, gradient } = form(weights.map((weight, t) => ({ left: inputs[2 * t]!, right: inputs[2 * t + 1]!, weight, ...(keeps[t] ? { keep: tf.tensor1d(keeps[t]) } : {}) })));
  return [...means, gradient];
});

/** Σ weight · batch mean of mean, and the means, in double precision. */
export function lossReference(inputs: Values[], [rows, n]: [number, number], { weights, keeps }: Options): { means: Float64Array[]; gradient: Float64Array } {
  const gradient = new Float64Array(rows * n);
  const means = weights.map((weight, t) => {
    const mean = new Float64Array(rows);
    for (let i = 0; i < rows * n; i++) {
      const row = Math.floor(i / n);
      const d = (keeps[t]?.[row] ?? 1) * (inputs[2 * t]![i]! - inputs[2 * t + 1]![i]!);
      mean[row]! += d ** 2 / n;
      gradient[i]! += (2 * weight * d) / (rows * n);
    }
    return mean;
  });
  return { means, gradient };
}

export const weightedLossSpec: KernelSpec = {
  name: 'WeightedLoss',
  cases: [
    ...[1, 63, 64, 65, 4099].map((n) => lossCase(2, n, [1, 0.7])),
    lossCase(2, 65, [-2]),
    lossCase(3, 65, [1, -0.5, 2]),
    lossCase(2, 65, [0.5, 1, -1, 3]),
    lossCase(65_600, 3, [1, 2]),
  ],
  run: call(weightedLoss),
  composed: call(weightedLossComposed),
  reference: (inputs, shapes, options) => {
    const { means, gradient } = lossReference(inputs, shapes[0] as [number, number], options as Options);
    return [...means, gradient];
  },
  // sums of 4,099 positive float32 numbers, piecewise on the GPU, in one go elsewhere
  tolerance: { forward: 1e-5, gradient: 0 },
};
