/**
 * The three normalisations over the last axis as one kernel each way: `NormModulate`, `RmsNorm`, `LayerNorm` and their
 * `…Gradient` on WebGPU (shaders/norm_rows.wgsl, norm_rows_gradient.wgsl) and wasm (wasm/wasmRows.ts). Saved for the way back: x itself, and two
 * numbers a row. The composed forms, and the choice between them, are in ops/norms.ts.
 */
import gradientCode from '../../../shaders/norm_rows_gradient.wgsl?raw';
import code from '../../../shaders/norm_rows.wgsl?raw';
import { adapterTraits } from '../webgpu/adapterTraits';
import { allocate, dispatch, uniforms } from '../webgpu/dispatch';
import { withGradient } from '../ops/withGradient';
import { engine, registerKernel, util, type NamedTensorMap, type Tensor, type Tensor1D, type Tensor3D, type TensorInfo } from '../tf';
import { widened, widthFor } from '../widened';
import { columnSums } from './columnSums';

/** Threads that share a row: 1 is the variant without barriers. */
export type Lanes = 1 | 16 | 64;
type NormName = 'NormModulate' | 'RmsNorm' | 'LayerNorm';

/** CENTRED: the mean is taken off. GAIN_OFFSET: the model's gain is 1 + scale. */
const forms: Record<NormName, { CENTRED: number; GAIN_OFFSET: number }> = {
  NormModulate: { CENTRED: 1, GAIN_OFFSET: 1 },
  RmsNorm: { CENTRED: 0, GAIN_OFFSET: 0 },
  LayerNorm: { CENTRED: 1, GAIN_OFFSET: 0 },
};

/** A workgroup has 64 threads. Rows up to this length (a head) would leave most of them idle: four rows share it. */
const SHORT_ROW = 128;
/** The variant for rows of this length on the open adapter. */
export const lanesFor = (size: number): Lanes => (adapterTraits.software ? 1 : size <= SHORT_ROW ? 16 : 64);

/** What both directions tell the shader; gain [.., d] holds one row for each run of rows of x. */
function layout(x: TensorInfo, gain: TensorInfo, lanes: Lanes | undefined) {
  const size = x.shape.at(-1)!;
  const rows = util.sizeFromShape(x.shape) / size;
  const WIDTH = widthFor(size);
  const LANES = lanes ?? lanesFor(size);
  const rowsPerGain = (rows * size) / util.sizeFromShape(gain.shape);
  const members: ['u', number][] = [['u', rows], ['u', size / WIDTH], ['u', rowsPerGain]];
  return { rows, WIDTH, LANES, members, groups: Math.ceil((rows * LANES) / 64) };
}

for (const [kernelName, form] of Object.entries(forms)) {
  registerKernel({
    kernelName,
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, gain, shift } = inputs as { x: TensorInfo; gain: TensorInfo; shift?: TensorInfo };
      const { epsilon, lanes } = attrs as unknown as { epsilon: number; lanes?: Lanes };
      const { rows, WIDTH, LANES, members, groups } = layout(x, gain, lanes);
      const out = [allocate(backend, x.shape), allocate(backend, [rows, 2])];
      const constants = { ...form, SHIFTED: shift ? 1 : 0, LANES, WIDTH };
      dispatch(backend, widened({ name: 'norm_rows', code, constants }, WIDTH), [x, gain, shift ?? gain, ...out], uniforms([...members, ['f', epsilon]]), groups);
      return out;
    },
  });
  registerKernel({
    kernelName: `${kernelName}Gradient`,
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, dy, gain, statistics } = inputs as { x: TensorInfo; dy: TensorInfo; gain: TensorInfo; statistics: TensorInfo };
      const { WIDTH, LANES, members, groups } = layout(x, gain, attrs?.['lanes'] as Lanes | undefined);
      const dx = allocate(backend, x.shape);
      const program = { name: 'norm_rows_gradient', code: gradientCode, constants: { ...form, LANES, WIDTH } };
      dispatch(backend, widened(program, WIDTH), [x, dy, gain, statistics, dx], uniforms(members), groups);
      return dx;
    },
  });
}

const runNorm = (name: NormName, inputs: NamedTensorMap, epsilon: number, lanes?: Lanes): [y: Tensor, statistics: Tensor] =>
  engine().runKernel(name, inputs, { epsilon, lanes: lanes! }) as unknown as [Tensor, Tensor];
const runGradient = (name: NormName, inputs: NamedTensorMap, lanes?: Lanes): Tensor =>
  engine().runKernel(`${name}Gradient`, inputs, { lanes: lanes! }) as unknown as Tensor;

/** x [B,N,d]; shift, scale [B,1,d]. */
export function normModulateFused(x: Tensor3D, shift: Tensor3D, scale: Tensor3D, epsilon: number, lanes?: Lanes): Tensor3D {
  return withGradient(
    { x, shift, scale },
    (save) => {
      const [y, statistics] = runNorm('NormModulate', { x, gain: scale, shift }, epsilon, lanes);
      save([x, scale, statistics]);
      return y as Tensor3D;
    },
    (dy, saved) => {
      const [keptX, gain, statistics] = saved as [Tensor, Tensor, Tensor];
      return {
        x: () => runGradient('NormModulate', { x: keptX, dy, gain, statistics }, lanes),
        shift: () => columnSums(dy),
        scale: () => columnSums(dy, keptX, statistics),
      };
    },
  );
}

/** x [..., d]; weight, and the bias that a LayerNorm has, [d]. Gradient for x only. */
function weighted<T extends Tensor>(name: NormName, x: T, weight: Tensor1D, bias: Tensor1D | null, epsilon: number, lanes?: Lanes): T {
  return withGradient(
    { x },
    (save) => {
      const [y, statistics] = runNorm(name, { x, gain: weight, ...(bias && { shift: bias }) }, epsilon, lanes);
      save([x, statistics]);
      return y as T;
    },
    (dy, [keptX, statistics]) => ({ x: () => runGradient(name, { x: keptX!, dy, gain: weight, statistics: statistics! }, lanes) }),
  );
}

export const rmsNormFused = <T extends Tensor>(x: T, weight: Tensor1D, epsilon: number, lanes?: Lanes): T => weighted('RmsNorm', x, weight, null, epsilon, lanes);
export const layerNormFused = <T extends Tensor>(x: T, weight: Tensor1D, bias: Tensor1D, epsilon: number, lanes?: Lanes): T =>
  weighted('LayerNorm', x, weight, bias, epsilon, lanes);
