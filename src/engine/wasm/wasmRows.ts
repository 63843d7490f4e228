/**
 * On wasm, the kernels of normRows.ts, gatedResidual.ts, gelu.ts and columnSums.ts, of the same names and to the same
 * formulas as WebGPU's, by simdRows.ts. GeluErf stays composed. Without SIMD none is registered, and all stay composed.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { getKernel, registerKernel, util, type NamedTensorInfoMap, type TensorInfo } from '@tensorflow/tfjs-core';
import { simdRows, type GeluName, type NormName, type SimdRows } from './simdRows';
import { memoryOf } from './wasmHeap';

type Call = (rows: SimdRows, backend: BackendWasm, inputs: NamedTensorInfoMap, attrs: Record<string, unknown>) => TensorInfo | TensorInfo[];

const count = ({ shape }: TensorInfo) => util.sizeFromShape(shape);
const bits = (value: number): number => new Int32Array(new Float32Array([value]).buffer)[0]!;
const addresses = (backend: BackendWasm, ...tensors: TensorInfo[]) => tensors.map(({ dataId }) => backend.getMemoryOffset(dataId)) as number[];

/** Rows of x, one after the other, of which each row of `broadcast` meets as many as the next. */
function rowsOf(x: TensorInfo, broadcast: TensorInfo) {
  const size = x.shape.at(-1)!;
  const groups = count(broadcast) / size;
  return { groups, rows: count(x) / size / groups, bytes: 4 * size, share: bits(1 / size) };
}

const norm = (name: NormName): Call => (rows, backend, inputs, attrs) => {
  const { x, gain, shift } = inputs as { x: TensorInfo; gain: TensorInfo; shift?: TensorInfo };
  const layout = rowsOf(x, gain);
  const out = backend.makeOutput(x.shape, 'float32');
  const statistics = backend.makeOutput([layout.groups * layout.rows, 2], 'float32');
  const [xAt, gainAt, shiftAt, outAt, statisticsAt] = addresses(backend, x, gain, shift ?? gain, out, statistics) as [number, number, number, number, number];
  rows[name](xAt, gainAt, shiftAt, outAt, statisticsAt, layout.groups, layout.rows, layout.bytes, bits(attrs['epsilon'] as number), layout.share);
  return [out, statistics];
};

const normGradient = (name: NormName): Call => (rows, backend, inputs) => {
  const { x, dy, gain, statistics } = inputs as Record<'x' | 'dy' | 'gain' | 'statistics', TensorInfo>;
  const { groups, rows: each, bytes, share } = rowsOf(x, gain);
  const dx = backend.makeOutput(x.shape, 'float32');
  const [xAt, dyAt, gainAt, statisticsAt, dxAt] = addresses(backend, x, dy, gain, statistics, dx) as [number, number, number, number, number];
  rows[`${name}Gradient`](xAt, dyAt, gainAt, statisticsAt, dxAt, groups, each, bytes, share);
  return dx;
};

const gate = (name: 'GatedResidual' | 'GatedResidualGradient'): Call => (rows, backend, inputs) => {
  const { x, gate: factor, y } = inputs as { x?: TensorInfo; gate: TensorInfo; y: TensorInfo };
  const { groups, rows: each, bytes } = rowsOf(y, factor);
  const out = backend.makeOutput(y.shape, 'float32');
  const [xAt, gateAt, yAt, outAt] = addresses(backend, x ?? y, factor, y, out) as [number, number, number, number];
  rows[name](xAt, gateAt, yAt, outAt, groups, each, bytes);
  return out;
};

const gelu = (name: GeluName | `${GeluName}Gradient`): Call => (rows, backend, inputs) => {
  const { x, dy } = inputs as { x: TensorInfo; dy?: TensorInfo };
  const out = backend.makeOutput(x.shape, 'float32');
  const [xAt, dyAt, outAt] = addresses(backend, x, dy ?? x, out) as [number, number, number];
  rows[name](xAt, dyAt, outAt, 4 * count(x));
  return out;
};

const columnSums: Call = (rows, backend, inputs) => {
  const { dy, factor, statistics } = inputs as { dy: TensorInfo; factor?: TensorInfo; statistics?: TensorInfo };
  const [samples, each, size] = dy.shape as [number, number, number];
  const out = backend.makeOutput([samples, 1, size], 'float32');
  backend.typedArrayFromHeap(out).fill(0);
  const [dyAt, factorAt, statisticsAt, outAt] = addresses(backend, dy, factor ?? dy, statistics ?? dy, out) as [number, number, number, number];
  rows[`sum ${statistics ? 'normed' : factor ? 'plain' : 'none'}`](dyAt, factorAt, statisticsAt, outAt, samples, each, 4 * size);
  return out;
};

const [normNames, geluNames] = [['NormModulate', 'RmsNorm', 'LayerNorm'], ['GeluTanh', 'QuickGelu']] as const;
const calls: Record<string, Call> = {
  ...Object.fromEntries(normNames.flatMap((name) => [[name, norm(name)], [`${name}Gradient`, normGradient(name)]])),
  ...Object.fromEntries((['GatedResidual', 'GatedResidualGradient'] as const).map((name) => [name, gate(name)])),
  ...Object.fromEntries(geluNames.flatMap((name) => ([name, `${name}Gradient`] as const).map((each) => [each, gelu(each)]))),
  ColumnSums: columnSums,
};

const modules = new WeakMap<BackendWasm, SimdRows>();

/** Registers them; a second call does nothing. */
export function installWasmRows(): void {
  if (getKernel('ColumnSums', 'wasm') || !simdRows(new WebAssembly.Memory({ initial: 1 }))) return;
  for (const [kernelName, call] of Object.entries(calls)) {
    registerKernel({
      kernelName, backendName: 'wasm',
      kernelFunc: ({ inputs, attrs, backend: given }) => {
        const backend = given as BackendWasm;
        let rows = modules.get(backend);
        if (!rows) modules.set(backend, (rows = simdRows(memoryOf(backend))!));
        return call(rows, backend, inputs, (attrs ?? {}) as Record<string, unknown>);
      },
    });
  }
}
