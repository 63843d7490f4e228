/**
 * Imported models: written in small groups of tensors, so that an import which was broken off goes on behind the last group that landed;
 * read as a base's folder; checked again, and deleted. What the tensors are is not known here.
 */
import { invariant } from '../engine/invariant';
import { Fault } from '../protocol/faults';
import { chunksOf, getChunk, putChunk, sha256 } from './chunks';
import { MODEL_CHUNK_BYTES, type ChunkEntry, type Database, type FileManifest, type LandedGroup, type LandedTensor, type ModelRecord, type StoredTensor } from './db';
import { withRoom } from './quota';
import { storedFile } from './storedFile';
import type { StoredBase } from './weightStore';

/** Chunks a group of tensors may have: the n of its first one is the index of its first tensor times this. 4096 chunks are 64 GiB. */
const CHUNKS_A_GROUP = 4096;

export const partFile = (modelId: string, folder: string) => `${modelId}/${folder}`;

export interface TensorToWrite extends LandedTensor {
  /** Its own in the part: the number of its first chunk, if it is the first of its group, comes of it. */
  index: number;
  /** Its bytes, in order, in pieces of any size, each good until the next one is asked for. */
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>> | Iterable<Uint8Array<ArrayBuffer>>;
}

/** Full chunks of a large tensor that are being written at once. */
const WRITES_AHEAD = 2;

/**
 * Writes tensors of a part. One is written as soon as it is there where nothing else is being written; meanwhile the ones after it gather, up to a chunk, and are written
 * together: so little is lost when the tab is closed, and a slow database gets few large values. While one group is being written the next is handed over.
 * A group is at most a chunk, or a single tensor; before it has landed none of it is there, and then it never has to be written again. Faults: `storage-full`.
 */
export function partWriter(db: Database, file: string, onLanded: (tensors: readonly LandedTensor[]) => void) {
  const gathered = new Uint8Array(MODEL_CHUNK_BYTES);
  let [bytes, writing, first] = [0, 0, 0];
  let tensors: LandedTensor[] = [];
  let chunks: LandedGroup['chunks'] = [];
  let ahead: Promise<void>[] = [];
  let landing: Promise<void> = Promise.resolve();
  /** The one before `landing`. */
  let previous: Promise<void> = landing;

  /** What is gathered becomes the group's next chunk. */
  const cut = () => {
    const chunk = gathered.slice(0, bytes).buffer;
    bytes = 0;
    const n = first * CHUNKS_A_GROUP + chunks.length;
    invariant(chunks.length < CHUNKS_A_GROUP, 'a group has too many chunks');
    const entry = { n, sizeBytes: chunk.byteLength, sha256: '' };
    chunks.push(entry);
    return { chunk, n, hashing: sha256(chunk).then((hash) => { entry.sha256 = hash; }) };
  };

  async function land(): Promise<void> {
    if (tensors.length === 0) return;
    await previous;
    previous = landing;
    const { chunk, n, hashing } = cut();
    const [group, index, before] = [{ tensors, chunks }, first, ahead];
    [tensors, chunks, ahead] = [[], [], []];
    writing++;
    landing = (async () => {
      await Promise.all([hashing, ...before]);
      await withRoom(`“${file}”`, async () => {
        const transaction = db.transaction(['chunks', 'landed'], 'readwrite', { durability: 'relaxed' });
        await Promise.all([transaction.objectStore('chunks').put(chunk, [file, n]), transaction.objectStore('landed').put(group, [file, index]), transaction.done]);
      });
      onLanded(group.tensors);
    })().finally(() => { writing--; });
    landing.catch(() => undefined); // told where it is awaited
  }

  /** A full chunk of a tensor that goes on. */
  async function cutAhead(): Promise<void> {
    const { chunk, n, hashing } = cut();
    const put = hashing.then(() => putChunk(db, file, n, chunk, `“${file}”`));
    put.catch(() => undefined); // told where it is awaited
    ahead.push(put);
    if (ahead.length >= WRITES_AHEAD) await ahead[ahead.length - WRITES_AHEAD];
  }

  return {
    /** Resolves when the tensor's bytes are not needed any more and there is room for another one. Faults: those of writing earlier ones, and of its pieces. */
    async add({ index, pieces, ...tensor }: TensorToWrite): Promise<void> {
      if (bytes > 0 && bytes + tensor.sizeBytes > MODEL_CHUNK_BYTES) await land();
      if (tensors.length === 0) first = index;
      let written = 0;
      const before = bytes;
      try {
        for await (const piece of pieces) {
          for (let at = 0; at < piece.byteLength;) {
            if (bytes === MODEL_CHUNK_BYTES) await cutAhead(); // never the last chunk, which goes with the record
            const part = piece.subarray(at, at + MODEL_CHUNK_BYTES - bytes);
            gathered.set(part, bytes);
            bytes += part.byteLength;
            at += part.byteLength;
          }
          written += piece.byteLength;
        }
        invariant(written === tensor.sizeBytes, `${written} bytes of “${tensor.name}”, not ${tensor.sizeBytes}`);
      } catch (error) {
        bytes = before;
        throw error;
      }
      tensors.push(tensor);
      if (writing === 0 || bytes === MODEL_CHUNK_BYTES || chunks.length > 0) await land();
    },
    /** Writes what has gathered, but for a tensor that is not whole. */
    async end(): Promise<void> {
      await land();
      await Promise.all([previous, landing]);
    },
  };
}

