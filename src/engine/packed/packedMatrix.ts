/**
 * Packed weights outside the tensor system: on WebGPU two buffers of their own (tfjs neither counts nor frees them), on the
 * other backends the packed words, unpacked to a tensor while a block is at work. The owner frees them with the backend on
 * which they were made.
 */
import { flush, internals } from '../webgpu/dispatch';
import { backend, getBackend } from '../tf';
import { pack, packedSizes, unpack, type PackedValues, type Packing } from '../../formats/packing';

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

function reserve(sizeBytes: number): GPUBuffer {
  // Shaders read vectors of four words; a binding may not be empty.
  const buffer = internals(backend()).device.createBuffer({ size: 16 * Math.max(1, Math.ceil(sizeBytes / 16)), usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  gpuBytes += buffer.size;
  return buffer;
}

function onGpu(head: PackedHead, wordBytes: number, scaleBytes: number): OnGpu {
  const [words, scales] = [reserve(wordBytes), reserve(scaleBytes)];
  return { ...head, place: 'gpu', words, scales, sizeBytes: words.size + scales.size };
}

/** Buffers for a layer whose words come later, on WebGPU. */
export function reservePacked(inFeatures: number, outFeatures: number, packing: Packing): OnGpu {
  const { stride, group, words, scales } = packedSizes(inFeatures, outFeatures, packing);
  return onGpu({ precision: packing.precision, inFeatures, outFeatures, stride, group }, 4 * words, 4 * scales);
}

/** Hands packed values to the current backend. */
export function placePacked(values: PackedValues): PackedMatrix {
  const { words, scales, ...head } = values;
  if (getBackend() !== 'webgpu') return { ...head, place: 'memory', values, sizeBytes: words.byteLength + scales.byteLength };
  const matrix = onGpu(head, words.byteLength, scales.byteLength);
  const { queue } = internals(backend());
  queue.writeBuffer(matrix.words, 0, words);
  if (scales.length > 0) queue.writeBuffer(matrix.scales, 0, scales);
  return matrix;
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
