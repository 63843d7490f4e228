/**
 * Packed weights outside the tensor system: on WebGPU two buffers of their own (tfjs neither counts nor frees them), on the
 * other backends the packed words, unpacked to a tensor while a block is at work. The owner frees them with the backend on
 * which they were made.
 */
import { flush, internals } from '../dispatch';
import { backend, getBackend } from '../tf';
import { pack, unpack, type PackedValues, type Packing } from './packing';

export type PackedHead = Omit<PackedValues, 'words' | 'scales'>;

export interface OnGpu extends PackedHead { place: 'gpu'; words: GPUBuffer; scales: GPUBuffer; sizeBytes: number }
export interface InMemory extends PackedHead { place: 'memory'; values: PackedValues; sizeBytes: number }
export type PackedMatrix = OnGpu | InMemory;

let gpuBytes = 0;

/** Bytes of all packed weights in GPU buffers now. */
export const packedGpuBytes = (): number => gpuBytes;

const PRECISIONS = ['f32', 'f16', 'int8', 'int4'] as const;
/** The shader's PRECISION. */
export const precisionNumber = ({ precision }: PackedHead): number => PRECISIONS.indexOf(precision);

function upload(device: GPUDevice, values: Uint32Array<ArrayBuffer>): GPUBuffer {
  // Shaders read vectors of four words; a binding may not be empty.
  const buffer = device.createBuffer({ size: 16 * Math.max(1, Math.ceil(values.byteLength / 16)), usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  if (values.byteLength > 0) device.queue.writeBuffer(buffer, 0, values);
  gpuBytes += buffer.size;
  return buffer;
}

/** Hands packed values to the current backend. */
export function placePacked(values: PackedValues): PackedMatrix {
  const { words, scales, ...head } = values;
  if (getBackend() !== 'webgpu') return { ...head, place: 'memory', values, sizeBytes: words.byteLength + scales.byteLength };
  const { device } = internals(backend());
  const [onGpu, scalesOnGpu] = [upload(device, words), upload(device, scales)];
  return { ...head, place: 'gpu', words: onGpu, scales: scalesOnGpu, sizeBytes: onGpu.size + scalesOnGpu.size };
}

/** values [in,out]. */
export const packMatrix = (values: Float32Array, inFeatures: number, outFeatures: number, packing: Packing): PackedMatrix => placePacked(pack(values, inFeatures, outFeatures, packing));

/** The weights as they act, [in,out]; in-memory matrices only. */
export const unpackMatrix = ({ values }: InMemory): Float32Array => unpack(values);

export function disposePacked(matrix: PackedMatrix): void {
  if (matrix.place === 'memory') return;
  // Recorded work may still read the buffers: destroyed before it is submitted, the whole submission would be lost.
  if (getBackend() === 'webgpu') flush(backend());
  gpuBytes -= matrix.sizeBytes;
  matrix.words.destroy();
  matrix.scales.destroy();
}
