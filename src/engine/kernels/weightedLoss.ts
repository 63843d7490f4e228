/**
 * Squared distances with the gradient of their weighted sum, in closed form: for terms (left, right, keep, weight),
 *   mean_t[b] = mean over sample b of d_t²,  d_t = keep_t[b]·(left_t − right_t),  gradient = Σ weight_t · 2/size · d_t,
 * the gradient of Σ weight_t · (batch mean of mean_t) in whatever stands at left. Kernel `WeightedLoss` on WebGPU (two
 * passes: shaders/weighted_loss_partial.wgsl, weighted_loss.wgsl; two terms at once), composed ops elsewhere. No tape:
 * who asks for the gradient has it, and nothing is differentiated through it.
 */
import finalCode from '../../../shaders/weighted_loss.wgsl?raw';
import partialCode from '../../../shaders/weighted_loss_partial.wgsl?raw';
import { allocate, dispatch, internals, uniforms } from '../webgpu/dispatch';
import { invariant } from '../invariant';
import { add, engine, getBackend, getKernel, mean, mul, registerKernel, reshape, square, sub, tidy, util, type NamedTensorMap, type Tensor, type Tensor1D, type TensorInfo } from '../tf';

export interface DistanceTerm<T extends Tensor = Tensor> {
  /** [B, …], one shape for all terms. */
  left: T;
  right: T;
  /** [B], 0 or 1: leaves samples out without changing the batch's divisor. */
  keep?: Tensor1D;
  /** May be negative: the gradient then is the one in `right`. */
  weight: number;
}
export interface WeightedLoss<T extends Tensor = Tensor> {
  /** [B] for each term, unweighted. */
  means: Tensor1D[];
  /** Shape of the terms. */
  gradient: T;
}

/** Elements a workgroup takes: 16 for each of its 64 threads. */
const CHUNK = 1024;
/** Bound at once: two pairs, their keeps, gradient and partial sums are eight storage buffers. */
const PER_DISPATCH = 2;

registerKernel({
  kernelName: 'WeightedLoss',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { left0, right0, keep0, left1, right1, keep1 } = inputs as Partial<Record<string, TensorInfo>>;
    invariant(left0 && right0, 'WeightedLoss without a term');
    const weights = (attrs as unknown as { weights: number[] }).weights;
    const rows = left0.shape[0]!;
    const elements = util.sizeFromShape(left0.shape);
    const size = elements / rows;
    const chunks = Math.ceil(size / CHUNK);
    const [gradient, partials] = [allocate(backend, left0.shape), allocate(backend, [rows, chunks, 2])];
    const scaled = [0, 1].map((i): ['f', number] => ['f', (2 * (weights[i] ?? 0)) / elements]);
    const constants = { CHUNK, TERMS: weights.length, KEPT: (keep0 ? 1 : 0) + (keep1 ? 2 : 0) };
    const bound = [left0, right0, keep0 ?? left0, left1 ?? left0, right1 ?? right0, keep1 ?? left0, gradient, partials];
    dispatch(backend, { name: 'weighted_loss_partial', code: partialCode, constants }, bound, uniforms([['u', rows], ['u', size], ['u', chunks], ...scaled]), rows * chunks);
    const means = [allocate(backend, [rows]), allocate(backend, [rows])];
    dispatch(backend, { name: 'weighted_loss', code: finalCode }, [partials, ...means], uniforms([['u', rows], ['u', chunks], ['f', 1 / size]]), Math.ceil(rows / 64));
    internals(backend).disposeData(partials.dataId);
    return [gradient, ...means];
  },
});

/** Of up to PER_DISPATCH terms. */
function dispatched(terms: readonly DistanceTerm[]): WeightedLoss {
  const inputs: Record<string, Tensor> = {};
  terms.forEach(({ left, right, keep }, i) => Object.assign(inputs, { [`left${i}`]: left, [`right${i}`]: right, ...(keep ? { [`keep${i}`]: keep } : {}) }));
  const [gradient, ...means] = engine().runKernel('WeightedLoss', inputs as NamedTensorMap, { weights: terms.map(({ weight }) => weight) }) as unknown as [Tensor, Tensor1D, Tensor1D];
  return { gradient, means: means.slice(0, terms.length) };
}

const fused = (terms: readonly DistanceTerm[]): WeightedLoss[] =>
  Array.from({ length: Math.ceil(terms.length / PER_DISPATCH) }, (_, i) => dispatched(terms.slice(i * PER_DISPATCH, (i + 1) * PER_DISPATCH)));

const perSample = (x: Tensor): Tensor1D => mean(x, x.shape.map((_, axis) => axis).slice(1));

/** Of one term. */
function composed({ left, right, keep, weight }: DistanceTerm): WeightedLoss {
  const raw = sub(left, right);
  const difference = keep ? mul(raw, reshape(keep, [-1, ...left.shape.slice(1).map(() => 1)])) : raw;
  return { means: [perSample(square(difference))], gradient: mul(mul(difference, 2 / left.size), weight) };
}

function weighted<T extends Tensor>(terms: readonly DistanceTerm<T>[], form: (terms: readonly DistanceTerm[]) => WeightedLoss[]): WeightedLoss<T> {
  const [first] = terms;
  invariant(first && terms.every(({ left, right }) => [left, right].every(({ shape }) => util.arraysEqual(shape, first.left.shape))), 'the terms of a loss differ in shape, or there is none');
  invariant(terms.every(({ keep }) => !keep || keep.size === first.left.shape[0]), 'a loss keeps samples by one number each');
  return tidy(() => {
    const parts = form(terms);
    const [one, ...others] = parts.map(({ gradient }) => gradient);
    return { means: parts.flatMap(({ means }) => means), gradient: others.reduce((sum, gradient) => add(sum, gradient), one!) as T };
  });
}

/** At least one term. The caller disposes means and gradient. */
export function weightedLoss<T extends Tensor>(terms: readonly DistanceTerm<T>[]): WeightedLoss<T> {
  return getKernel('WeightedLoss', getBackend()) ? weighted(terms, fused) : weightedLossComposed(terms);
}

/** The same from tfjs' own ops, on every backend: what the kernel is tested against. */
export function weightedLossComposed<T extends Tensor>(terms: readonly DistanceTerm<T>[]): WeightedLoss<T> {
  return weighted(terms, (all) => all.map(composed));
}
