/**
 * Picks and opens the backend. `auto` is WebGPU on a real adapter, else wasm: a software adapter is slower than wasm and
 * counts as none unless WebGPU is asked for by name. What was chosen, and why it is not WebGPU, is said in words.
 */
import { setBackend } from '@tensorflow/tfjs-core';
import { Fault } from '../protocol/faults';
import './tf';
import { findAdapter, openDevice, type FoundAdapter, type Loss } from './webgpu/device';
import { isIsolated, openWasm, type WasmOptions } from './wasm/wasm';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';

/** What computes; the same record as the protocol's. */
export interface Compute {
  backend: BackendName;
  adapter: string;
  software: boolean;
  threads: number;
  crossOriginIsolated: boolean;
  /** Why it is not WebGPU; empty when it is. */
  reason: string;
}

export interface OpenOptions extends WasmOptions {
  /** The device is gone (not by our own doing) or out of memory; every tensor with it. */
  onLoss?: (loss: Loss) => void;
  /** What was computed on before the worker died. WebGPU asked for by name may then be replaced by wasm, and a real adapter is never followed by a software one. */
  before?: Compute | null;
  /** Why WebGPU is not to be tried again; empty where it may be. */
  avoid?: string;
}

/** How long WebGPU is waited for where wasm would do instead. Starting a GPU process anew takes a few seconds, more while it is busy. */
const PATIENCE_MS = 60_000;

const inWords = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function openWebgpu(found: FoundAdapter, options: OpenOptions, patienceMs: number): Promise<Compute> {
  await openDevice(found, options.onLoss, patienceMs);
  return { backend: 'webgpu', adapter: found.name, software: found.software, threads: 1, crossOriginIsolated: isIsolated(), reason: '' };
}

async function openWasmCompute(options: OpenOptions, reason: string): Promise<Compute> {
  const { threads, simd } = await openWasm(options);
  const adapter = `wasm${simd ? ' SIMD' : ''}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return { backend: 'wasm', adapter, software: true, threads, crossOriginIsolated: isIsolated(), reason };
}

async function openCpu(): Promise<Compute> {
  await import('@tensorflow/tfjs-backend-cpu');
  await setBackend('cpu');
  return { backend: 'cpu', adapter: 'plain JavaScript', software: true, threads: 1, crossOriginIsolated: isIsolated(), reason: 'Plain JavaScript was asked for.' };
}

/** Why this adapter cannot be used; empty when it can. */
function objection(found: FoundAdapter | null, softwareWillDo: boolean): string {
  if (!(globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu) return 'This browser has no WebGPU.';
  if (!found) return 'The browser offers no graphics adapter.';
  return found.software && !softwareWillDo ? `The only graphics adapter is a software one (${found.name}), slower than WebAssembly.` : '';
}

/** Throws Fault `backend-unavailable` where the one asked for by name does not open, unless it has been computing before. */
export async function openBackend(choice: 'auto' | BackendName, options: OpenOptions): Promise<Compute> {
  if (choice === 'cpu') return openCpu();
  if (choice === 'wasm') return openWasmCompute(options, 'WebAssembly was asked for.');
  const { before, avoid } = options;
  if (avoid) return openWasmCompute(options, avoid);
  const refused = (reason: string, cause?: unknown): Promise<Compute> => {
    if (before) return openWasmCompute(options, `WebGPU could not be had again: ${reason}`);
    if (choice === 'auto') return openWasmCompute(options, reason);
    throw new Fault('backend-unavailable', `WebGPU was asked for. ${reason}`, 'Open the page without backend=webgpu, or in a browser with WebGPU.', { cause });
  };
  const patienceMs = before || choice === 'auto' ? PATIENCE_MS : Infinity;
  const found = await findAdapter(patienceMs).catch(() => null);
  const reason = objection(found, choice === 'webgpu' && before?.software !== false);
  if (!found || reason) return refused(reason);
  try {
    return await openWebgpu(found, options, patienceMs);
  } catch (cause) {
    return refused(`${found.name} could not be opened: ${inWords(cause)}.`, cause);
  }
}
