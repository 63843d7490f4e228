/**
 * The norm of one flat tensor and whether all its numbers are finite, left on the device for the optimizer step that
 * follows. Kernel `GlobalNorm`, WebGPU only (two passes: shaders/global_norm_partial.wgsl, global_norm.wgsl), always
 * summed in the same order. Elsewhere gradients are read and summed in double precision (pipeline/training/optimizer.ts).
 */
import finalCode from '../../../shaders/global_norm.wgsl?raw';
import partialCode from '../../../shaders/global_norm_partial.wgsl?raw';
import { allocate, dispatch, internals, uniforms } from '../webgpu/dispatch';
import { engine, registerKernel, util, type Tensor, type Tensor1D, type TensorInfo } from '../tf';

/** Elements a workgroup sums: 16 for each of its 64 threads. */
const CHUNK = 1024;

registerKernel({
  kernelName: 'GlobalNorm',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const x = inputs['x'] as TensorInfo;
    const size = util.sizeFromShape(x.shape);
    const chunks = Math.ceil(size / CHUNK);
    const partials = allocate(backend, [chunks, 2], 'int32');
    dispatch(backend, { name: 'global_norm_partial', code: partialCode, constants: { CHUNK } }, [x, partials], uniforms([['u', size], ['u', chunks]]), chunks);
    const out = allocate(backend, [2]);
    dispatch(backend, { name: 'global_norm', code: finalCode }, [partials, out], uniforms([['u', chunks]]), 1);
    internals(backend).disposeData(partials.dataId);
    return out;
  },
});

/**
 * [2]: √Σx², and 0; or 0 and 1 where a number is not finite or the norm exceeds 1.8e19, whose square f32 cannot hold.
 * x: any shape, not empty. WebGPU only.
 */
export function globalNorm(x: Tensor): Tensor1D {
  return engine().runKernel('GlobalNorm', { x }) as unknown as Tensor1D;
}
