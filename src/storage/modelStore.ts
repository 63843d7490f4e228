/**
 * Imported models: written tensor by tensor, so that an import which was broken off goes on behind the last tensor that landed;
 * read as a base's folder; checked again, and deleted. What the tensors are is not known here.
 */
import { invariant } from '../engine/invariant';
import type { Packing } from '../formats/packing';
import { Fault } from '../protocol/faults';
import { chunksOf, getChunk, putChunk, sha256 } from './chunks';
import { CHUNK_BYTES, type ChunkEntry, type Database, type FileManifest, type LandedTensor, type ModelRecord, type StoredTensor } from './db';
import { withRoom } from './quota';
import { storedFile } from './storedFile';
import type { StoredBase } from './weightStore';

/** Chunks a tensor may have: the n of its first one is its own index times this. 4096 chunks are 32 GiB. */
const CHUNKS_A_TENSOR = 4096;

export const partFile = (modelId: string, folder: string) => `${modelId}/${folder}`;

/** A tensor as it is to be written. The bytes come in pieces, in order, each at most CHUNK_BYTES long and the writer's own from then on. */
export interface TensorToWrite { index: number; name: string; dtype: string; shape: number[]; packing?: Packing; sourceBytes: number; pieces: AsyncIterable<Uint8Array<ArrayBuffer>> | Iterable<Uint8Array<ArrayBuffer>> }

/** Chunks of a large tensor that are being written at once. */
const WRITES_AHEAD = 4;

/**
 * Writes tensors of a part in one transaction, but for the first chunks of large ones, which go ahead of it: when this resolves they will
 * never have to be written again, and before that none of them is there. They are hashed at once, and written once `before` is over. Bytes of each. Faults: `storage-full`.
 */
export async function landTensors(db: Database, file: string, tensors: readonly TensorToWrite[], before: Promise<unknown> = Promise.resolve()): Promise<number[]> {
  const writings: Promise<void>[] = [];
  const ready: { index: number; landed: LandedTensor; last: Uint8Array<ArrayBuffer> | null }[] = [];
  for (const { index, pieces, ...tensor } of tensors) {
    const chunks: LandedTensor['chunks'] = [];
    let last: Uint8Array<ArrayBuffer> | null = null;
    for await (const piece of pieces) {
      invariant(piece.byteLength <= CHUNK_BYTES && chunks.length < CHUNKS_A_TENSOR, 'a piece is too long');
      if (last) {
        const writing = putChunk(db, file, chunks.at(-1)!.n, exact(last), `“${file}”`);
        writing.catch(() => undefined); // told where it is awaited
        writings.push(writing);
      }
      if (writings.length >= WRITES_AHEAD) await writings.shift();
      chunks.push({ n: index * CHUNKS_A_TENSOR + chunks.length, sizeBytes: piece.byteLength, sha256: await sha256(piece) });
      last = piece;
    }
    ready.push({ index, landed: { ...tensor, chunks }, last });
  }
  await Promise.all([...writings, before]);
  await withRoom(`“${file}”`, async () => {
    const transaction = db.transaction(['chunks', 'landed'], 'readwrite', { durability: 'relaxed' });
    const [chunkStore, landedStore] = [transaction.objectStore('chunks'), transaction.objectStore('landed')];
    await Promise.all([...ready.flatMap(({ index, landed, last }) => [last && chunkStore.put(exact(last), [file, landed.chunks.at(-1)!.n]), landedStore.put(landed, [file, index])]), transaction.done]);
  });
  return ready.map(({ landed }) => landed.chunks.reduce((total, { sizeBytes }) => total + sizeBytes, 0));
}

const exact = (bytes: Uint8Array<ArrayBuffer>): ArrayBuffer => (bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer);

/** Indices of the tensors of a part that have landed, and their bytes here and in their files. */
export async function landedOf(db: Database, file: string): Promise<{ indices: Set<number>; storedBytes: number; sourceBytes: number }> {
  const [keys, landed] = [await db.getAllKeys('landed', chunksOf(file)), await db.getAll('landed', chunksOf(file))];
  return {
    indices: new Set(keys.map(([, index]) => index)),
    storedBytes: landed.reduce((total, { chunks }) => total + chunks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), 0),
    sourceBytes: landed.reduce((total, { sourceBytes }) => total + sourceBytes, 0),
  };
}

/** Every tensor of the part is there: its manifest takes the records' place. */
export async function completePart(db: Database, file: string): Promise<FileManifest> {
  const chunks: ChunkEntry[] = [];
  const tensors: Record<string, StoredTensor> = {};
  let offset = 0;
  for (const { name, dtype, shape, packing, chunks: own } of await db.getAll('landed', chunksOf(file))) {
    const begin = offset;
    for (const chunk of own) {
      chunks.push({ ...chunk, offset });
      offset += chunk.sizeBytes;
    }
    tensors[name] = { dtype, shape, begin, end: offset, ...(packing && { packing }) };
  }
  const manifest: FileManifest = { sha256: file, sizeBytes: offset, chunks, tensors };
  await withRoom(`“${file}”`, async () => {
    const transaction = db.transaction(['manifests', 'landed'], 'readwrite');
    await Promise.all([transaction.objectStore('manifests').put(manifest), transaction.objectStore('landed').delete(chunksOf(file)), transaction.done]);
  });
  return manifest;
}