/** Names of the tensors of a part that have landed, and their bytes here and in their files. */
export async function landedOf(db: Database, file: string): Promise<{ names: Set<string>; storedBytes: number; sourceBytes: number }> {
  const tensors = (await db.getAll('landed', chunksOf(file))).flatMap((group) => group.tensors);
  const total = (key: 'sizeBytes' | 'sourceBytes') => tensors.reduce((sum, tensor) => sum + tensor[key], 0);
  return { names: new Set(tensors.map(({ name }) => name)), storedBytes: total('sizeBytes'), sourceBytes: total('sourceBytes') };
}

/** Every tensor of the part is there: its manifest takes the records' place. */
export async function completePart(db: Database, file: string): Promise<FileManifest> {
  const chunks: ChunkEntry[] = [];
  const tensors: Record<string, StoredTensor> = {};
  let [offset, begin] = [0, 0];
  for (const group of await db.getAll('landed', chunksOf(file))) {
    for (const { name, dtype, shape, packing, sizeBytes } of group.tensors) {
      tensors[name] = { dtype, shape, begin, end: begin + sizeBytes, ...(packing && { packing }) };
      begin += sizeBytes;
    }
    for (const chunk of group.chunks) {
      chunks.push({ ...chunk, offset });
      offset += chunk.sizeBytes;
    }
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
    const broken: ChunkEntry[] = [];
    for (const chunk of manifest.chunks) {
      signal?.throwIfAborted();
      if (!(await getChunk(db, file, chunk))) broken.push(chunk);
      onBytes(chunk.sizeBytes);
    }
    const names = Object.entries(manifest.tensors!).filter(([, { begin, end }]) => broken.some(({ offset, sizeBytes }) => begin < offset + sizeBytes && end > offset)).map(([name]) => name);
    if (names.length > 0) damaged[folder] = names;
  }
  return damaged;
}

/** Makes a part incomplete again, without the groups that hold tensors of these names: importing the same files writes just those. */
export async function reopenPart(db: Database, file: string, without: readonly string[]): Promise<void> {
  const manifest = await db.get('manifests', file);
  if (!manifest) return;
  const groups = new Map<number, LandedGroup & { begin: number; end: number }>();
  for (const { offset, ...chunk } of manifest.chunks) {
    const index = Math.floor(chunk.n / CHUNKS_A_GROUP);
    const group = groups.get(index) ?? { tensors: [], chunks: [], begin: offset, end: offset };
    group.chunks.push(chunk);
    group.end += chunk.sizeBytes;
    groups.set(index, group);
  }
  for (const [name, { begin, end, ...tensor }] of Object.entries(manifest.tensors!)) {
    const group = [...groups.values()].find((one) => begin >= one.begin && begin < one.end);
    group?.tensors.push({ name, ...tensor, sizeBytes: end - begin, sourceBytes: 0 });
  }
  const transaction = db.transaction(['manifests', 'landed', 'chunks'], 'readwrite');
  const [landed, stored] = [transaction.objectStore('landed'), transaction.objectStore('chunks')];
  for (const [index, { tensors, chunks }] of groups) {
    if (tensors.some(({ name }) => without.includes(name))) for (const { n } of chunks) void stored.delete([file, n]); // they may be written in other groups
    else void landed.put({ tensors, chunks }, [file, index]);
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
