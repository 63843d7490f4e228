/**
 * AdamW with decoupled weight decay, in place on the device: kernel `AdamW`, WebGPU only (shaders/adam_w.wgsl). The clip
 * factor comes from the norm that globalNorm left on the device, so nothing is read back between gradient and step.
 * pipeline/training/optimizer.ts has the same step for the other backends. The three tensors must share their data with no other
 * handle: tf.clone copies no numbers, and a clone would be stepped along.
 */
import code from '../../../shaders/adam_w.wgsl?raw';
import { dispatch, forgetValues, uniforms } from '../webgpu/dispatch';
import { invariant } from '../invariant';
import { engine, registerKernel, util, type NamedTensorMap, type Tensor1D, type Tensor2D, type TensorInfo } from '../tf';

export interface AdamWStep {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Steps of this group so far, this one counted: 1, 2, … */
  step: number;
  /** Largest norm of the gradient; a larger one is scaled down to it. Null: never. */
  clip: number | null;
}

/** Flat, [n] each. */
export interface AdamWTensors { values: Tensor1D; m: Tensor1D; v: Tensor1D }

registerKernel({
  kernelName: 'AdamW',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { gradient, norms, values, m, v } = inputs as Record<'gradient' | 'norms' | 'values' | 'm' | 'v', TensorInfo>;
    const { learningRate, beta1, beta2, epsilon, weightDecay, step, clip, own } = attrs as unknown as AdamWStep & { clip: number; own: number };
    const size = util.sizeFromShape(values.shape);
    const block = uniforms([
      ['u', size], ['u', norms.shape[0]!], ['u', own], ['f', clip],
      ['f', beta1], ['f', 1 - beta1], ['f', beta2], ['f', 1 - beta2],
      ['f', learningRate / (1 - beta1 ** step)], ['f', 1 / Math.sqrt(1 - beta2 ** step)], ['f', epsilon], ['f', learningRate * weightDecay],
    ]);
    dispatch(backend, { name: 'adam_w', code }, [gradient, norms, values, m, v], block, Math.ceil(size / 64));
    for (const written of [values, m, v]) forgetValues(backend, written);
    return [];
  },
});

/**
 * One step of values, m and v. norms [groups, 2]: the results of globalNorm for all that must be finite for this step to
 * happen; row `own` is the gradient's. Where one of them is flagged nothing is written.
 */
export function adamWInPlace({ values, m, v }: AdamWTensors, gradient: Tensor1D, norms: Tensor2D, own: number, step: AdamWStep): void {
  invariant([gradient, m, v].every(({ size }) => size === values.size), `AdamW of ${values.size} values, ${gradient.size} gradients, ${m.size} and ${v.size} moments`);
  invariant(own < norms.shape[0], `norm ${own} of ${norms.shape[0]}`);
  const inputs: NamedTensorMap = { gradient, norms, values, m, v };
  engine().runKernel('AdamW', inputs, { ...step, clip: step.clip ?? 0, own });
}
