/** Guidance fusion for the shared suite: v0 + Σ wᵢ·mᵢ⊙(vᵢ − v0). */
import { guidanceFusion, guidanceFusionComposed } from '../../engine/kernels/guidanceFusion';
import * as tf from '../../engine/tf';
import { noise, type KernelCase, type KernelSpec } from './spec';

interface Options { weights: number[]; masks?: (Float32Array | null)[] }

/** K terms of n elements; every second one masked where asked. */
function fusionCase(n: number, weights: number[], masked = false, forwardOnly = false): KernelCase {
  const masks = weights.map((_, i) => (masked && i % 2 === 0 ? noise(n, 90 + i) : null));
  return {
    title: `[${n}], ${weights.length} terms${masked ? ', masks' : ''}`,
    shapes: Array.from({ length: weights.length + 1 }, () => [n]),
    options: { weights, masks } satisfies Options,
    forwardOnly,
  };
}

const call = (form: typeof guidanceFusion) => (inputs: tf.Tensor[], options: unknown): tf.Tensor[] => {
  const { weights, masks = [] } = options as Options;
  return tf.tidy(() => [form(inputs[0]!, inputs.slice(1), weights, masks.map((mask) => mask && tf.tensor1d(mask)))]);
};

export const guidanceFusionSpec: KernelSpec = {
  name: 'GuidanceFusion',
  cases: [
    ...[1, 63, 64, 65, 4099].map((n) => fusionCase(n, [0.7, -1.5])),
    fusionCase(65, []),
    fusionCase(65, [4]),
    fusionCase(65, [4, 0, -2, 1, 0.25, 3, -1, 0.5, 2]),
    fusionCase(65, [1, 2, -3, 0.5, 1.5], true),
    fusionCase(64 * 65_535 + 65, [1.5, -0.5], false, true),
  ],
  run: call(guidanceFusion),
  composed: call(guidanceFusionComposed),
  reference: (inputs, _shapes, options) => {
    const { weights, masks } = options as Options;
    const [v0, ...terms] = inputs;
    return [Float64Array.from(v0!, (origin, at) => terms.reduce((sum, v, i) => sum + weights[i]! * (masks?.[i]?.[at] ?? 1) * (v[at]! - origin), origin))];
  },
  // at most ten roundings of numbers up to the sum of |weights|, and the largest value is of that order too
  tolerance: { forward: 1e-6, gradient: 1e-5 },
};
