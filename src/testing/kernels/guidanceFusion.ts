/** Guidance fusion for the shared suite: v0 + Σ wᵢ·mᵢ⊙(vᵢ − v0), of single velocities and of those that lie in the passes of a model. */
import { guidanceFusion, guidanceFusionComposed, guidanceFusionOf, guidanceFusionOfComposed } from '../../engine/kernels/guidanceFusion';
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

/** Terms as [source, place in it, weight, mask or −1]; v0 is the first velocity of the first source. */
export interface SlicesOptions { shape: number[]; terms: [number, number, number, number][]; masks: number[][] }

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const weights = [0.7, -1.5, 2, 0.25, -0.4, 1.1];

/** `members` of each source; every velocity but v0 is a term, masked by turns. `masks` are the shapes of the masks. */
export function slicesCase(shape: number[], members: readonly number[], masks: number[][] = [], forwardOnly = true): KernelCase {
  const all = members.flatMap((count, source) => Array.from({ length: count }, (_, at) => [source, at] as const)).slice(1);
  const terms = all.map(([source, at], i): SlicesOptions['terms'][number] => [source, at, weights[i % weights.length]!, masks.length > 0 ? (i % (masks.length + 1)) - 1 : -1]);
  return {
    title: `[${shape}], ${all.length} terms in ${members.length} passes${masks.length > 0 ? `, masks ${masks.map((mask) => `[${mask}]`).join(' ')}` : ''}`,
    shapes: members.map((count) => [count * shape[0]!, ...shape.slice(1)]),
    options: { shape, terms, masks } satisfies SlicesOptions,
    forwardOnly,
  };
}

const callSlices = (form: typeof guidanceFusionOf) => (inputs: tf.Tensor[], options: unknown): tf.Tensor[] => {
  const { shape, terms, masks } = options as SlicesOptions;
  return tf.tidy(() => {
    const made = masks.map((mask, i) => tf.tensor(noise(size(mask), 90 + i), mask));
    return [form(shape as [number], { source: inputs[0]!, at: 0 }, terms.map(([source, at, weight, mask]) => ({ source: inputs[source]!, at, weight, mask: made[mask] ?? null })))];
  });
};

/** The mask's value at a place of the velocity. */
function maskAt(values: ArrayLike<number>, mask: number[], shape: number[], place: number): number {
  let [index, stride, rest] = [0, 1, place];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const at = rest % shape[axis]!;
    rest = (rest - at) / shape[axis]!;
    if (mask[axis] !== 1) index += at * stride;
    stride *= mask[axis]!;
  }
  return values[index]!;
}

export const guidanceFusionSlicesSpec: KernelSpec = {
  name: 'GuidanceFusion of passes',
  cases: [
    slicesCase([1, 2, 3, 4], [2]),
    slicesCase([2, 3, 3, 4], [2, 1, 3]),
    slicesCase([1, 3, 3, 3], [3, 2], [[1, 3, 3, 1]]),
    slicesCase([2, 3, 5, 4], [3, 1, 1, 1, 1, 1], [[1, 3, 5, 1], [1, 3, 5, 1], [1, 3, 5, 1]]),
    // masks that differ by row, by column, by channel: cells of other sizes
    slicesCase([2, 3, 5, 4], [6], [[2, 3, 5, 1], [1, 3, 1, 1]]),
    slicesCase([2, 3, 5, 4], [4], [[1, 1, 5, 4], [1, 1, 1, 1]]),
    // more terms than the table takes, and more passes than the buffers
    slicesCase([1, 4, 4, 4], [40], [[1, 4, 4, 1]]),
    slicesCase([1, 4, 4, 4], [2, ...new Array<number>(16).fill(1)], [[1, 4, 4, 1], [1, 4, 4, 1]]),
  ],
  run: callSlices(guidanceFusionOf),
  composed: callSlices(guidanceFusionOfComposed),
  reference: (inputs, _shapes, options) => {
    const { shape, terms, masks } = options as SlicesOptions;
    const n = size(shape);
    const cells = masks.map((mask, i) => noise(size(mask), 90 + i));
    return [Float64Array.from({ length: n }, (_, i) => {
      const origin = inputs[0]![i]!;
      return terms.reduce((sum, [source, at, weight, mask]) => sum + weight * (mask < 0 ? 1 : maskAt(cells[mask]!, masks[mask]!, shape, i)) * (inputs[source]![at * n + i]! - origin), origin);
    })];
  },
  // as many roundings as terms, of numbers up to the sum of |weights|
  tolerance: { forward: 3e-6, gradient: 1e-5 },
};
