/** Forms of work made of tfjs tensors, ours or stock: what they wait for, and what of them is freed when. */
import { flush, internals } from '../engine/webgpu/dispatch';
import * as tf from '../engine/tf';
import { vjp, type Vjp } from '../engine/vjp';
import { noise } from '../testing/kernels/spec';
import type { Form } from './row';

/** Waits until the current backend has done what it was given. wasm and plain JavaScript have done it already. */
export async function settled(): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  flush(tf.backend());
  await internals(tf.backend()).queue.onSubmittedWorkDone();
}

/** Uniform in −1…1; many of them repeat themselves, which costs less and changes no speed. */
export function someValues(size: number, seed: number): Float32Array {
  const values = new Float32Array(size);
  const drawn = noise(Math.min(size, 65_521), seed);
  for (let at = 0; at < size; at += drawn.length) values.set(drawn.subarray(0, size - at), at);
  return values;
}

export function someTensor<T extends tf.Tensor>(shape: readonly number[], seed: number): T {
  return tf.tensor(someValues(shape.reduce((a, b) => a * b, 1), seed), [...shape], 'float32') as T;
}

/** `run` makes tensors from the inputs; they are freed at once (the adapter still computes them). The inputs are the form's own. */
export function tensorForm(inputs: tf.Tensor[], run: (inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[]): Form {
  return {
    run: () => tf.dispose(tf.tidy(() => run(inputs) as tf.Tensor)),
    sync: settled,
    dispose: () => tf.dispose(inputs),
  };
}

/** The way back alone: the forward pass is prepared, untimed. Gradients of the first `wanted` inputs. */
export function pullbackForm(inputs: tf.Tensor[], run: (inputs: tf.Tensor[]) => tf.Tensor[], wanted = inputs.length): Form<Vjp> {
  const fixed = inputs.slice(wanted);
  let dys: tf.Tensor[] | null = null;
  return {
    prepare: () => {
      const taped = vjp((...given) => run([...given, ...fixed]), inputs.slice(0, wanted));
      dys ??= taped.outputs.map((y, i) => someTensor(y.shape, 31 + i));
      tf.dispose(taped.outputs);
      return taped;
    },
    run: (taped) => tf.dispose(taped.pullback(dys!).filter((dx) => dx !== null)),
    sync: settled,
    dispose: () => tf.dispose([...inputs, ...(dys ?? [])]),
  };
}
