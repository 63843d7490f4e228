/**
 * How a file is cut, and single chunks in the database. Cuts fall between tensors, inside a large tensor between rows of its
 * first axis, so that a reader converts chunk by chunk; the header is a chunk of its own. Every chunk carries its own SHA-256.
 */
import { CHUNK_BYTES, type ChunkEntry, type Database } from './db';
import { withRoom } from './quota';
import type { SafetensorsHeader } from '../formats/safetensors';

export type Cut = Pick<ChunkEntry, 'offset' | 'sizeBytes'>;

function cutEvenly(from: number, to: number, limit: number): Cut[] {
  const cuts: Cut[] = [];
  for (let offset = from; offset < to; offset += limit) cuts.push({ offset, sizeBytes: Math.min(limit, to - offset) });
  return cuts;
}

/** Cuts of a whole file, in order and without gaps. `limit` is a multiple of 8, so that no cut divides a number. */
export function planChunks(header: SafetensorsHeader | null, fileBytes: number, limit = CHUNK_BYTES): Cut[] {
  if (!header) return cutEvenly(0, fileBytes, limit);
  const cuts = cutEvenly(0, header.dataBegin, limit);
  let open = header.dataBegin;
  const closeAt = (end: number) => {
    if (end > open) cuts.push({ offset: open, sizeBytes: end - open });
    open = end;
  };
  for (const { begin, end, shape } of Object.values(header.tensors)) {
    if (end - open <= limit) continue;
    closeAt(begin);
    const rowBytes = (end - begin) / (shape[0] ?? 1);
    const step = rowBytes > limit ? limit : Math.floor(limit / rowBytes) * rowBytes;
    while (end - open > limit) closeAt(open + step);
  }
  closeAt(fileBytes);
  return cuts;
}

/** SHA-256 as lowercase hex. */
export async function sha256(bytes: BufferSource): Promise<string> {
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** All chunks of one file. */
export const chunksOf = (file: string) => IDBKeyRange.bound([file, 0], [file, Infinity]);

/** Writes one chunk in a transaction of its own. Faults: `storage-full`. */
export function putChunk(db: Database, file: string, n: number, bytes: ArrayBuffer, what: string): Promise<void> {
  return withRoom(what, async () => {
    const transaction = db.transaction('chunks', 'readwrite', { durability: 'relaxed' });
    await Promise.all([transaction.store.put(bytes, [file, n]), transaction.done]);
  });
}

/** The chunk's bytes, or null if it is missing or not what was stored. */
export async function getChunk(db: Database, file: string, { n, sizeBytes, sha256: expected }: ChunkEntry): Promise<Uint8Array | null> {
  const buffer = await db.get('chunks', [file, n]);
  return buffer?.byteLength === sizeBytes && (await sha256(buffer)) === expected ? new Uint8Array(buffer) : null;
}
