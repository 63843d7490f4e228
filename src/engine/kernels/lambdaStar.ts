/**
 * The λ* projection per sample, in float32 (PureCC Eq. 12): λ = clamp(⟨r,g⟩ / max(‖g‖², floor), low, high), with cos(r,g)
 * and the three sums. Kernel `LambdaStar` on WebGPU (two passes: shaders/lambda_star_partial.wgsl, lambda_star.wgsl; its
 * gradient lambda_star_gradient.wgsl), composed ops elsewhere. All five outputs have gradients in r and g; the floor
 * has none, and where λ is clamped it has none either.
 */
import finalCode from '../../../shaders/lambda_star.wgsl?raw';
import gradientCode from '../../../shaders/lambda_star_gradient.wgsl?raw';
import partialCode from '../../../shaders/lambda_star_partial.wgsl?raw';
import { allocate, dispatch, internals, uniforms } from '../webgpu/dispatch';
import { invariant } from '../invariant';
import {
  add, cast, clipByValue, div, engine, fill, getBackend, getKernel, greater, greaterEqual, lessEqual, logicalAnd, maximum, mul, neg, registerGradient, registerKernel, reshape,
  sqrt, square, stack, sub, sum, tidy, util, type NamedTensorMap, type Tensor, type Tensor1D, type TensorInfo,
} from '../tf';

export interface Projected {
  /** [B] each. */
  lambda: Tensor1D;
  cosine: Tensor1D;
  rNorm2: Tensor1D;
  gNorm2: Tensor1D;
  rg: Tensor1D;
}
export interface ProjectedOptions {
  /** Smallest denominator, N·τ² per sample: below it g is noise and λ would explode. */
  floor: Tensor1D | number;
  low: number;
  high: number;
}

/** Elements a workgroup sums: 16 for each of its 64 threads. */
const CHUNK = 1024;
/** Keeps 0/0 from being NaN; any norm that matters is far above it. */
const TINY = 1e-30;
/** Stands for infinity: WGSL may assume that there is none. */
const HUGE = 3.4028234663852886e38;
const finite = (x: number) => Math.max(-HUGE, Math.min(HUGE, x));

registerKernel({
  kernelName: 'LambdaStar',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { r, g, floor } = inputs as { r: TensorInfo; g: TensorInfo; floor: TensorInfo };
    const { low, high } = attrs as { low: number; high: number };
    const rows = r.shape[0]!;
    const size = util.sizeFromShape(r.shape) / rows;
    const chunks = Math.ceil(size / CHUNK);
    const partials = allocate(backend, [rows, chunks, 4]);
    dispatch(backend, { name: 'lambda_star_partial', code: partialCode, constants: { CHUNK } }, [r, g, partials], uniforms([['u', rows], ['u', size], ['u', chunks]]), rows * chunks);
    const out = Array.from({ length: 5 }, () => allocate(backend, [rows]));
    dispatch(backend, { name: 'lambda_star', code: finalCode }, [partials, floor, ...out], uniforms([['u', rows], ['u', chunks], ['f', low], ['f', high]]), Math.ceil(rows / 64));
    internals(backend).disposeData(partials.dataId);
    return out;
  },
});

registerKernel({
  kernelName: 'LambdaStarGradient',
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const { r, g, weights } = inputs as { r: TensorInfo; g: TensorInfo; weights: TensorInfo };
    const rows = r.shape[0]!;
    const elements = util.sizeFromShape(r.shape);
    const out = [allocate(backend, r.shape), allocate(backend, g.shape)];
    dispatch(backend, { name: 'lambda_star_gradient', code: gradientCode }, [r, g, weights, ...out], uniforms([['u', rows], ['u', elements / rows]]), Math.ceil(elements / 64));
    return out;
  },
});

