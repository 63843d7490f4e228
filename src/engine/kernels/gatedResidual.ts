/**
 * x + gate·y in one kernel: `GatedResidual` and `GatedResidualGradient` (for y) on WebGPU (shaders/gated_residual.wgsl) and wasm (wasm/wasmRows.ts).
 * dx is dy itself; the gate's gradient is a sum over rows, computed only where the tape asks for it. The composed form,
 * and the choice between them, are in ops/gatedResidual.ts.
 */
import code from '../../../shaders/gated_residual.wgsl?raw';
import { allocate, dispatch, uniforms } from '../webgpu/dispatch';
import { alias, withGradient } from '../ops/withGradient';
import { engine, registerKernel, util, type NamedTensorMap, type Tensor, type Tensor3D, type TensorInfo } from '../tf';
import { widened, widthFor } from '../widened';
import { columnSums } from './columnSums';

for (const RESIDUAL of [0, 1]) {
  registerKernel({
    kernelName: RESIDUAL ? 'GatedResidual' : 'GatedResidualGradient',
    backendName: 'webgpu',
    kernelFunc: ({ inputs, backend }) => {
      const { x, gate, y } = inputs as { x?: TensorInfo; gate: TensorInfo; y: TensorInfo };
      const width = widthFor(y.shape.at(-1)!);
      const size = y.shape.at(-1)! / width;
      const count = util.sizeFromShape(y.shape) / width;
      const elementsPerGate = (count * size * width) / util.sizeFromShape(gate.shape);
      const out = allocate(backend, y.shape);
      const block = uniforms([['u', count], ['u', elementsPerGate], ['u', size]]);
      dispatch(backend, widened({ name: 'gated_residual', code, constants: { RESIDUAL } }, width), [x ?? y, gate, y, out], block, Math.ceil(count / 64));
      return out;
    },
  });
}

const run = (kernelName: string, inputs: NamedTensorMap): Tensor3D => engine().runKernel(kernelName, inputs) as unknown as Tensor3D;

/** x, y [B,N,d]; gate [B,1,d]. */
export function gatedResidualFused(x: Tensor3D, gate: Tensor3D, y: Tensor3D): Tensor3D {
  return withGradient(
    { x, gate, y },
    (save) => {
      save([gate, y]);
      return run('GatedResidual', { x, gate, y });
    },
    (dy, saved) => {
      const [keptGate, keptY] = saved as [Tensor, Tensor];
      return { x: () => alias(dy), gate: () => columnSums(dy, keptY), y: () => run('GatedResidualGradient', { gate: keptGate, y: dy }) };
    },
  );
}
