/**
 * Our own WGSL inside tfjs' command stream: same encoder, same pass, same deferred submit, so that order and deferred
 * frees hold. Uses TypeScript-private fields of WebGPUBackend 4.22.0, checked once when the backend is made.
 * A module declares its own bindings in group 0: storage buffers in the order given, one uniform block last.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { env, util, type DataType, type TensorInfo } from '@tensorflow/tfjs-core';
import { invariant } from '../invariant';
import { workLimit } from './workLimit';

interface TensorData { values: unknown; resource: GPUBuffer | null }

/** The private side of WebGPUBackend 4.22.0 that this file relies on. */
export interface Internals {
  device: GPUDevice;
  queue: GPUQueue;
  tensorMap: { get(id: object): TensorData };
  bufferManager: { acquireBuffer(size: number, usage: number): GPUBuffer; freeBuffers: Map<string, GPUBuffer[]>; numFreeBuffers: number; numBytesUsed: number; numBytesAllocated: number };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  commandQueueOwnedIds: WeakSet<object>;
  uniformPendingDisposal: GPUBuffer[];
  dispatchCountInPass: number;
  uploadToGPU(id: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  makeTensorInfo(shape: readonly number[], dtype: DataType): TensorInfo;
  disposeData(id: object): boolean;
}
const fields = [
  'device', 'queue', 'tensorMap', 'bufferManager', 'commandEncoder', 'computePassEncoder', 'commandQueueOwnedIds', 'uniformPendingDisposal',
  'dispatchCountInPass', 'uploadToGPU', 'ensureCommandEncoderReady', 'endComputePassEncoder', 'submitQueue', 'makeTensorInfo', 'disposeData',
] as const satisfies readonly (keyof Internals)[];

export const internals = (backend: unknown): Internals => backend as Internals;

/** Throws where tfjs is not the version this file was written against. */
export function checkPrivateFields(backend: WebGPUBackend): void {
  const missing = fields.filter((name) => !(name in backend));
  invariant(missing.length === 0, `tfjs' WebGPU backend lacks ${missing.join(', ')}; it must be 4.22.0`);
}

const pipelines = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

export interface Program {
  /** The shader's file name without ending; with `constants` it identifies the pipeline. */
  name: string;
  code: string;
  /** Values for the module's `override` declarations. */
  constants?: Record<string, number>;
}

function pipelineOf(device: GPUDevice, { name, code, constants = {} }: Program): GPUComputePipeline {
  let cache = pipelines.get(device);
  if (!cache) pipelines.set(device, (cache = new Map()));
  const key = name + JSON.stringify(constants);
  let pipeline = cache.get(key);
  if (!pipeline) {
    const module = device.createShaderModule({ code, label: name });
    pipeline = device.createComputePipeline({ label: key, layout: 'auto', compute: { module, entryPoint: 'main', constants } });
    cache.set(key, pipeline);
  }
  return pipeline;
}

/**
 * Freed tensors return to the pool only when the work that used them is submitted. With large tensors a full batch of
 * dispatches would make the pool several times what is in use, so it is also submitted after this many allocated bytes.
 */
const SUBMIT_BYTES = 128 * 2 ** 20;
let allocatedBytes = 0;
/** What the recorded dispatches that said so will compute. */
let recordedFlops = 0;

/** A tensor without values, on the GPU. Its buffer may hold anything. */
export function allocate(backend: unknown, shape: readonly number[], dtype: DataType = 'float32'): TensorInfo {
  const info = internals(backend).makeTensorInfo(shape, dtype);
  allocatedBytes += 4 * util.sizeFromShape(info.shape);
  internals(backend).uploadToGPU(info.dataId);
  return info;
}

/** Call for every tensor a kernel wrote in place: tfjs keeps what data() once read and would hand it out again. */
export function forgetValues(backend: unknown, x: TensorInfo): void {
  internals(backend).tensorMap.get(x.dataId).values = null;
}

/** A member of a uniform block: `u` a whole number, `f` a float. */
export type Member = ['u' | 'f', number];

/** A uniform block: 4 bytes a member, in order. */
export function uniforms(members: readonly Member[]): ArrayBuffer {
  const block = new DataView(new ArrayBuffer(16 * Math.ceil(members.length / 4)));
  members.forEach(([kind, value], i) => (kind === 'u' ? block.setUint32(4 * i, value, true) : block.setFloat32(4 * i, value, true)));
  return block.buffer;
}

/** What a shader binds: a tensor, or a buffer that its owner keeps alive until the work is submitted. */
export type Binding = TensorInfo | GPUBuffer;
const isTensor = (bound: Binding): bound is TensorInfo => 'dataId' in bound;

/**
 * Records one dispatch. `groups` above the limit in x are folded into y, so a shader numbers its groups
 * `workgroup_id.x + workgroup_id.y * num_workgroups.x` and returns early beyond its last.
 */
export function dispatch(backend: unknown, program: Program, bindings: readonly Binding[], block: ArrayBuffer, groups: number): void {
  const b = internals(backend);
  const pipeline = pipelineOf(b.device, program);
  // Uploads first: they may end the open pass.
  for (const bound of bindings) if (isTensor(bound)) b.uploadToGPU(bound.dataId);
  const entries: GPUBindGroupEntry[] = bindings.map((bound, binding) => {
    if (!isTensor(bound)) return { binding, resource: { buffer: bound } };
    const buffer = b.tensorMap.get(bound.dataId).resource;
    invariant(buffer, `${program.name}: binding ${binding} is not on the GPU`);
    b.commandQueueOwnedIds.add(bound.dataId);
    return { binding, resource: { buffer } };
  });
  const uniform = b.bufferManager.acquireBuffer(block.byteLength, GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM);
  b.queue.writeBuffer(uniform, 0, block);
  b.uniformPendingDisposal.push(uniform);
  entries.push({ binding: entries.length, resource: { buffer: uniform } });
  const group = b.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  b.ensureCommandEncoderReady();
  // The label is what tracing, which gives each dispatch a pass of its own, knows it by.
  b.computePassEncoder ??= b.commandEncoder!.beginComputePass({ label: program.name });
  const limit = b.device.limits.maxComputeWorkgroupsPerDimension;
  const rows = Math.ceil(groups / limit);
  b.computePassEncoder.setPipeline(pipeline);
  b.computePassEncoder.setBindGroup(0, group);
  b.computePassEncoder.dispatchWorkgroups(Math.ceil(groups / rows), rows, 1);
  b.dispatchCountInPass++;
  if (b.dispatchCountInPass >= env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') || allocatedBytes > SUBMIT_BYTES || recordedFlops > workLimit.flops) flush(backend);
}

/** As dispatch, for work that may be long: in as many slices as workLimit asks for. The shader's last uniform, after `members`, is its first group: u32. */
export function dispatchSlices(backend: unknown, program: Program, bindings: readonly Binding[], members: readonly Member[], groups: number, flops: number): void {
  const slice = Math.ceil(groups / Math.max(1, Math.ceil(flops / workLimit.flops)));
  for (let first = 0; first < groups; first += slice) {
    const count = Math.min(slice, groups - first);
    recordedFlops += (flops * count) / groups;
    dispatch(backend, program, bindings, uniforms([...members, ['u', first]]), count);
  }
}

/** tfjs' pool reuses a buffer only for the very same size and never shrinks: other sizes pile up beside it. Emptied beyond this. */
const POOL_BYTES = 512 * 2 ** 20;

/** Destroys the pool's free buffers. What was submitted with them still completes. */
export function emptyPool(backend: unknown): void {
  const { bufferManager } = internals(backend);
  for (const buffers of bufferManager.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      bufferManager.numFreeBuffers--;
      bufferManager.numBytesAllocated -= buffer.size;
      buffer.destroy();
    }
  }
}

/** Float32 ranges, in elements. */
export interface RangeCopy { from: TensorInfo; fromStart: number; to: TensorInfo; toStart: number; size: number }

/** Records copies between buffers of different tensors, in order with the dispatches. They end the open pass once. */
export function copyRanges(backend: unknown, copies: readonly RangeCopy[]): void {
  const b = internals(backend);
  for (const { from, to } of copies) [from, to].forEach(({ dataId }) => b.uploadToGPU(dataId));
  b.ensureCommandEncoderReady();
  b.endComputePassEncoder();
  for (const { from, fromStart, to, toStart, size } of copies) {
    const [source, target] = [from, to].map(({ dataId }) => b.tensorMap.get(dataId).resource);
    invariant(source && target, 'a copy between tensors that are not on the GPU');
    [from, to].forEach(({ dataId }) => b.commandQueueOwnedIds.add(dataId));
    if (size > 0) b.commandEncoder!.copyBufferToBuffer(source, 4 * fromStart, target, 4 * toStart, 4 * size);
  }
}

/** Submits what has been recorded. */
export function flush(backend: unknown): void {
  const b = internals(backend);
  b.ensureCommandEncoderReady();
  b.endComputePassEncoder();
  b.submitQueue();
  allocatedBytes = 0;
  recordedFlops = 0;
  if (b.bufferManager.numBytesAllocated - b.bufferManager.numBytesUsed > POOL_BYTES) emptyPool(backend);
}
