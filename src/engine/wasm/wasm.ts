/**
 * tfjs' wasm backend: which build, how many threads, and our kernels in it. tfjs caps its threads at half of
 * navigator.hardwareConcurrency, so that number is overridden while it starts. One thread uses the plain SIMD build:
 * the threaded one starts a pool of workers whatever it is asked for.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { env, findBackend, setBackend } from '@tensorflow/tfjs-core';
import { Fault } from '../../protocol/faults';

export interface WasmOptions {
  /** Null: by the machine (1 up to 2 cores, else one less than there are, at most 8). */
  threads: number | null;
  /** A folder ending in a slash, or the three files by name. */
  wasmPaths: string | Record<string, string>;
}

const MAX_THREADS = 8;

export function threadCount(asked: number | null, cores: number, isolated: boolean): number {
  if (!isolated) return 1;
  if (asked !== null) return Math.max(1, Math.min(MAX_THREADS, Math.floor(asked)));
  return cores <= 2 ? 1 : Math.min(MAX_THREADS, cores - 1);
}

const scope = globalThis as { crossOriginIsolated?: boolean; navigator?: { hardwareConcurrency?: number } };
export const isIsolated = () => scope.crossOriginIsolated === true;

/** Runs `start` while the machine seems to have `cores` cores. */
async function withCores<T>(cores: number, start: () => Promise<T>): Promise<T> {
  const { navigator } = scope;
  if (!navigator) return start();
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: cores, configurable: true });
  try {
    return await start();
  } finally {
    // uncovers the prototype's own getter
    Reflect.deleteProperty(navigator, 'hardwareConcurrency');
  }
}

const guarded = new WeakSet<object>();

/** tfjs takes what malloc gives; where there is no more memory that is address 0, and tensors would be written over each other. */
function refuseNull(backend: BackendWasm): void {
  const wasm = backend.wasm as unknown as { _malloc(sizeBytes: number): number };
  if (guarded.has(wasm)) return;
  guarded.add(wasm);
  const malloc = wasm._malloc.bind(wasm);
  wasm._malloc = (sizeBytes: number) => {
    const at = malloc(sizeBytes);
    if (at === 0 && sizeBytes > 0) throw new Fault('out-of-memory', `WebAssembly has no ${(sizeBytes / 1e6).toFixed(1)} MB left for a tensor.`, 'Close other tabs, or use fewer or smaller pictures.');
    return at;
  };
}

/** Makes wasm the current backend and returns its thread count. Opened before, it stays as it is. */
export async function openWasm(options: WasmOptions): Promise<{ threads: number; simd: boolean }> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const [{ installWasmMatMul }, { installWasmRows }, { installWasmSlices }] = await Promise.all([import('./wasmMatMul'), import('./wasmRows'), import('./wasmSlices')]);
  if (!findBackend('wasm')) {
    installWasmMatMul();
    installWasmRows();
    installWasmSlices();
    const threads = threadCount(options.threads, scope.navigator?.hardwareConcurrency ?? 1, isIsolated());
    if (threads === 1) env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
    wasm.setThreadsCount(threads);
    wasm.setWasmPaths(options.wasmPaths);
    const started = await withCores(2 * threads, async () => {
      try {
        return await setBackend('wasm');
      } catch (cause) {
        throw new Fault('backend-unavailable', 'The WebAssembly engine could not be started.', 'Reload the page; if that does not help, use a current browser.', { cause });
      }
    });
    if (!started) throw new Fault('backend-unavailable', 'The WebAssembly engine could not be started.', 'Reload the page; if that does not help, use a current browser.');
  } else {
    await setBackend('wasm');
  }
  refuseNull(findBackend('wasm') as BackendWasm);
  return { threads: wasm.getThreadsCount(), simd: await env().getAsync('WASM_HAS_SIMD_SUPPORT') as boolean };
}
