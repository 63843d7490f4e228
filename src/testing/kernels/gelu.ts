/** The three GELUs for the shared suite, over −6…6: the whole range in which they are neither 0 nor x. */
import { geluErf, geluErfComposed, geluTanh, geluTanhComposed, quickGelu, quickGeluComposed } from '../../engine/ops/activations';
import { mul, tidy, type Tensor } from '../../engine/tf';
import type { KernelSpec } from './spec';

const RANGE = 6;

/** The normal distribution in float64, by the series of erf whose terms are all positive. */
export function normal(x: number): number {
  const z = Math.abs(x) * Math.SQRT1_2;
  let [sum, term] = [z, z];
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * z * z) / (2 * n + 1);
    sum += term;
  }
  const half = (Math.exp(-z * z) * sum) / Math.sqrt(Math.PI);
  return x < 0 ? 0.5 - half : 0.5 + half;
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

function spec(name: string, run: (x: Tensor) => Tensor, composed: (x: Tensor) => Tensor, gate: (x: number) => number, tolerance: KernelSpec['tolerance']): KernelSpec {
  const over = (f: typeof run) => ([x]: Tensor[]) => [tidy(() => f(mul(x!, RANGE)))];
  return {
    name,
    cases: [
      ...[1, 63, 64, 65, 4099].map((n) => ({ title: `[${n}]`, shapes: [[n]] })),
      { title: '[2,3,65]', shapes: [[2, 3, 65]] },
      { title: `[${64 * 65_535 + 65}]`, shapes: [[64 * 65_535 + 65]], forwardOnly: true },
    ],
    run: over(run),
    composed: over(composed),
    reference: ([x]) => [Float64Array.from(x!, (value) => RANGE * value * gate(RANGE * value))],
    tolerance,
  };
}

// exp of WGSL may be off by 3 + 2|z| units in the last place; where that is many, the gate is nearly 0 or 1
const bySigmoid = { forward: 1e-6, gradient: 5e-6 };

export const geluTanhSpec = spec('GeluTanh', geluTanh, geluTanhComposed, (x) => sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)), bySigmoid);
export const quickGeluSpec = spec('QuickGelu', quickGelu, quickGeluComposed, (x) => sigmoid(1.702 * x), bySigmoid);
// ours is better than that; tfjs' erf, of the composed form, is off by 1.5e-7, and by that times x in the value
export const geluErfSpec = spec('GeluErf', geluErf, geluErfComposed, normal, { forward: 1e-6, gradient: 5e-6 });
