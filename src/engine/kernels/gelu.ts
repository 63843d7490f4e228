/**
 * The three GELUs as one kernel each way: `GeluTanh`, `GeluErf`, `QuickGelu` and their `…Gradient` on WebGPU
 * (shaders/gelu.wgsl), all but `GeluErf` on wasm too (wasm/wasmRows.ts). Saves x alone. The composed forms, and the choice between them, are in ops/activations.ts.
 */
import code from '../../../shaders/gelu.wgsl?raw';
import { allocate, dispatch, uniforms } from '../webgpu/dispatch';
import { withGradient } from '../ops/withGradient';
import { engine, registerKernel, util, type NamedTensorMap, type Tensor, type TensorInfo } from '../tf';
import { widened, widthFor } from '../widened';

/** The number by which the shader knows each. */
const kinds = { GeluTanh: 0, GeluErf: 1, QuickGelu: 2 } as const;
export type GeluName = keyof typeof kinds;

for (const [kernelName, KIND] of Object.entries(kinds)) {
  for (const GRADIENT of [0, 1]) {
    registerKernel({
      kernelName: GRADIENT ? `${kernelName}Gradient` : kernelName,
      backendName: 'webgpu',
      kernelFunc: ({ inputs, backend }) => {
        const { x, dy } = inputs as { x: TensorInfo; dy?: TensorInfo };
        const size = util.sizeFromShape(x.shape);
        const width = widthFor(size);
        const out = allocate(backend, x.shape);
        const program = widened({ name: 'gelu', code, constants: { KIND, GRADIENT } }, width);
        dispatch(backend, program, [x, dy ?? x, out], uniforms([['u', size / width]]), Math.ceil(size / width / 64));
        return out;
      },
    });
  }
}

const run = (kernelName: string, inputs: NamedTensorMap): Tensor => engine().runKernel(kernelName, inputs) as unknown as Tensor;

/** x of any shape. */
export function geluFused<T extends Tensor>(name: GeluName, x: T): T {
  return withGradient(
    { x },
    (save) => {
      save([x]);
      return run(name, { x }) as T;
    },
    (dy, [kept]) => ({ x: () => run(`${name}Gradient`, { x: kept!, dy }) }),
  );
}
