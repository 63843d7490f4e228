/**
 * What the engine holds, giving back what it no longer needs, and naming what is not a number. tfjs' WebGPU buffer pool
 * never shrinks: a freed buffer is reused only for the same size, so it is trimmed where sizes change (between phases).
 */
import { Fault } from '../protocol/faults';
import { flush, internals } from './dispatch';
import { backend, getBackend, memory, type Tensor } from './tf';

export interface MemorySnapshot {
  tensors: number;
  /** Of all tensors. */
  bytes: number;
  /** What the backend has taken for them: GPU buffers including the pool, or the whole wasm heap; `bytes` on cpu. */
  allocatedBytes: number;
}

interface Pool {
  freeBuffers: Map<string, { size: number; destroy(): void }[]>;
  numFreeBuffers: number;
  numBytesAllocated: number;
}

export function memorySnapshot(): MemorySnapshot {
  const { numTensors, numBytes, ...rest } = memory() as ReturnType<typeof memory> & { numBytesAllocatedInGPU?: number };
  const heap = getBackend() === 'wasm' ? (backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.byteLength : undefined;
  return { tensors: numTensors, bytes: numBytes, allocatedBytes: rest.numBytesAllocatedInGPU ?? heap ?? numBytes };
}

/** Destroys the pool's free buffers and returns their bytes; 0 on other backends, which have no pool. */
export function trimMemory(): number {
  if (getBackend() !== 'webgpu') return 0;
  flush(backend());
  const pool = internals(backend()).bufferManager as unknown as Pool;
  let freed = 0;
  for (const buffers of pool.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      freed += buffer.size;
      buffer.destroy();
      pool.numFreeBuffers--;
    }
  }
  pool.numBytesAllocated -= freed;
  return freed;
}

const notFinite = (name: string, value: number, at: number) =>
  new Fault('not-finite', `${name} has become ${value} (at index ${at}).`, 'Lower the learning rate and continue from the last checkpoint.', { subject: name });

/** Throws Fault `not-finite` naming the first tensor's value that is NaN or infinite. */
export function checkFinite(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) throw notFinite(name, values[i]!, i);
  }
}

/** The same for tensors by name; reads them all back, so it waits for the backend. */
export async function checkTensorsFinite(tensors: Record<string, Tensor>): Promise<void> {
  const read = await Promise.all(Object.entries(tensors).map(async ([name, x]) => [name, await x.data()] as const));
  for (const [name, values] of read) checkFinite(name, values);
}
