/** x + gate·y, the joint of every transformer block: by its kernel where the backend has one, else composed. x, y [B,N,d]; gate [B,1,d]. */
import { gatedResidualFused } from '../kernels/gatedResidual';
import { add, getBackend, getKernel, mul, sum, type Tensor, type Tensor3D } from '../tf';
import { alias, withGradient } from './withGradient';

export function gatedResidual(x: Tensor3D, gate: Tensor3D, y: Tensor3D): Tensor3D {
  return getKernel('GatedResidual', getBackend()) ? gatedResidualFused(x, gate, y) : gatedResidualComposed(x, gate, y);
}

/** The same from tfjs' own ops, on every backend: what the kernel is tested against. */
export function gatedResidualComposed(x: Tensor3D, gate: Tensor3D, y: Tensor3D): Tensor3D {
  return withGradient(
    { x, gate, y },
    (save) => {
      save([gate, y]);
      return add(x, mul(gate, y)) as Tensor3D;
    },
    (dy, saved) => {
      const [keptGate, keptY] = saved as [Tensor, Tensor];
      return { x: () => alias(dy), gate: () => sum(mul(dy, keptY), 1, true), y: () => mul(dy, keptGate) };
    },
  );
}
