/**
 * Picks and opens the backend. `auto` is WebGPU on a real adapter, else wasm: a software adapter is slower than wasm and
 * counts as none unless WebGPU is asked for by name. What was chosen, and why it is not WebGPU, is said in words.
 */
import { setBackend } from '@tensorflow/tfjs-core';
import { Fault } from '../protocol/faults';
import './tf';
import { findAdapter, openDevice, type FoundAdapter } from './device';
import { isIsolated, openWasm, type WasmOptions } from './wasm';

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
  /** The device is gone (not by our own doing); every tensor with it. */
  onLost?: (reason: string) => void;
}

const inWords = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function openWebgpu(found: FoundAdapter, options: OpenOptions): Promise<Compute> {
  await openDevice(found, options.onLost);
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

/** Why `auto` cannot use this adapter; empty when it can. */
function objection(found: FoundAdapter | null): string {
  if (!(globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu) return 'This browser has no WebGPU.';
  if (!found) return 'The browser offers no graphics adapter.';
  return found.software ? `The only graphics adapter is a software one (${found.name}), slower than WebAssembly.` : '';
}

/** Throws Fault `backend-unavailable` where the one asked for by name does not open. */
export async function openBackend(choice: 'auto' | BackendName, options: OpenOptions): Promise<Compute> {
  if (choice === 'cpu') return openCpu();
  if (choice === 'wasm') return openWasmCompute(options, 'WebAssembly was asked for.');
  const found = await findAdapter().catch(() => null);
  if (choice === 'webgpu') {
    if (!found) throw new Fault('backend-unavailable', `WebGPU was asked for. ${objection(found)}`, 'Open the page without backend=webgpu, or in a browser with WebGPU.');
    try {
      return await openWebgpu(found, options);
    } catch (cause) {
      throw new Fault('backend-unavailable', `WebGPU was asked for, but ${found.name} could not be opened: ${inWords(cause)}`, 'Open the page without backend=webgpu.', { cause });
    }
  }
  const reason = objection(found);
  if (!found || reason) return openWasmCompute(options, reason);
  try {
    return await openWebgpu(found, options);
  } catch (cause) {
    return openWasmCompute(options, `${found.name} could not be opened: ${inWords(cause)}`);
  }
}
