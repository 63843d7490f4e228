/**
 * Many tensors as one flat one, and back. On WebGPU these are plain copies between buffers in tfjs' command stream
 * (kernels `JoinFlat`, `CutFlat`): a LoRA is hundreds of small tensors, and a dispatch costs far more to record than a copy.
 * Elsewhere joining is reshape and concat, and what is cut are numbers, not a tensor. No gradients.
 */
import { allocate, copyRanges } from '../webgpu/dispatch';
import { invariant } from '../invariant';
import { backend, concat1d, engine, getBackend, getKernel, registerKernel, reshape, tensor, tidy, util, type NamedTensorMap, type Tensor, type Tensor1D, type TensorInfo } from '../tf';

const count = (shape: readonly number[]) => util.sizeFromShape(shape as number[]);

registerKernel({
  kernelName: 'JoinFlat',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const parts = Object.values(inputs) as TensorInfo[];
    const out = allocate(backend, [parts.reduce((sum, { shape }) => sum + count(shape), 0)]);
    let at = 0;
    copyRanges(backend, parts.map((from) => {
      const size = count(from.shape);
      at += size;
      return { from, fromStart: 0, to: out, toStart: at - size, size };
    }));
    return out;
  },
});

registerKernel({
  kernelName: 'CutFlat',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const x = inputs['x'] as TensorInfo;
    const { shapes } = attrs as unknown as { shapes: number[][] };
    const out = shapes.map((shape) => allocate(backend, shape));
    let at = 0;
    copyRanges(backend, out.map((to) => {
      const size = count(to.shape);
      at += size;
      return { from: x, fromStart: at - size, to, toStart: 0, size };
    }));
    return out;
  },
});

/** The numbers of all parts one after another. At least one part; float32. */
export function joinFlat(parts: readonly Tensor[]): Tensor1D {
  if (!getKernel('JoinFlat', getBackend())) return tidy(() => concat1d(parts.map((part) => reshape(part, [-1]) as Tensor1D)));
  return engine().runKernel('JoinFlat', Object.fromEntries(parts.map((part, i) => [`part${i}`, part])) as NamedTensorMap) as unknown as Tensor1D;
}

/** New tensors of these shapes from consecutive ranges of x [n], beginning at its start; they share nothing with it. A tensor is cut on WebGPU only. */
export function cutFlat(x: Tensor1D | Float32Array, shapes: number[][]): Tensor[] {
  const size = x instanceof Float32Array ? x.length : x.size;
  const wanted = shapes.reduce((sum, shape) => sum + count(shape), 0);
  invariant(wanted <= size, `${wanted} numbers cut from ${size}`);
  if (!(x instanceof Float32Array)) return engine().runKernel('CutFlat', { x }, { shapes }) as unknown as Tensor[];
  // plain JavaScript keeps the array it is given; the others copy it into memory of their own
  const part = getBackend() === 'cpu' ? x.slice.bind(x) : x.subarray.bind(x);
  let at = 0;
  return shapes.map((shape) => tensor(part(at, (at += count(shape))), shape, 'float32'));
}

/** The numbers of x, in `into` [x.size] or in another array, to be looked at before the next read. tfjs reads wasm's heap into new memory each time. */
export async function readFlat(x: Tensor, into: Float32Array): Promise<Float32Array> {
  if (getBackend() !== 'wasm') return x.data<'float32'>();
  invariant(into.length === x.size, `${x.size} numbers read into ${into.length}`);
  into.set((backend() as unknown as { typedArrayFromHeap(x: TensorInfo): Float32Array }).typedArrayFromHeap(x));
  return into;
}
