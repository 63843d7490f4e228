/** What of tfjs' wasm backend its types keep to themselves. */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { invariant } from '../invariant';

export interface Heap {
  wasm: {
    asm: { memory?: WebAssembly.Memory }; wasmMemory?: WebAssembly.Memory; HEAPU8: Uint8Array;
    cwrap(name: string, result: null, args: string[]): (...args: number[]) => void; _malloc(bytes: number): number;
    tfjs: { registerTensor(id: number, size: number, offset: number): void; disposeData(id: number): void };
  };
  dataIdNextNumber: number;
}

export const heapOf = (backend: BackendWasm) => backend as unknown as Heap;

export function memoryOf(backend: BackendWasm): WebAssembly.Memory {
  const { wasm } = heapOf(backend);
  const memory = wasm.asm.memory ?? wasm.wasmMemory;
  invariant(memory, "tfjs' wasm module keeps its memory elsewhere; it must be 4.22.0");
  return memory;
}
