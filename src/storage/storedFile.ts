/**
 * Reads a stored file chunk by chunk: each chunk is checked against its hash whenever it is read, a few are kept.
 * Reads queue up, so that a model asking for all its tensors at once still holds a few chunks and not the file.
 * A damaged or missing chunk is repaired once through `repair`; it does not know how.
 */
import { Fault } from '../protocol/faults';
import { getChunk } from './chunks';
import type { ChunkEntry, Database, FileManifest } from './db';
import { parseHeader, rowRange, tensorMissing, type TensorSource } from '../formats/safetensors';
import { packedSizes, unpack, type PackedValues } from '../formats/packing';
import { toFloat32, valueBytes } from '../formats/tensorBytes';

/** Neighbouring tensors share chunks, and a block's layers are asked for in another order than that of the file, whose text and image halves lie apart: with four none is read twice. */
const KEPT_CHUNKS = 4;

export interface StoredFileOptions {
  path: string;
  /** Fetches the file again; resolves when it has been rewritten. */
  repair: () => Promise<void>;
  /** Called with a chunk's number each time it has been read and found whole, or need not be read. */
  onChunk?: (n: number, sizeBytes: number) => void;
}

export function storedFile(db: Database, manifest: FileManifest, { path, repair, onChunk }: StoredFileOptions) {
  const kept = new Map<number, Uint8Array>();
  let queue: Promise<unknown> = Promise.resolve();

  const load = async (entry: ChunkEntry): Promise<Uint8Array> => {
    const { n } = entry;
    let bytes = kept.get(n) ?? (await getChunk(db, manifest.sha256, entry));
    if (!bytes) {
      await repair();
      bytes = await getChunk(db, manifest.sha256, entry);
      if (!bytes) throw new Fault('base-corrupt', `The stored copy of “${path}” is damaged and could not be repaired.`, 'Clear this site’s data in the browser, then reload the page.', { subject: path });
    }
    if (!kept.has(n)) onChunk?.(n, entry.sizeBytes);
    kept.delete(n);
    kept.set(n, bytes);
    for (const old of kept.keys()) if (kept.size > KEPT_CHUNKS) kept.delete(old);
    return bytes;
  };

  /** Visits the parts of [begin, end) in order; `at` is a part's distance from `begin`. */
  const visit = (begin: number, end: number, use: (part: Uint8Array, at: number) => void): Promise<void> => {
    const work = async () => {
      for (const entry of manifest.chunks) {
        const { offset, sizeBytes } = entry;
        const [from, to] = [Math.max(begin, offset), Math.min(end, offset + sizeBytes)];
        if (from < to) use((await load(entry)).subarray(from - offset, to - offset), from - begin);
      }
    };
    const done = queue.then(work);
    queue = done.catch(() => undefined);
    return done;
  };

  return {
    /** The whole file; for configs and vocabularies, not for weights. */
    async bytes(): Promise<Uint8Array> {
      const out = new Uint8Array(manifest.sizeBytes);
      await visit(0, manifest.sizeBytes, (part, at) => out.set(part, at));
      return out;
    },
    tensors(): TensorSource {
      const tensors = manifest.tensors ?? {};
      const dataBegin = Math.min(manifest.sizeBytes, ...Object.values(tensors).map(({ begin }) => begin));
      // The header's chunks are not read again, but for its metadata: the manifest holds what they say of tensors.
      for (const { n, offset, sizeBytes } of manifest.chunks) if (offset < dataBegin) onChunk?.(n, sizeBytes);
      const entry = (key: string) => {
        if (!Object.hasOwn(tensors, key)) throw tensorMissing(path, key);
        return tensors[key]!;
      };
      const numbers = async (key: string, begin: number, end: number) => {
        const { dtype } = entry(key);
        const size = valueBytes[dtype]!;
        const out = new Float32Array((end - begin) / size);
        await visit(begin, end, (part, at) => toFloat32(part, dtype, out.subarray(at / size, (at + part.byteLength) / size)));
        return out;
      };
      const packedValues = async (key: string): Promise<PackedValues> => {
        const { shape: [outFeatures = 0, inFeatures = 0], begin, end, packing } = entry(key);
        const { stride, group, words } = packedSizes(inFeatures, outFeatures, packing!);
        const bytes = new Uint8Array(end - begin);
        await visit(begin, end, (part, at) => bytes.set(part, at));
        return { precision: packing!.precision, inFeatures, outFeatures, stride, group, words: new Uint32Array(bytes.buffer, 0, words), scales: new Uint32Array(bytes.buffer, 4 * words) };
      };
      return {
        metadata: async () => {
          const head = new Uint8Array(dataBegin);
          await visit(0, dataBegin, (part, at) => head.set(part, at));
          return parseHeader(head, manifest.sizeBytes, path).metadata;
        },
        keys: () => Object.keys(tensors),
        has: (key) => Object.hasOwn(tensors, key),
        shape: (key) => entry(key).shape,
        packed: (key) => {
          const { packing } = entry(key);
          return packing ? { packing, read: () => packedValues(key) } : null;
        },
        read: async (key) => (entry(key).packing ? turned(await packedValues(key)) : numbers(key, entry(key).begin, entry(key).end)),
        readRows: async (key, from, to) => numbers(key, ...rowRange(entry(key), from, to)),
      };
    },
  };
}

/** The weights as they act, in the checkpoint's order [out,in]. */
function turned(packed: PackedValues): Float32Array {
  const { inFeatures, outFeatures } = packed;
  const values = unpack(packed);
  const out = new Float32Array(values.length);
  for (let i = 0; i < inFeatures; i++) for (let o = 0; o < outFeatures; o++) out[o * inFeatures + i] = values[i * outFeatures + o]!;
  return out;
}
