/**
 * Sums over the rows of each sample, the gradient of what is broadcast over them: Σ dy, Σ dy·f or Σ dy·x̂. Kernel
 * `ColumnSums` on WebGPU (shaders/column_sums.wgsl, then axis_sum.wgsl over its chunks) and wasm (wasm/wasmRows.ts); an inner
 * kernel of other kernels' gradients, so without one itself.
 */
import axisSum from '../../../shaders/axis_sum.wgsl?raw';
import code from '../../../shaders/column_sums.wgsl?raw';
import { allocate, dispatch, internals, uniforms } from '../webgpu/dispatch';
import { engine, registerKernel, type NamedTensorMap, type Tensor, type TensorInfo } from '../tf';
import { widened, widthFor } from '../widened';

/** Rows that one thread adds: short enough that a few samples of a thousand rows fill a graphics card. */
const CHUNK = 32;

registerKernel({
  kernelName: 'ColumnSums',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const { dy, factor, statistics } = inputs as { dy: TensorInfo; factor?: TensorInfo; statistics?: TensorInfo };
    const [samples, rows, size] = dy.shape as [number, number, number];
    const chunks = Math.ceil(rows / CHUNK);
    const width = widthFor(size);
    const count = (samples * chunks * size) / width;
    const partials = allocate(backend, [samples, chunks, size]);
    const constants = { FACTOR: statistics ? 2 : factor ? 1 : 0 };
    const block = uniforms([['u', count], ['u', rows], ['u', size / width], ['u', CHUNK]]);
    dispatch(backend, widened({ name: 'column_sums', code, constants }, width), [dy, factor ?? dy, statistics ?? dy, partials], block, Math.ceil(count / 64));
    const out = allocate(backend, [samples, 1, size]);
    dispatch(backend, { name: 'axis_sum', code: axisSum }, [partials, out], uniforms([['u', samples * size], ['u', chunks], ['u', size], ['f', 1]]), Math.ceil((samples * size) / 64));
    internals(backend).disposeData(partials.dataId);
    return out;
  },
});

/** dy, factor [B,N,d] → [B,1,d]. With `statistics` ([B·N,2], mean and reciprocal deviation) the factor is normalised first. */
export function columnSums(dy: Tensor, factor?: Tensor, statistics?: Tensor): Tensor {
  const inputs = { dy, ...(factor && { factor }), ...(statistics && { statistics }) } as NamedTensorMap;
  return engine().runKernel('ColumnSums', inputs) as unknown as Tensor;
}
