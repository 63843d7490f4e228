/**
 * Base models on the device. `ensureBase` compares what is stored with the list of files the page is served with (`files.json`),
 * fetches what is missing or changed, and hands out a reader backed by the database. Once stored, no network is needed:
 * without an answer the stored copy is used as it is. Only one tab downloads at a time.
 */
import * as v from 'valibot';
import { readJson } from '../formats/json';
import { Fault } from '../protocol/faults';
import { chunksOf } from './chunks';
import type { BaseRecord, Database } from './db';
import { download, request, sentBytes, type DownloadOptions, type FileListing } from './download';
import { withLock } from './locks';
import { withRoom } from './quota';
import type { TensorSource } from '../formats/safetensors';
import { storedFile } from './storedFile';

/** Name of the list within a base's folder; written by scripts/baseManifest.mjs. */
export const LIST_NAME = 'files.json';
/** With a stored copy at hand, how long the server may take to say what is current. */
const LIST_PATIENCE_MS = 4000;

export interface LoadProgress { file: string; doneBytes: number; totalBytes: number; source: 'network' | 'storage' }
export interface EnsureOptions {
  fetch?: typeof fetch;
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
  /** Only for tests: the largest chunk. */
  chunkBytes?: number;
}
/** A base read from the device; the same shape as the models' BaseFiles, and what it consists of. */
export interface StoredBase {
  id: string;
  files: BaseRecord['files'];
  sizeBytes: number;
  json(path: string): Promise<unknown>;
  text(path: string): Promise<string>;
  weights(folder: string): Promise<TensorSource>;
  has(folder: string): Promise<boolean>;
}

/** files.json of a base's folder. Paths stay within it. */
const place = { path: v.pipe(v.string(), v.check((path) => !path.includes('..'))), sizeBytes: v.pipe(v.number(), v.safeInteger()) };
const fileList = v.object({
  version: v.literal(1),
  files: v.pipe(v.array(v.object({ ...place, sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), packed: v.exactOptional(v.object(place)) })), v.minLength(1)),
});

async function fetchList(folder: string, options: DownloadOptions): Promise<FileListing[]> {
  const response = await request(folder + LIST_NAME, LIST_NAME, options, 'no-cache');
  const list = readJson(await response.text().catch(() => ''), fileList);
  if (!list) throw new Fault('network', 'The server sent something else than the list of the base model’s files.', 'Reload the page; if it stays, the page is not installed completely.', { subject: LIST_NAME });
  return list.files;
}

async function isStored(db: Database, sha256: string): Promise<boolean> {
  const manifest = await db.get('manifests', sha256);
  return manifest !== undefined && (await db.count('chunks', chunksOf(sha256))) === manifest.chunks.length;
}

/** A broken file is fetched a second time before it is called broken. */
async function downloadTwice(db: Database, folder: string, file: FileListing, options: DownloadOptions): Promise<void> {
  const known = (await db.get('manifests', file.sha256)) ?? null;
  try {
    await download(db, folder, file, options, known);
  } catch (error) {
    if (!Fault.is(error, 'base-incomplete') && !Fault.is(error, 'base-corrupt')) throw error;
    await download(db, folder, file, options, known);
  }
}

/** Files of the base's earlier version that no base uses any more. Others may be half of another tab's download. */
async function removeOld(db: Database, earlier: BaseRecord): Promise<void> {
  const used = new Set((await db.getAll('bases')).flatMap(({ files }) => Object.values(files).map(({ sha256 }) => sha256)));
  for (const { sha256 } of Object.values(earlier.files)) {
    if (used.has(sha256)) continue;
    await db.delete('manifests', sha256);
    await db.delete('chunks', chunksOf(sha256));
  }
}