export const putModel = (db: Database, model: ModelRecord): Promise<string> => withRoom('the model', () => db.put('models', model));
export const getModel = (db: Database, modelId: string): Promise<ModelRecord | undefined> => db.get('models', modelId);
export const listModels = (db: Database): Promise<ModelRecord[]> => db.getAll('models');

/** All that is stored of it. */
export async function deleteModel(db: Database, modelId: string): Promise<void> {
  const own = IDBKeyRange.bound([`${modelId}/`, 0], [`${modelId}0`, 0], false, true); // "0" follows "/"
  const transaction = db.transaction(['models', 'manifests', 'chunks', 'landed'], 'readwrite');
  await Promise.all([
    transaction.objectStore('models').delete(modelId),
    transaction.objectStore('manifests').delete(IDBKeyRange.bound(`${modelId}/`, `${modelId}0`, false, true)),
    transaction.objectStore('chunks').delete(own), transaction.objectStore('landed').delete(own), transaction.done,
  ]);
}

/** Reads every chunk of a model again; names of the tensors that are damaged or gone, by folder. */
export async function damagedTensors(db: Database, { modelId, parts }: ModelRecord, onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<Record<string, string[]>> {
  const damaged: Record<string, string[]> = {};
  for (const { folder } of parts) {
    const file = partFile(modelId, folder);
    const manifest = await db.get('manifests', file);
    if (!manifest) {
      damaged[folder] = [folder];
      continue;
    }
    const broken = new Set<number>();
    for (const chunk of manifest.chunks) {
      signal?.throwIfAborted();
      if (!(await getChunk(db, file, chunk))) broken.add(chunk.offset);
      onBytes(chunk.sizeBytes);
    }
    const names = Object.entries(manifest.tensors!).filter(([, { begin, end }]) => [...broken].some((at) => at >= begin && at < end)).map(([name]) => name);
    if (names.length > 0) damaged[folder] = names;
  }
  return damaged;
}

/** Makes a part incomplete again, without the tensors of these names: importing the same files writes just those. */
export async function reopenPart(db: Database, file: string, without: readonly string[]): Promise<void> {
  const manifest = await db.get('manifests', file);
  if (!manifest) return;
  const transaction = db.transaction(['manifests', 'landed'], 'readwrite');
  const landed = transaction.objectStore('landed');
  for (const [name, { begin, end, dtype, shape, packing }] of Object.entries(manifest.tensors!)) {
    const chunks = manifest.chunks.filter(({ offset }) => offset >= begin && offset < end).map(({ n, sizeBytes, sha256: hash }) => ({ n, sizeBytes, sha256: hash }));
    if (chunks.length === 0 || without.includes(name)) continue;
    void landed.put({ name, dtype, shape, ...(packing && { packing }), sourceBytes: 0, chunks }, [file, Math.floor(chunks[0]!.n / CHUNKS_A_TENSOR)]);
  }
  await Promise.all([transaction.objectStore('manifests').delete(file), transaction.done]);
}

/** The model as a base's folder. Faults: `base-incomplete`, and `base-corrupt` when it is read. */
export async function openModel(db: Database, modelId: string, onProgress?: (file: string, doneBytes: number, totalBytes: number) => void): Promise<StoredBase> {
  const record = await getModel(db, modelId);
  if (!record?.installed) throw new Fault('base-incomplete', record ? `“${record.name}” has not been imported completely.` : 'That model is not on this device any more.', 'Go on with the import on the Models page, or use another model.', { subject: modelId });
  const totalBytes = record.parts.reduce((total, { storedBytes }) => total + storedBytes, 0);
  const seen = new Set<string>();
  let doneBytes = 0;
  const text = (path: string) => {
    const found = record.texts[path];
    if (found === undefined) throw new Fault('base-incomplete', `“${record.name}” has no file “${path}”.`, 'Delete the model and import it again.', { subject: path });
    return found;
  };
  return {
    id: modelId,
    files: {},
    sizeBytes: totalBytes,
    text: async (path) => text(path),
    json: async (path) => JSON.parse(text(path)) as unknown,
    has: async (folder) => record.parts.some((part) => part.folder === folder),
    async weights(folder) {
      const manifest = await db.get('manifests', partFile(modelId, folder));
      if (!manifest) throw new Fault('base-incomplete', `“${record.name}” has no ${folder}.`, 'Delete the model and import it again.', { subject: folder });
      return storedFile(db, manifest, {
        path: folder,
        repair: () => Promise.reject(new Fault('base-corrupt', `The ${folder} of “${record.name}” is damaged in the browser’s storage.`, 'Check the model again on the Models page, then drop its files once more: only what is damaged is written.', { subject: folder })),
        onChunk: (n, bytes) => {
          if (seen.has(`${folder} ${n}`)) return;
          seen.add(`${folder} ${n}`);
          onProgress?.(folder, (doneBytes += bytes), totalBytes);
        },
      }).tensors();
    },
  };
}
