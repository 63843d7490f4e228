/**
 * The three normalisations over the last axis: by their kernels where the backend has them, else composed. The gradient
 * is one formula, dx = r·(g − mean(g)·[centred] − x̂·mean(g·x̂)), g = dy·weight, r the reciprocal deviation; the composed
 * forms save x̂ and r for it.
 */
import { layerNormFused, normModulateFused, rmsNormFused } from '../kernels/normRows';
import { add, getBackend, getKernel, mean, mul, reshape, rsqrt, square, sub, sum, type Tensor, type Tensor1D, type Tensor3D } from '../tf';
import { withGradient } from './withGradient';

/** SD3's, of both norms in its blocks. */
const EPSILON = 1e-6;

/** LayerNorm without weights (epsilon 1e-6), then x̂·(1 + scale) + shift. x [B,N,d]; shift, scale [B,1,d]. */
export function normModulate(x: Tensor3D, shift: Tensor3D, scale: Tensor3D): Tensor3D {
  return getKernel('NormModulate', getBackend()) ? normModulateFused(x, shift, scale, EPSILON) : normModulateComposed(x, shift, scale);
}

/** x / rms(x) · weight over the last axis. Gradient for x only: the weight is the model's. */
export function rmsNorm<T extends Tensor>(x: T, weight: Tensor1D, epsilon = EPSILON): T {
  return getKernel('RmsNorm', getBackend()) ? rmsNormFused(x, weight, epsilon) : rmsNormComposed(x, weight, epsilon);
}

/** LayerNorm with weight and bias [d] (CLIP's, epsilon 1e-5). Gradient for x only. */
export function layerNorm<T extends Tensor>(x: T, weight: Tensor1D, bias: Tensor1D, epsilon = 1e-5): T {
  return getKernel('LayerNorm', getBackend()) ? layerNormFused(x, weight, bias, epsilon) : layerNormComposed(x, weight, bias, epsilon);
}

/** Reciprocal deviation of x (already centred, for a LayerNorm): [..., 1]. */
const reciprocal = (x: Tensor, epsilon: number) => rsqrt(add(mean(square(x), -1, true), epsilon));

function normalise(x: Tensor, epsilon: number): [xHat: Tensor, r: Tensor] {
  const centred = sub(x, mean(x, -1, true));
  const r = reciprocal(centred, epsilon);
  return [mul(centred, r), r];
}

const centredGradient = (g: Tensor, xHat: Tensor, r: Tensor) => mul(sub(sub(g, mean(g, -1, true)), mul(xHat, mean(mul(g, xHat), -1, true))), r);

/** normModulate from tfjs' own ops, on every backend: what the kernel is tested against. So the two below. */
export function normModulateComposed(x: Tensor3D, shift: Tensor3D, scale: Tensor3D): Tensor3D {
  return withGradient(
    { x, shift, scale },
    (save) => {
      const [xHat, r] = normalise(x, EPSILON);
      const gain = add(scale, 1);
      save([xHat, r, gain]);
      return add(mul(xHat, gain), shift) as Tensor3D;
    },
    (dy, saved) => {
      const [xHat, r, gain] = saved as [Tensor, Tensor, Tensor];
      return {
        x: () => centredGradient(mul(dy, gain), xHat, r),
        shift: () => sum(dy, 1, true),
        scale: () => sum(mul(dy, xHat), 1, true),
      };
    },
  );
}

export function rmsNormComposed<T extends Tensor>(x: T, weight: Tensor1D, epsilon = EPSILON): T {
  return withGradient(
    { x },
    (save) => {
      const r = reciprocal(x, epsilon);
      const xHat = mul(x, r);
      save([xHat, r]);
      return mul(xHat, weight) as T;
    },
    (dy, saved) => {
      const [xHat, r] = saved as [Tensor, Tensor];
      return {
        x: () => {
          const g = mul(dy, weight);
          return mul(sub(g, mul(xHat, mean(mul(g, xHat), -1, true))), r);
        },
      };
    },
  );
}

export function layerNormComposed<T extends Tensor>(x: T, weight: Tensor1D, bias: Tensor1D, epsilon: number): T {
  return withGradient(
    { x },
    (save) => {
      const [xHat, r] = normalise(x, epsilon);
      save([xHat, r]);
      return reshape(add(mul(xHat, weight), bias), x.shape) as T;
    },
    (dy, saved) => {
      const [xHat, r] = saved as [Tensor, Tensor];
      return { x: () => centredGradient(mul(dy, weight), xHat, r) };
    },
  );
}
