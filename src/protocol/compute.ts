/** What the session computes on, what it holds, and what its work costs: plain records that cross the thread. */

export type BackendName = 'webgpu' | 'wasm' | 'cpu';

export interface Compute {
  backend: BackendName;
  /** The adapter's own name, "wasm SIMD, 1 thread" without one. */
  adapter: string;
  software: boolean;
  threads: number;
  crossOriginIsolated: boolean;
  /** Why it is not WebGPU, in words; empty when it is. */
  reason: string;
}

export interface StorageReport {
  usageBytes: number;
  quotaBytes: number;
  persisted: boolean;
  baseBytes: number;
  conceptBytes: number;
}

/** What the session worker holds. Null where the backend has no such thing. */
export interface Memory {
  tensors: number;
  bytes: number;
  /** tfjs' pool of GPU buffers, free ones included, and what of it is in use. */
  gpuAllocatedBytes: number | null;
  gpuUsedBytes: number | null;
  /** The wasm heap, which never shrinks. */
  wasmBytes: number | null;
}

/** Kernels of one name in one step. */
export interface KernelShare { name: string; calls: number; ms: number }

/** What the engine does, for the overlay of `?hud`. */
export interface TraceReport {
  /** Whose time kernels are measured in; null where the adapter has no timestamp queries. */
  clock: 'gpu' | 'worker' | null;
  /** The last optimizer step: its wall time, its kernels' time and the five longest of them. */
  step: { step: number; stepMs: number; kernelMs: number; kernels: KernelShare[] } | null;
  memory: Memory;
  /** Most bytes in tensors since tracing began. */
  peakBytes: number;
}
