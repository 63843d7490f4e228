/**
 * A taped op with its own gradient, like tf.customGrad but cheaper in two ways: each input's gradient is computed only
 * if the tape asks for it (customGrad computes all), and what is saved is an alias of the tensor's data, never a copy
 * (tfjs clones; its wasm backend copies every clone). `forward` runs untaped, inside a tidy.
 */
import { engine, type NamedTensorMap, type Tensor } from '../tf';

type Save = (tensors: Tensor[]) => void;
/** Gradients by input name. What several of them share is computed before the thunks are returned. */
type Gradients = Record<string, () => Tensor>;

interface TapeEngine {
  runKernelFunc(call: {
    forwardFunc: () => Tensor;
    backwardsFunc: (dy: Tensor, saved: Tensor[]) => Gradients;
    inputs: NamedTensorMap;
  }): Tensor;
  state: { activeTape: { saved?: Tensor[] }[] | null; gradientDepth: number; kernelDepth: number };
}

/** Another handle on the same data; disposing one leaves the other usable. */
export function alias<T extends Tensor>(x: T): T {
  return engine().runKernel('Reshape', { x }, { shape: x.shape }) as unknown as T;
}

export function withGradient<T extends Tensor>(inputs: NamedTensorMap, forward: (save: Save) => T, backward: (dy: T, saved: Tensor[]) => Gradients): T {
  const core = engine() as unknown as TapeEngine;
  const taped = core.state.gradientDepth > 0 && core.state.kernelDepth === 0;
  const kept: Tensor[] = [];
  const save: Save = (tensors) => {
    if (taped) for (const tensor of tensors) kept.push(engine().keep(alias(tensor)));
  };
  const y = core.runKernelFunc({ forwardFunc: () => forward(save), backwardsFunc: (dy, saved) => backward(dy as T, saved), inputs });
  if (taped) core.state.activeTape?.at(-1)?.saved?.push(...kept);
  return y as T;
}
