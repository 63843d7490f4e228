/**
 * tfjs' WebGPU kernels that use workgroup barriers, replaced by ones without: on an adapter that runs on the processor
 * every barrier costs a switch of all threads, and products, sums and softmax are slower by an order of magnitude.
 * What a replacement does not cover goes to the stock kernel. Real adapters keep all stock kernels but one: tfjs' softmax
 * writes a wrong last row beyond 65,535 rows.
 */
import axisSum from '../../../shaders/axis_sum.wgsl?raw';
import matMul from '../../../shaders/mat_mul.wgsl?raw';
import softmaxRows from '../../../shaders/softmax_rows.wgsl?raw';
import { allocate, dispatch, uniforms } from './dispatch';
import { replaceStock } from '../stock';
import { backend_util, broadcast_util, util, type KernelConfig, type TensorInfo } from '../tf';

type Replacement = (args: Parameters<KernelConfig['kernelFunc']>[0]) => TensorInfo | null;

const count = (shape: readonly number[]) => util.sizeFromShape(shape as number[]);

/** BatchMatMul, and _FusedMatMul with a bias at most. */
const product: Replacement = ({ inputs, attrs, backend }) => {
  const { a, b, bias, preluActivationWeights } = inputs as { a: TensorInfo; b: TensorInfo; bias?: TensorInfo; preluActivationWeights?: TensorInfo };
  const { transposeA, transposeB, activation = 'linear' } = attrs as unknown as { transposeA: boolean; transposeB: boolean; activation?: string };
  const [a1 = 0, a2 = 0] = a.shape.slice(-2);
  const [b1 = 0, b2 = 0] = b.shape.slice(-2);
  const [m, k, n] = [transposeA ? a2 : a1, transposeA ? a1 : a2, transposeB ? b1 : b2];
  const batchShape = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const batch = count(batchShape);
  const [batchA, batchB] = [count(a.shape.slice(0, -2)), count(b.shape.slice(0, -2))];
  const covered = a.dtype === 'float32' && b.dtype === 'float32' && activation === 'linear' && !preluActivationWeights
    && [batchA, batchB].every((c) => c === batch || c === 1) && (!bias || count(bias.shape) === n) && batch * m * k * n > 0;
  if (!covered) return null;
  const out = allocate(backend, [...batchShape, m, n]);
  const strides = [batchA === 1 ? 0 : m * k, ...(transposeA ? [1, m] : [k, 1]), batchB === 1 ? 0 : k * n, ...(transposeB ? [1, k] : [n, 1])];
  const block = uniforms([batch, m, k, n, ...strides].map((value) => ['u', value]));
  const tiles = batch * Math.ceil(m / 4) * Math.ceil(n / 4);
  dispatch(backend, { name: 'mat_mul', code: matMul, constants: { BIAS: bias ? 1 : 0 } }, [a, b, bias ?? a, out], block, Math.ceil(tiles / 64));
  return out;
};

/** A few long sums leave one thread with everything; those stay with the stock kernel. */
const LONG = 16_384;

const total = (mean: boolean): Replacement => ({ inputs, attrs, backend }) => {
  const x = inputs['x'] as TensorInfo;
  const { axis, keepDims } = attrs as unknown as { axis: number | number[]; keepDims: boolean };
  const axes = util.parseAxisParam(axis, x.shape).sort((p, q) => p - q);
  const [first = 0] = axes;
  const run = axes.every((value, i) => value === first + i);
  const size = axes.reduce((all, value) => all * x.shape[value]!, 1);
  if (x.dtype !== 'float32' || !run || axes.length === 0 || size === 0 || size > LONG || count(x.shape) === 0) return null;
  const outShape = backend_util.computeOutAndReduceShapes(x.shape, axes)[0];
  const inner = count(x.shape.slice(first + axes.length));
  const rows = count(x.shape) / size;
  const out = allocate(backend, keepDims ? backend_util.expandShapeToKeepDim(outShape, axes) : outShape);
  dispatch(backend, { name: 'axis_sum', code: axisSum }, [x, out], uniforms([['u', rows], ['u', size], ['u', inner], ['f', mean ? 1 / size : 1]]), Math.ceil(rows / 64));
  return out;
};

const softmax: Replacement = ({ inputs, attrs, backend }) => {
  const logits = inputs['logits'] as TensorInfo;
  const { dim } = attrs as unknown as { dim: number };
  const size = logits.shape.at(-1) ?? 0;
  if (logits.dtype !== 'float32' || dim !== logits.shape.length - 1 || count(logits.shape) === 0) return null;
  const out = allocate(backend, logits.shape);
  const rows = count(logits.shape) / size;
  dispatch(backend, { name: 'softmax_rows', code: softmaxRows }, [logits, out], uniforms([['u', rows], ['u', size]]), Math.ceil(rows / 64));
  return out;
};

const STOCK_SOFTMAX_ROWS = 65_535;
const softmaxOfManyRows: Replacement = (args) => {
  const { shape } = args.inputs['logits'] as TensorInfo;
  return count(shape) / (shape.at(-1) ?? 1) > STOCK_SOFTMAX_ROWS ? softmax(args) : null;
};

const forSoftware: Record<string, Replacement> = { BatchMatMul: product, _FusedMatMul: product, Sum: total(false), Mean: total(true), Softmax: softmax };
const forAll: Record<string, Replacement> = { Softmax: softmaxOfManyRows };

/** Call after tfjs' WebGPU package has registered its kernels; a second call does nothing. */
export function replaceKernels(software: boolean): void {
  for (const [name, replacement] of Object.entries(software ? forSoftware : forAll)) {
    replaceStock(name, 'webgpu', (stock) => ({ ...stock, kernelFunc: (args) => replacement(args) ?? stock.kernelFunc(args) }));
  }
}
