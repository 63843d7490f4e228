/** The gated residual for the shared suite: x + gate·y. */
import { gatedResidual, gatedResidualComposed } from '../../engine/ops/gatedResidual';
import type { Tensor3D } from '../../engine/tf';
import type { KernelCase, KernelSpec } from './spec';

const gated = (b: number, n: number, d: number, forwardOnly = false): KernelCase => ({ title: `[${b},${n},${d}]`, shapes: [[b, n, d], [b, 1, d], [b, n, d]], forwardOnly });

export const gatedResidualSpec: KernelSpec = {
  name: 'GatedResidual',
  cases: [gated(1, 1, 1), gated(1, 63, 1), gated(2, 1, 64), gated(3, 65, 33), gated(2, 32, 65), gated(1, 65_536, 65, true)],
  run: (inputs) => [gatedResidual(...(inputs as [Tensor3D, Tensor3D, Tensor3D]))],
  composed: (inputs) => [gatedResidualComposed(...(inputs as [Tensor3D, Tensor3D, Tensor3D]))],
  reference: ([x, gate, y], shapes) => {
    const [, n, d] = shapes[0] as [number, number, number];
    return [Float64Array.from(x!, (value, i) => value + gate![Math.floor(i / (n * d)) * d + (i % d)]! * y![i]!)];
  },
  // two roundings forward; the gate's gradient is a sum of up to 65 products of mixed signs
  tolerance: { forward: 1e-6, gradient: 5e-6 },
};
