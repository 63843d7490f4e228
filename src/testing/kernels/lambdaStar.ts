/** The λ* projection for the shared suite; outputs λ, cos, ‖r‖², ‖g‖², ⟨r,g⟩. */
import { lambdaStar, lambdaStarComposed, type Projected } from '../../engine/kernels/lambdaStar';
import type * as tf from '../../engine/tf';
import type { KernelCase, KernelSpec } from './spec';

interface Options { floor: number; low: number; high: number }
const bare: Options = { floor: 0, low: -Infinity, high: Infinity };

const projection = (rows: number, n: number, options: Partial<Options> = {}, forwardOnly = false): KernelCase => ({
  title: `[${rows},${n}]${Object.entries(options).map(([key, value]) => `, ${key} ${value}`).join('')}`,
  shapes: [[rows, n], [rows, n]],
  options: { ...bare, ...options },
  forwardOnly,
});

const list = ({ lambda, cosine, rNorm2, gNorm2, rg }: Projected): tf.Tensor[] => [lambda, cosine, rNorm2, gNorm2, rg];

export const lambdaStarSpec: KernelSpec = {
  name: 'LambdaStar',
  cases: [
    ...[1, 63, 64, 65, 4097].map((n) => projection(2, n)),
    projection(1, 65_536),
    projection(3, 300, { low: 0, high: 1e-3 }),
    projection(3, 300, { floor: 1e6 }),
    projection(65_600, 3, {}, true),
  ],
  run: ([r, g], options) => list(lambdaStar(r!, g!, options as Options)),
  composed: ([r, g], options) => list(lambdaStarComposed(r!, g!, options as Options)),
  reference: ([r, g], shapes, options) => {
    const { floor, low, high } = options as Options;
    const [rows, n] = shapes[0] as [number, number];
    const out = Array.from({ length: 5 }, () => new Float64Array(rows));
    for (let row = 0; row < rows; row++) {
      let [rr, gg, rg] = [0, 0, 0];
      for (let i = row * n; i < (row + 1) * n; i++) {
        rr += r![i]! * r![i]!;
        gg += g![i]! * g![i]!;
        rg += r![i]! * g![i]!;
      }
      const lambda = Math.max(low, Math.min(high, rg / Math.max(gg, floor)));
      [lambda, rg / Math.sqrt(rr * gg), rr, gg, rg].forEach((value, i) => { out[i]![row] = value; });
    }
    return out;
  },
  // sums of 65,536 float32 products, piecewise. A sum of mixed signs cancels to about √N of N terms, 1/150 of their total,
  // so the bound is relative to the norms for ‖r‖², ‖g‖² (1e-5 holds by far) and leaves room for ⟨r,g⟩, λ and cos.
  tolerance: { forward: 1e-5, gradient: 5e-5 },
};
