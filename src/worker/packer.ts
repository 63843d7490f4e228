/**
 * Who packs an import's layers: the session's own thread, or a worker beside it, so that packing, hashing and writing go on at
 * the same time. The same bytes come out. A worker that cannot be started is done without.
 */
import type { Packing } from '../formats/packing';
import { packRows } from '../formats/packRows';
import type { WorkerLike } from '../protocol/wire';

/** A linear layer of a checkpoint, [out,in] row-major. */
export interface Unpacked { bytes: Uint8Array<ArrayBuffer>; dtype: string; outFeatures: number; inFeatures: number; packing: Packing }
export interface Packed { words: Uint32Array<ArrayBuffer>; scales: Uint32Array<ArrayBuffer> }

export interface Packer {
  /** Takes over the bytes. */
  pack(layer: Unpacked): Promise<Packed>;
  dispose(): void;
}

export function packed({ bytes, dtype, outFeatures, inFeatures, packing }: Unpacked): Packed {
  const { words, scales } = packRows(bytes, dtype, outFeatures, inFeatures, packing);
  return { words, scales };
}

export const packHere: Packer = { pack: async (layer) => packed(layer), dispose: () => {} };

/** What crosses to the packing worker and back. */
export interface PackRequest { id: number; layer: Unpacked }
export type PackAnswer = { id: number; packed: Packed } | { id: number; error: string };

interface Waiting { layer: Unpacked; resolve(packed: Packed): void; reject(error: unknown): void }

/** The bytes are copied on their way there, so that they are still here if the worker dies; what comes back is handed over. */
export function packBeside(make: () => WorkerLike): Packer {
  const waiting = new Map<number, Waiting>();
  let worker: WorkerLike | null = null;
  let alive = true;
  let ids = 0;
  const here = ({ layer, resolve, reject }: Waiting) => void packHere.pack(layer).then(resolve, reject);
  const give = () => {
    alive = false;
    worker?.terminate();
    const left = [...waiting.values()];
    waiting.clear();
    left.forEach(here);
  };
  const started = (): WorkerLike | null => {
    if (worker || !alive) return alive ? worker : null;
    try {
      worker = make();
    } catch {
      alive = false;
      return null;
    }
    worker.addEventListener('message', ({ data }: { data: PackAnswer }) => {
      const asked = waiting.get(data.id);
      waiting.delete(data.id);
      if ('packed' in data) asked?.resolve(data.packed);
      else asked?.reject(new Error(data.error));
    });
    worker.addEventListener('error', give);
    return worker;
  };
  return {
    pack: (layer) => new Promise((resolve, reject) => {
      const beside = started();
      const asked = { layer, resolve, reject };
      if (!beside) return here(asked);
      waiting.set(++ids, asked);
      beside.postMessage({ id: ids, layer } satisfies PackRequest);
    }),
    dispose() {
      alive = false;
      worker?.terminate();
      waiting.forEach(({ reject }) => reject(new Error('the import has ended')));
      waiting.clear();
    },
  };
}
