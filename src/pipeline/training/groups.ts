/**
 * Parameter groups as the trainer moves them: how many numbers, how they start, what tensors are made of them, which of the
 * transformer's gradients are theirs, and the name of a number in them. One entry of `kinds` for each kind of methods/method.ts.
 */
import { cutFlat, joinFlat } from '../../engine/kernels/flatCopy';
import * as tf from '../../engine/tf';
import type { Tensor1D, Tensor2D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { AdapterGroup, InjectionGroup, ParameterGroup, RowsGroup } from '../../methods/method';
import { injectionSites, loraSites, type Adapter, type Between, type VelocityGradients } from '../../models/mmdit';
import type { FlowBase } from '../base';
import { disposeRows, type RowTensors, type Weights } from '../concept';
import { disposeAdapter, flattenGradients, initLora, loraLayout, parameterAt, toAdapter } from '../lora';
import type { Dataset } from './dataset';
import type { Sight } from './trajectory';
import type { Parameters } from './parameters';
import { fittedRows, initialRows } from './rowInit';

/** `values`: of a group as it is now. */
export interface StartFrom { base: FlowBase; dataset: Dataset; seed: number; values(group: string): Promise<Float32Array>; between?: Between }

/** T: the tensors that evaluations take. */
export interface GroupForm<T> {
  size: number;
  start(from: StartFrom): Promise<Float32Array>;
  /** Tensors of their own, from numbers here or (WebGPU) on the device. */
  tensors(values: Float32Array | Tensor1D): T;
  /** The group's part of the gradients in its own order; zeros where there is none. The caller disposes it. */
  gradient(gradients: VelocityGradients): Tensor1D;
  /** In words, the number of the gradient at an index. */
  nameOf(index: number): string;
}

function adapterForm({ rank, sites: choice, start }: AdapterGroup, { mmdit }: FlowBase): GroupForm<Adapter> {
  const layout = loraLayout(loraSites(mmdit, choice), rank);
  return {
    size: layout.size,
    start: async ({ seed, values }) => (start.from === 'group' ? values(start.group) : initLora(layout, { seed, purpose: start.stream, step: 0 })),
    tensors: (values) => toAdapter(layout, values),
    gradient: ({ sites }) => flattenGradients(layout, sites),
    nameOf: (index) => (index < 0 ? 'the norm of the gradient' : `the gradient of ${parameterAt(layout, index)}`),
  };
}

function injectionForm({ rank, stream }: InjectionGroup, sight: Sight | null): GroupForm<Adapter> {
  invariant(sight, 'pairs on an injection need the picture adapter that injects');
  const layout = loraLayout(injectionSites(sight.adapter.cross), rank);
  return {
    size: layout.size,
    start: async ({ seed }) => initLora(layout, { seed, purpose: stream, step: 0 }),
    tensors: (values) => toAdapter(layout, values),
    gradient: ({ sites }) => flattenGradients(layout, sites),
    nameOf: (index) => (index < 0 ? 'the norm of the gradient' : `the gradient of ${parameterAt(layout, index)}`),
  };
}

function rowsForm({ pooledDelta, fit = 0, optimizer }: RowsGroup, { mmdit }: FlowBase): GroupForm<RowTensors> {
  const { hidden, depth, pooledWidth } = mmdit.config;
  const deltaNumbers = pooledDelta ? pooledWidth : 0;
  const size = depth * hidden + deltaNumbers;
  return {
    size,
    async start({ base, dataset, seed, between }) {
      const values = new Float32Array(size);
      const rows = await initialRows(base, dataset, seed);
      values.set(fit > 0 ? await fittedRows(base, dataset, seed, rows, { steps: fit, learningRate: optimizer.learningRate, between }) : rows);
      return values;
    },
    tensors(values) {
      const [rows, delta] = cutFlat(values, [[depth, hidden], ...(deltaNumbers ? [[deltaNumbers]] : [])]);
      return { rows: rows as Tensor2D, pooledDelta: (delta ?? null) as Tensor1D | null };
    },
    gradient: ({ rows, pooledDelta: delta }) => tf.tidy(() => joinFlat([rows ?? tf.zeros([depth * hidden]), ...(deltaNumbers ? [delta ?? tf.zeros([deltaNumbers])] : [])])),
    nameOf: () => 'the gradient of the concept rows',
  };
}

export type TrainedGroup = ({ kind: 'adapter' } & GroupForm<Adapter>) | ({ kind: 'rows' } & GroupForm<RowTensors>) | ({ kind: 'injection' } & GroupForm<Adapter>);
type Kinds = { [K in ParameterGroup['kind']]: (group: Extract<ParameterGroup, { kind: K }>, base: FlowBase, sight: Sight | null) => Extract<TrainedGroup, { kind: K }> };

const kinds: Kinds = {
  adapter: (group, base) => ({ kind: 'adapter', ...adapterForm(group, base) }),
  rows: (group, base) => ({ kind: 'rows', ...rowsForm(group, base) }),
  injection: (group, _, sight) => ({ kind: 'injection', ...injectionForm(group, sight) }),
};

export const formOf = (group: ParameterGroup, base: FlowBase, sight: Sight | null = null): TrainedGroup => (kinds[group.kind] as (group: ParameterGroup, base: FlowBase, sight: Sight | null) => TrainedGroup)(group, base, sight);

export const disposeGradients = ({ sites, rows, pooledDelta }: VelocityGradients): void =>
  tf.dispose([...Object.values(sites).flatMap(({ a, b }) => [a, b]), ...(rows ? [rows] : []), ...(pooledDelta ? [pooledDelta] : [])]);

/** Makes a group's tensors of its present parameters, and frees those of before. */
export function renew(weights: Weights, id: string, group: TrainedGroup, parameters: Parameters): void {
  if (group.kind !== 'rows') {
    disposeAdapter(weights.adapters[id] ?? null);
    weights.adapters[id] = group.tensors(parameters.values(id));
  } else {
    disposeRows(weights.rows[id] ?? null);
    weights.rows[id] = group.tensors(parameters.values(id));
  }
}
