/**
 * The narrow products of a LoRA, which a tiled product would do badly: `LoraLow`, [rows,wide] → [rows,r], for x·A and
 * dy·Bᵀ; `LoraGradient`, the sums over rows that are the gradients of A [in,r] and B [r,out]. WebGPU only; linear.ts has
 * the composed form.
 */
import gradientCode from '../../../shaders/lora_gradient.wgsl?raw';
import lowCode from '../../../shaders/lora_low.wgsl?raw';
import sumCode from '../../../shaders/axis_sum.wgsl?raw';
import { allocate, dispatch, internals, uniforms } from '../webgpu/dispatch';
import { engine, registerKernel, type Tensor2D, type TensorInfo } from '../tf';

/** Rows that one thread adds up. Fewer: more threads, and more partial sums to write. */
const SLICE = 128;

registerKernel({
  kernelName: 'LoraLow',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, factor } = inputs as { x: TensorInfo; factor: TensorInfo };
    const { scale, transposed } = attrs as unknown as { scale: number; transposed: boolean };
    const [rows, columns] = x.shape as [number, number];
    const [first, second] = factor.shape as [number, number];
    const rank = transposed ? first : second;
    const low = allocate(backend, [rows, rank]);
    const [stepColumn, stepRank] = transposed ? [1, columns] : [rank, 1];
    dispatch(backend, { name: 'lora_low', code: lowCode }, [x, factor, low], uniforms([['u', rows], ['u', columns], ['u', rank], ['u', stepColumn], ['u', stepRank], ['f', scale]]), Math.ceil((rows * rank) / 64));
    return low;
  },
});

registerKernel({
  kernelName: 'LoraGradient',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { wide, narrow } = inputs as { wide: TensorInfo; narrow: TensorInfo };
    const { transposed } = attrs as unknown as { transposed: boolean };
    const [rows, columns] = wide.shape as [number, number];
    const rank = narrow.shape[1]!;
    const slices = Math.max(1, Math.ceil(rows / SLICE));
    const shape = transposed ? [rank, columns] : [columns, rank];
    const [stepColumn, stepRank] = transposed ? [1, columns] : [rank, 1];
    const parts = allocate(backend, [slices, ...shape]);
    const block = uniforms([['u', rows], ['u', columns], ['u', rank], ['u', stepColumn], ['u', stepRank], ['u', SLICE], ['u', slices]]);
    dispatch(backend, { name: 'lora_gradient', code: gradientCode }, [wide, narrow, parts], block, Math.ceil((slices * columns * Math.ceil(rank / 4)) / 64));
    if (slices === 1) return { ...parts, shape };
    const out = allocate(backend, shape);
    dispatch(backend, { name: 'axis_sum', code: sumCode }, [parts, out], uniforms([['u', rank * columns], ['u', slices], ['u', rank * columns], ['f', 1]]), Math.ceil((rank * columns) / 64));
    internals(backend).disposeData(parts.dataId);
    return out;
  },
});

/** x [rows,c] times factor [c,r], or times its transpose where factor is [r,c]; all times scale → [rows,r]. */
export function loraLow(x: Tensor2D, factor: Tensor2D, scale: number, transposed: boolean): Tensor2D {
  return engine().runKernel('LoraLow', { x, factor }, { scale, transposed }) as unknown as Tensor2D;
}

/** Σ over rows of wide [rows,c] and narrow [rows,r]: [c,r], or [r,c] where transposed. */
export function loraGradient(wide: Tensor2D, narrow: Tensor2D, transposed: boolean): Tensor2D {
  return engine().runKernel('LoraGradient', { wide, narrow }, { transposed }) as unknown as Tensor2D;
}