/** Files that cannot be read are an incomplete base: nothing else has written there. */
async function openBase(db: Database, record: BaseRecord, folder: string, options: DownloadOptions, onProgress?: EnsureOptions['onProgress']): Promise<StoredBase> {
  const sizeBytes = Object.values(record.files).reduce((total, file) => total + file.sizeBytes, 0);
  const repairs = new Map<string, Promise<void>>();
  const seen = new Set<string>();
  let doneBytes = 0;
  const open = async (path: string) => {
    const file = record.files[path];
    const manifest = file && (await db.get('manifests', file.sha256));
    if (!manifest) throw new Fault('base-incomplete', `The base model “${record.id}” has no file “${path}”.`, 'Reload the page while online.', { subject: path });
    return storedFile(db, manifest, {
      path,
      repair: () => {
        const repair = repairs.get(path) ?? withLock(`lamina.base.${record.id}`, () => downloadTwice(db, folder, { path, ...file }, options));
        repairs.set(path, repair);
        return repair;
      },
      onChunk: (n, chunkBytes) => {
        if (seen.has(`${path} ${n}`)) return;
        seen.add(`${path} ${n}`);
        onProgress?.({ file: path, doneBytes: (doneBytes += chunkBytes), totalBytes: sizeBytes, source: 'storage' });
      },
    });
  };
  const text = async (path: string) => new TextDecoder().decode(await (await open(path)).bytes());
  return {
    id: record.id,
    files: record.files,
    sizeBytes,
    text,
    json: async (path) => JSON.parse(await text(path)) as unknown,
    has: async (name) => Object.keys(record.files).some((file) => file.startsWith(`${name}/`) && file.endsWith('.safetensors')),
    weights: async (name) => {
      const path = Object.keys(record.files).find((file) => file.startsWith(`${name}/`) && file.endsWith('.safetensors'));
      return (await open(path ?? `${name}/*.safetensors`)).tensors();
    },
  };
}

/**
 * The base `id`, stored and ready to be read; `baseUrl` is its folder. Progress: `network` bytes of what has to be fetched, later
 * `storage` bytes of the whole base as they are read. Faults: `network` (nothing stored and no answer), `base-incomplete`,
 * `base-corrupt`, `storage-full`; the signal's reason when aborted. After any of them the store is as usable as before.
 */
export async function ensureBase(db: Database, id: string, baseUrl: string, options: EnsureOptions = {}): Promise<StoredBase> {
  const folder = baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`;
  const { onProgress, signal, fetch: fetchImpl = (...request) => globalThis.fetch(...request), chunkBytes } = options;
  const net: DownloadOptions = { fetch: fetchImpl, ...(signal ? { signal } : {}), ...(chunkBytes ? { chunkBytes } : {}) };

  const current = async (): Promise<BaseRecord> => {
    const record = await db.get('bases', id);
    const lacking = record ? await Promise.all(Object.values(record.files).map(async ({ sha256 }) => !(await isStored(db, sha256)))) : [true];
    const usable = record !== undefined && !lacking.includes(true);
    try {
      const patience = usable ? AbortSignal.any([AbortSignal.timeout(LIST_PATIENCE_MS), ...(signal ? [signal] : [])]) : signal;
      const list = await fetchList(folder, { ...net, ...(patience ? { signal: patience } : {}) });
      const missing: FileListing[] = [];
      for (const file of list) if (!(await isStored(db, file.sha256))) missing.push(file);
      const totalBytes = missing.reduce((total, file) => total + sentBytes(file), 0);
      let before = 0;
      for (const file of missing) {
        await downloadTwice(db, folder, file, { ...net, onBytes: (received) => onProgress?.({ file: file.path, doneBytes: before + Math.min(received, sentBytes(file)), totalBytes, source: 'network' }) });
        before += sentBytes(file);
      }
      const files = Object.fromEntries(list.map(({ path, ...file }) => [path, file]));
      const fresh: BaseRecord = { id, files, storedAt: missing.length === 0 && record ? record.storedAt : new Date().toISOString() };
      await withRoom('the base model', () => db.put('bases', fresh));
      if (record) await removeOld(db, record);
      return fresh;
    } catch (error) {
      signal?.throwIfAborted();
      if (usable) return record;
      throw error;
    }
  };
  return openBase(db, await withLock(`lamina.base.${id}`, current, signal), folder, net, onProgress);
}
