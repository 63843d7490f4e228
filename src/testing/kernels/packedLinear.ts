/**
 * The frozen linear layer for the shared suite: packed in every precision, through every tiling, with and without bias and
 * LoRA. Weights are quantized first and the reference multiplies by what they then act as: what is tested is the kernel,
 * not the rounding of weights (packing.test.ts).
 */
import { packedLinear, packedLinearGradient } from '../../engine/kernels/packedLinear';
import { loraGradient, loraLow } from '../../engine/kernels/lora';
import { disposeLinear, frozenLinear, linear, type FrozenLinear } from '../../engine/ops';
import { withGradient } from '../../engine/ops/withGradient';
import type { OnGpu } from '../../engine/packed/packedMatrix';
import { pack, unpack, type Packing } from '../../formats/packing';
import { TILINGS, type Tiling } from '../../engine/webgpu/tiling';
import * as tf from '../../engine/tf';
import { noise, type KernelCase, type KernelSpec } from './spec';

interface Options { inputs: number; outputs: number; rank: number; packing: Packing; tiling: Tiling; bias: boolean }

const SCALE = 0.5;
const weights = ({ inputs, outputs, packing }: Options) => unpack(pack(noise(inputs * outputs, 71), inputs, outputs, packing));
const biasOf = ({ outputs, bias }: Options) => (bias ? noise(outputs, 72) : null);

function linearCase(rows: number, inputs: number, outputs: number, rank: number, tiling: Tiling, packing: Packing, { bias = true, forwardOnly = false } = {}): KernelCase {
  const { precision, group = 0, symmetric = true } = packing;
  return {
    title: `[${rows},${inputs}]·[${inputs},${outputs}] ${precision}${group ? ` groups of ${group}` : ''}${symmetric ? '' : ' with offset'}, rank ${rank}, ${tiling}${bias ? '' : ', no bias'}`,
    shapes: [[rows, inputs], ...(rank ? [[inputs, rank], [rank, outputs]] : [])],
    options: { inputs, outputs, rank, packing, tiling, bias } satisfies Options,
    forwardOnly,
  };
}

/** Layers outlive the way back; `release` frees them. */
const made: FrozenLinear[] = [];

function withLayer(options: Options, values: Float32Array, packing: Packing, f: (w: FrozenLinear) => tf.Tensor): tf.Tensor[] {
  const bias = biasOf(options);
  const w = frozenLinear(values, options.inputs, options.outputs, bias && tf.keep(tf.tensor1d(bias)), packing);
  // made inside the tape's scope
  if (w.weight) tf.keep(w.weight);
  made.push(w);
  return [f(w)];
}
/** The kernels with the tiling of the case, whatever the adapter prefers. */
function tiled(w: FrozenLinear, tiling: Tiling, [x, a, b]: tf.Tensor[]): tf.Tensor {
  const matrix = w.packed as OnGpu;
  if (!a || !b) return withGradient({ x: x! }, () => packedLinear(x as tf.Tensor2D, matrix, w.bias, null, tiling), (dy) => ({ x: () => packedLinearGradient(dy, matrix, null, tiling) }));
  return withGradient(
    { x: x!, a, b },
    (save) => {
      const low = loraLow(x as tf.Tensor2D, a as tf.Tensor2D, SCALE, false);
      save([low]);
      return packedLinear(x as tf.Tensor2D, matrix, w.bias, { low, factor: b as tf.Tensor2D }, tiling);
    },
    (dy, [low]) => {
      const dLow = loraLow(dy, b as tf.Tensor2D, SCALE, true);
      return {
        x: () => packedLinearGradient(dy, matrix, { low: dLow, factor: a as tf.Tensor2D }, tiling),
        a: () => loraGradient(x as tf.Tensor2D, dLow, false),
        b: () => loraGradient(dy, low as tf.Tensor2D, true),
      };
    },
  );
}

const composedForm = (inputs: tf.Tensor[], options: Options): tf.Tensor[] => tf.tidy(() => {
  const [x, a, b] = inputs as [tf.Tensor2D, tf.Tensor2D?, tf.Tensor2D?];
  const w = tf.tensor2d(weights(options), [options.inputs, options.outputs]);
  const bias = biasOf(options);
  const plain = bias ? tf.add(tf.matMul(x, w), tf.tensor1d(bias)) : tf.matMul(x, w);
  return [a && b ? tf.add(plain, tf.mul(tf.matMul(tf.matMul(x, a), b), SCALE)) : plain];
});

const int8: Packing = { precision: 'int8' };

export const packedLinearSpec: KernelSpec = {
  name: 'PackedLinear',
  cases: [
    ...TILINGS.flatMap((tiling) => [
      linearCase(1, 1, 1, 0, tiling, { precision: 'f32' }),
      linearCase(63, 65, 64, 0, tiling, { precision: 'f32' }),
      linearCase(65, 63, 67, 4, tiling, { precision: 'f16' }, { bias: false }),
      linearCase(64, 130, 65, 3, tiling, int8),
      linearCase(66, 96, 72, 1, tiling, { precision: 'int8', group: 32 }),
      linearCase(33, 100, 61, 9, tiling, { precision: 'int4', group: 32 }),
      linearCase(33, 72, 132, 16, tiling, { precision: 'int4', group: 64, symmetric: false }),
      linearCase(300, 8, 8, 2, tiling, { precision: 'f32' }),
    ]),
    linearCase(65_600, 3, 5, 2, 'small', int8, { forwardOnly: true }),
    // the registers' form takes sizes of a multiple of four, and leaves others to `small`
    linearCase(37, 68, 52, 5, 'registers', { precision: 'f16' }, { bias: false }),
    linearCase(65_600, 4, 5, 2, 'registers', int8, { forwardOnly: true }),
  ],
  run: (inputs, options) => {
    const given = options as Options;
    const onGpu = tf.getBackend() === 'webgpu';
    return withLayer(given, onGpu ? noise(given.inputs * given.outputs, 71) : weights(given), onGpu ? given.packing : { precision: 'f32' }, (w) =>
      onGpu ? tiled(w, given.tiling, inputs) : linear(inputs[0]!, w, inputs[1] ? { a: inputs[1] as tf.Tensor2D, b: inputs[2] as tf.Tensor2D, scale: SCALE } : null));
  },
  composed: (inputs, options) => composedForm(inputs, options as Options),
  release: () => made.splice(0).forEach(disposeLinear),
  reference: ([x, a, b], shapes, options) => {
    const given = options as Options;
    const { inputs, outputs, rank } = given;
    const rows = shapes[0]![0]!;
    const w = weights(given);
    const bias = biasOf(given);
    const out = new Float64Array(rows * outputs);
    for (let m = 0; m < rows; m++) {
      const low = Array.from({ length: rank }, (_, r) => { let sum = 0; for (let k = 0; k < inputs; k++) sum += x![m * inputs + k]! * a![k * rank + r]!; return sum * SCALE; });
      for (let n = 0; n < outputs; n++) {
        let sum = bias?.[n] ?? 0;
        for (let k = 0; k < inputs; k++) sum += x![m * inputs + k]! * w[k * outputs + n]!;
        low.forEach((value, r) => { sum += value * b![r * outputs + n]!; });
        out[m * outputs + n] = sum;
      }
    }
    return [out];
  },
  // sums of up to 130 products of numbers below 1, in float32: 130 roundings of 6e-8 at worst, some ten of them in practice
  tolerance: { forward: 3e-6, gradient: 1e-5 },
};
