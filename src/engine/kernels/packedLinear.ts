/**
 * A frozen linear layer over packed weights, with bias and LoRA in the same pass: y = x·W + bias + low·up and its input
 * gradient dx = dy·Wᵀ + dLow·downᵀ (methods.md: LoRA with A [in,r], B [r,out]). Kernels `PackedLinear` and
 * `PackedLinearGradient` on WebGPU; weights are unpacked as they are read and are no tensors, so nothing is kept of them.
 */
import gradientRegistersCode from '../../../shaders/linear_gradient_registers.wgsl?raw';
import gradientTilesCode from '../../../shaders/linear_gradient_tiles.wgsl?raw';
import registersCode from '../../../shaders/linear_registers.wgsl?raw';
import tilesCode from '../../../shaders/linear_tiles.wgsl?raw';
import weightsCode from '../../../shaders/packed_weights.wgsl?raw';
import { allocate, dispatchSlices, type Member } from '../webgpu/dispatch';
import { precisionNumber, type OnGpu } from '../packed/packedMatrix';
import { tilings, type Tiling } from '../webgpu/tiling';
import { engine, registerKernel, type NamedTensorMap, type Tensor1D, type Tensor2D, type TensorInfo } from '../tf';

interface Attributes { matrix: OnGpu; tiling: Tiling }
interface Factors { low: Tensor2D; factor: Tensor2D }

/** The registers' form reads four numbers at a time. */
const suited = (tiling: Tiling, inner: number): Tiling => (tiling === 'registers' && inner % 4 !== 0 ? 'small' : tiling);
const threads = { large: 16, small: 8 } as const;

const sizes = ({ inFeatures, outFeatures, stride, group }: OnGpu, rows: number, rank: number): Member[] =>
  [['u', rows], ['u', inFeatures], ['u', outFeatures], ['u', stride], ['u', group], ['u', rank]];
const flops = ({ inFeatures, outFeatures }: OnGpu, rows: number) => 2 * rows * inFeatures * outFeatures;

/** Groups of 64 threads over tiles of side × side results, or one group a tile. */
const groupCount = (rows: number, columns: number, side: number, perGroup: number) => Math.ceil((Math.ceil(rows / side) * Math.ceil(columns / side)) / perGroup);

registerKernel({
  kernelName: 'PackedLinear',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, bias, low, up } = inputs as { x: TensorInfo; bias?: TensorInfo; low?: TensorInfo; up?: TensorInfo };
    const { matrix, tiling: asked } = attrs as unknown as Attributes;
    const tiling = suited(asked, matrix.inFeatures);
    const rows = x.shape[0]!;
    const out = allocate(backend, [rows, matrix.outFeatures]);
    const bound = [matrix.words, matrix.scales, x, bias ?? x, low ?? x, up ?? x, out];
    const constants = { PRECISION: precisionNumber(matrix), BIAS: bias ? 1 : 0, LORA: low ? 1 : 0 };
    const members = sizes(matrix, rows, low?.shape[1] ?? 0);
    if (tiling === 'registers') {
      dispatchSlices(backend, { name: 'linear_registers', code: weightsCode + registersCode, constants }, bound, members, groupCount(rows, matrix.outFeatures, 8, 64), flops(matrix, rows));
    } else {
      const THREADS = threads[tiling];
      dispatchSlices(backend, { name: 'linear_tiles', code: weightsCode + tilesCode, constants: { ...constants, THREADS, DEPTH: 16 } }, bound, members, groupCount(rows, matrix.outFeatures, 4 * THREADS, 1), flops(matrix, rows));
    }
    return out;
  },
});

registerKernel({
  kernelName: 'PackedLinearGradient',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dy, dLow, down } = inputs as { dy: TensorInfo; dLow?: TensorInfo; down?: TensorInfo };
    const { matrix, tiling: asked } = attrs as unknown as Attributes;
    const tiling = suited(asked, matrix.outFeatures);
    const rows = dy.shape[0]!;
    const dx = allocate(backend, [rows, matrix.inFeatures]);
    const bound = [matrix.words, matrix.scales, dy, dLow ?? dy, down ?? dy, dx];
    const constants = { PRECISION: precisionNumber(matrix), LORA: dLow ? 1 : 0 };
    const members = sizes(matrix, rows, dLow?.shape[1] ?? 0);
    if (tiling === 'registers') {
      dispatchSlices(backend, { name: 'linear_gradient_registers', code: weightsCode + gradientRegistersCode, constants }, bound, members, groupCount(rows, matrix.inFeatures, 8, 64), flops(matrix, rows));
    } else {
      const THREADS = threads[tiling];
      dispatchSlices(backend, { name: 'linear_gradient_tiles', code: weightsCode + gradientTilesCode, constants: { ...constants, THREADS, DEPTH: 4 } }, bound, members, groupCount(rows, matrix.inFeatures, 4 * THREADS, 1), flops(matrix, rows));
    }
    return dx;
  },
});

const run = (kernel: string, inputs: NamedTensorMap, attributes: Attributes): Tensor2D => engine().runKernel(kernel, inputs, attributes as never) as unknown as Tensor2D;

/** x [rows,in] → [rows,out]; factors: low [rows,r] (scaled) and B [r,out]. */
export function packedLinear(x: Tensor2D, matrix: OnGpu, bias: Tensor1D | null, factors: Factors | null = null, tiling: Tiling = tilings().forward): Tensor2D {
  return run('PackedLinear', { x, ...(bias ? { bias } : {}), ...(factors ? { low: factors.low, up: factors.factor } : {}) }, { matrix, tiling });
}

/** dy [rows,out] → dx [rows,in]; factors: dLow [rows,r] (scaled) and A [in,r]. */
export function packedLinearGradient(dy: Tensor2D, matrix: OnGpu, factors: Factors | null = null, tiling: Tiling = tilings().gradient): Tensor2D {
  return run('PackedLinearGradient', { dy, ...(factors ? { dLow: factors.low, down: factors.factor } : {}) }, { matrix, tiling });
}
