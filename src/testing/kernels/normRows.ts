/** The three norms for the shared suite: as the product calls them and, on WebGPU, in each variant by name. */
import { layerNormFused, normModulateFused, rmsNormFused, type Lanes } from '../../engine/kernels/normRows';
import { layerNorm, layerNormComposed, normModulate, normModulateComposed, rmsNorm, rmsNormComposed } from '../../engine/ops/norms';
import { getBackend, keep, tensor1d, type Tensor, type Tensor1D, type Tensor3D } from '../../engine/tf';
import { noise, type KernelCase, type KernelSpec, type Values } from './spec';

export interface NormOptions { lanes?: Lanes }

/** The variant to force; none on a backend that has none. */
const forced = (options: unknown): Lanes | undefined => (getBackend() === 'webgpu' ? (options as NormOptions).lanes : undefined);

/**
 * Ragged rows and lengths, in every variant, and 65,600 rows in that of `manyLanes`: with 64 that is more groups than one
 * dimension of a dispatch holds. Rows of one element have no gradient to speak of: it cancels to rounding.
 */
function casesOf(manyLanes: Lanes, of: (samples: number, rows: number, d: number) => number[][]): KernelCase[] {
  const one = (samples: number, rows: number, d: number, lanes?: Lanes, forwardOnly = false): KernelCase =>
    ({ shapes: of(samples, rows, d), title: `[${samples},${rows},${d}]${lanes ? `, ${lanes} lanes` : ''}`, options: { lanes } satisfies NormOptions, forwardOnly });
  return [
    one(2, 5, 33),
    ...([1, 16, 64] as const).flatMap((lanes) => [
      one(1, 1, 1, lanes, true),
      one(1, 1, 63, lanes),
      one(2, 65, 64, lanes),
      one(3, 7, 65, lanes),
      one(1, 2, 1537, lanes),
    ]),
    one(4, 16_400, 5, manyLanes, true),
  ];
}

/** In float64: what `place` makes of x̂ at each row and column. */
function normalised(x: Values, d: number, epsilon: number, centred: boolean, place: (xHat: number, row: number, column: number) => number): Float64Array[] {
  const out = new Float64Array(x.length);
  for (let row = 0; row < x.length / d; row++) {
    let [mean, squares] = [0, 0];
    if (centred) for (let i = 0; i < d; i++) mean += x[row * d + i]! / d;
    for (let i = 0; i < d; i++) squares += (x[row * d + i]! - mean) ** 2 / d;
    for (let i = 0; i < d; i++) out[row * d + i] = place((x[row * d + i]! - mean) / Math.sqrt(squares + epsilon), row, i);
  }
  return [out];
}

// A row's sums have up to 1,537 terms: their rounding is below 1e-6 of the largest value. The gradient is a difference of
// such sums, times a reciprocal deviation of about 2.
const tolerance = { forward: 5e-6, gradient: 2e-5 };

export const normModulateSpec: KernelSpec = {
  name: 'NormModulate',
  cases: casesOf(1, (b, n, d) => [[b, n, d], [b, 1, d], [b, 1, d]]),
  run: (inputs, options) => {
    const [x, shift, scale] = inputs as [Tensor3D, Tensor3D, Tensor3D];
    const lanes = forced(options);
    return [lanes ? normModulateFused(x, shift, scale, 1e-6, lanes) : normModulate(x, shift, scale)];
  },
  composed: (inputs) => [normModulateComposed(...(inputs as [Tensor3D, Tensor3D, Tensor3D]))],
  reference: ([x, shift, scale], shapes) => {
    const [, n, d] = shapes[0] as [number, number, number];
    const at = (row: number, i: number) => Math.floor(row / n) * d + i;
    return normalised(x!, d, 1e-6, true, (xHat, row, i) => xHat * (1 + scale![at(row, i)]!) + shift![at(row, i)]!);
  },
  tolerance,
};

/** A model's weights get no gradient and outlive the way back; `release` frees them. */
const made: Tensor[] = [];
const release = () => made.splice(0).forEach((tensor) => tensor.dispose());
const [WEIGHT, BIAS] = [71, 72];
function fixed(d: number, seed: number): Tensor1D {
  const tensor = keep(tensor1d(noise(d, seed)));
  made.push(tensor);
  return tensor;
}
const weightsFor = (x: Tensor): [weight: Tensor1D, bias: Tensor1D] => [fixed(x.shape.at(-1)!, WEIGHT), fixed(x.shape.at(-1)!, BIAS)];

export const rmsNormSpec: KernelSpec = {
  name: 'RmsNorm',
  cases: casesOf(64, (b, n, d) => [[b, 1, n, d]]),
  run: ([x], options) => {
    const [weight] = weightsFor(x!);
    const lanes = forced(options);
    return [lanes ? rmsNormFused(x!, weight, 1e-6, lanes) : rmsNorm(x!, weight)];
  },
  composed: ([x]) => [rmsNormComposed(x!, weightsFor(x!)[0])],
  release,
  reference: ([x], shapes) => {
    const d = shapes[0]!.at(-1)!;
    const weight = noise(d, WEIGHT);
    return normalised(x!, d, 1e-6, false, (xHat, _row, i) => xHat * weight[i]!);
  },
  tolerance,
};

export const layerNormSpec: KernelSpec = {
  name: 'LayerNorm',
  cases: casesOf(1, (b, n, d) => [[b, n, d]]),
  run: ([x], options) => {
    const [weight, bias] = weightsFor(x!);
    const lanes = forced(options);
    return [lanes ? layerNormFused(x!, weight, bias, 1e-5, lanes) : layerNorm(x!, weight, bias)];
  },
  composed: ([x]) => [layerNormComposed(x!, ...weightsFor(x!), 1e-5)],
  release,
  reference: ([x], shapes) => {
    const d = shapes[0]!.at(-1)!;
    const [weight, bias] = [noise(d, WEIGHT), noise(d, BIAS)];
    return normalised(x!, d, 1e-5, true, (xHat, _row, i) => xHat * weight[i]! + bias[i]!);
  },
  tolerance,
};
