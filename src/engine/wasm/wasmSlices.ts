/**
 * Slice and SplitV on wasm. For every piece tfjs copies all of x out of the heap, into memory that is new each time and has
 * to be collected, and a step of training cuts hundreds of pieces. Here the piece alone is copied, within the heap.
 * Registered over the stock kernels, of which Slice keeps strings.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { backend_util, slice_util, util, type KernelConfig, type TensorInfo } from '@tensorflow/tfjs-core';
import { replaceStock } from '../stock';
import { heapOf } from './wasmHeap';

/** Elements of 4 bytes up to which a loop over them is quicker than calling for a copy. */
const SHORT = 16;

/** `size` elements of x from `begin` on, in each axis, as a new tensor. */
function piece(backend: BackendWasm, x: TensorInfo, begin: readonly number[], size: number[]): TensorInfo {
  const out = backend.makeOutput(size, x.dtype);
  const total = util.sizeFromShape(size);
  if (total === 0) return out;
  const bytes = util.bytesPerElement(x.dtype);
  const strides = [...util.computeStrides(x.shape), 1];
  // What lies together: the last axes as far as they are taken whole, and of the one before them what is taken.
  let [outer, run] = [size.length, 1];
  while (outer > 0) {
    outer--;
    run *= size[outer]!;
    if (size[outer] !== x.shape[outer]) break;
  }
  let from = begin.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
  const heap = heapOf(backend).wasm.HEAPU8;
  const [source, target] = [backend.getMemoryOffset(x.dataId), backend.getMemoryOffset(out.dataId)];
  const words = bytes === 4 && run <= SHORT ? new Int32Array(heap.buffer) : null;
  const at = new Array<number>(outer).fill(0);
  for (let to = 0; to < total; to += run) {
    if (words) for (let i = 0; i < run; i++) words[target / 4 + to + i] = words[source / 4 + from + i]!;
    else heap.copyWithin(target + bytes * to, source + bytes * from, source + bytes * (from + run));
    for (let axis = outer - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++at[axis]! < size[axis]!) break;
      from -= strides[axis]! * size[axis]!;
      at[axis] = 0;
    }
  }
  return out;
}

const replacements: Record<string, (stock: KernelConfig['kernelFunc']) => KernelConfig['kernelFunc']> = {
  Slice: (stock) => (args) => {
    const { x } = args.inputs as { x: TensorInfo };
    if (x.dtype === 'string') return stock(args);
    const { begin, size } = args.attrs as unknown as { begin: number | number[]; size: number | number[] };
    return piece(args.backend as BackendWasm, x, ...(slice_util.parseSliceParams(x, begin, size) as [number[], number[]]));
  },
  SplitV: () => (args) => {
    const { x } = args.inputs as { x: TensorInfo };
    const { numOrSizeSplits, axis: asked } = args.attrs as unknown as { numOrSizeSplits: number | number[]; axis: number };
    const axis = util.parseAxisParam(asked, x.shape)[0]!;
    let start = 0;
    return backend_util.prepareSplitSize(x, numOrSizeSplits, axis).map((width) => {
      start += width;
      return piece(args.backend as BackendWasm, x, x.shape.map((_, i) => (i === axis ? start - width : 0)), x.shape.map((all, i) => (i === axis ? width : all)));
    });
  },
};

/** Puts them in the stock ones' places; a second call does nothing. */
export function installWasmSlices(): void {
  for (const [name, ours] of Object.entries(replacements)) {
    replaceStock(name, 'wasm', (stock) => ({ ...stock, kernelFunc: ours(stock.kernelFunc) }));
  }
}