registerGradient({
  kernelName: 'LambdaStar',
  inputsToSave: ['r', 'g', 'floor'],
  outputsToSave: [true, true, true, true, true],
  gradFunc: (dy, saved, attrs) => {
    const [r, g, floor, lambda, cosine, rr, gg, rg] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const [dLambda, dCosine, dRr, dGg, dRg] = dy as unknown as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const { low, high } = attrs as unknown as { low: number; high: number };
    const weights = tidy(() => {
      const bottom = maximum(maximum(gg, floor), TINY);
      const free = div(rg, bottom);
      const ofLambda = mul(dLambda, cast(logicalAnd(greaterEqual(free, low), lessEqual(free, high)), 'float32'));
      const aboveFloor = cast(greater(gg, floor), 'float32');
      const norms = maximum(mul(sqrt(rr), sqrt(gg)), TINY);
      const ofNorm = (squared: Tensor) => neg(div(mul(dCosine, cosine), maximum(mul(squared, 2), TINY)));
      return stack([
        add(dRr, ofNorm(rr)),
        add(add(dGg, ofNorm(gg)), neg(div(mul(mul(ofLambda, lambda), aboveFloor), bottom))),
        add(add(dRg, div(ofLambda, bottom)), div(dCosine, norms)),
      ]);
    });
    const [dr, dg] = engine().runKernel('LambdaStarGradient', { r, g, weights }) as unknown as [Tensor, Tensor];
    return { r: () => dr, g: () => dg, floor: () => sub(floor, floor) };
  },
});

const floorTensor = (floor: Tensor1D | number, rows: number): Tensor1D => (typeof floor === 'number' ? fill([rows], floor) : floor);

/** [B, …] → [B], summed in about √N pieces of √N: a float32 sum in one go loses digits over 65,536 elements. */
function sumPerSample(x: Tensor): Tensor1D {
  const rows = x.shape[0]!;
  const size = x.size / rows;
  let pieces = Math.floor(Math.sqrt(size));
  while (size % pieces !== 0) pieces--;
  return sum(sum(reshape(x, [rows, pieces, size / pieces]), 2), 1) as Tensor1D;
}

function checked(r: Tensor, g: Tensor): void {
  invariant(util.arraysEqual(r.shape, g.shape) && r.rank >= 1 && r.size > 0, `lambdaStar of [${r.shape.join(',')}] and [${g.shape.join(',')}]`);
}

/** The same from tfjs' own ops, on every backend: what the kernel is tested against. */
export function lambdaStarComposed(r: Tensor, g: Tensor, { floor, low, high }: ProjectedOptions): Projected {
  checked(r, g);
  return tidy(() => {
    const rNorm2 = sumPerSample(square(r));
    const gNorm2 = sumPerSample(square(g));
    const rg = sumPerSample(mul(r, g));
    const bottom = maximum(maximum(gNorm2, floorTensor(floor, r.shape[0]!)), TINY);
    return {
      lambda: clipByValue(div(rg, bottom), finite(low), finite(high)) as Tensor1D,
      cosine: div(rg, maximum(mul(sqrt(rNorm2), sqrt(gNorm2)), TINY)) as Tensor1D,
      rNorm2,
      gNorm2,
      rg,
    };
  });
}

/** r, g [B, …] of one shape. */
export function lambdaStar(r: Tensor, g: Tensor, options: ProjectedOptions): Projected {
  if (!getKernel('LambdaStar', getBackend())) return lambdaStarComposed(r, g, options);
  checked(r, g);
  return tidy(() => {
    const inputs = { r, g, floor: floorTensor(options.floor, r.shape[0]!) } as NamedTensorMap;
    const [lambda, cosine, rNorm2, gNorm2, rg] = engine().runKernel('LambdaStar', inputs, { low: finite(options.low), high: finite(options.high) }) as unknown as [Tensor1D, Tensor1D, Tensor1D, Tensor1D, Tensor1D];
    return { lambda, cosine, rNorm2, gNorm2, rg };
  });
}
