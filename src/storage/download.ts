/**
 * One file from HTTP into the database: read as a stream, cut, hashed and written chunk by chunk; the manifest last.
 * At any time it holds one chunk being filled and the network's current piece, never the file. The HTTP cache is bypassed,
 * so the device keeps one copy. It tries once; who calls decides about another attempt.
 */
import { createSHA256 } from 'hash-wasm';
import { Fault } from '../protocol/faults';
import { chunksOf, planChunks, putChunk, sha256 } from './chunks';
import { CHUNK_BYTES, type ChunkEntry, type Database, type FileManifest, type ServedFile } from './db';
import { unpackHalfRuns } from '../formats/halfRuns';
import { headBytes, parseHeader } from '../formats/safetensors';

/** A file as its publisher lists it. */
export interface FileListing extends ServedFile { path: string }
/** Bytes on the way of a file. */
export const sentBytes = ({ sizeBytes, packed }: ServedFile): number => packed?.sizeBytes ?? sizeBytes;
export interface DownloadOptions {
  fetch: typeof fetch;
  signal?: AbortSignal;
  /** Bytes received of this file so far, as it is sent. */
  onBytes?: (received: number) => void;
  /** Only for tests: the largest chunk. */
  chunkBytes?: number;
}

/** Asks for `url`. Faults: `network` if there is no answer or not a good one, `aborted`. */
export async function request(url: string, what: string, options: Pick<DownloadOptions, 'fetch' | 'signal'>, cache: RequestCache): Promise<Response> {
  let response: Response;
  try {
    response = await options.fetch(url, { cache, ...(options.signal ? { signal: options.signal } : {}) });
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new Fault('network', `“${what}” could not be fetched: the server does not answer.`, 'Check the connection, then reload the page.', { subject: what, cause });
  }
  if (!response.ok) throw new Fault('network', `“${what}” could not be fetched: the server answered ${response.status}.`, 'Reload the page; if it stays, the page is not installed completely.', { subject: what });
  return response;
}

/** Exact numbers of bytes out of a stream of pieces. Every byte passes `seen` once, in order. */
function byteReader(body: ReadableStream<Uint8Array> | null, { path, sizeBytes }: FileListing, seen: (piece: Uint8Array) => void, signal?: AbortSignal) {
  const reader = body?.getReader();
  let piece = new Uint8Array(0);
  let received = 0;
  const next = async (): Promise<boolean> => {
    const incomplete = (cause?: unknown) => new Fault('base-incomplete', `“${path}” broke off after ${received} of ${sizeBytes} bytes.`, 'Check the connection, then reload the page.', { subject: path, cause });
    const { done, value } = (await reader?.read().catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw Fault.is(cause) ? cause : incomplete(cause);
    })) ?? { done: true, value: undefined };
    signal?.throwIfAborted();
    if (done || !value) return false;
    seen(value);
    received += value.byteLength;
    piece = value as Uint8Array<ArrayBuffer>;
    return true;
  };
  return {
    async take(count: number): Promise<Uint8Array<ArrayBuffer>> {
      const out = new Uint8Array(count);
      for (let filled = 0; filled < count; ) {
        if (piece.byteLength === 0 && !(await next())) throw new Fault('base-incomplete', `“${path}” ended after ${received} of ${sizeBytes} bytes.`, 'Check the connection, then reload the page.', { subject: path });
        const part = piece.subarray(0, count - filled);
        out.set(part, filled);
        filled += part.byteLength;
        piece = piece.subarray(part.byteLength);
      }
      return out;
    },
    async atEnd(): Promise<boolean> {
      while (piece.byteLength === 0) if (!(await next())) return true;
      return false;
    },
    cancel: () => reader?.cancel().catch(() => undefined),
  };
}

const differs = (path: string, cause?: unknown) =>
  new Fault('base-corrupt', `“${path}” came from the server, but not as it was published: its hash differs.`, 'Reload the page; if it stays, the page is not installed correctly.', { subject: path, cause });

/** The answer's bytes, counted as they arrive and unpacked where they are packed. */
function unpacked(body: ReadableStream<Uint8Array> | null, { path, packed }: FileListing, onBytes?: (received: number) => void): ReadableStream<Uint8Array> | null {
  let received = 0;
  const counted = body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      onBytes?.((received += piece.byteLength));
      controller.enqueue(piece);
    },
  })) ?? null;
  return packed ? (counted?.pipeThrough(unpackHalfRuns(path)) ?? null) : counted;
}

/**
 * Fetches and stores one file of the base's `folder` and returns its manifest. A packed one is unpacked on the way: hash and chunks are those of the file itself. `known` is the manifest of a stored copy with a damaged chunk: then only
 * bytes equal to it are written over it. Without it whatever was written is removed again when the download fails.
 * Faults: `network`, `base-incomplete`, `base-corrupt`, `storage-full`.
 */
export async function download(db: Database, folder: string, listing: FileListing, options: DownloadOptions, known: FileManifest | null = null): Promise<FileManifest> {
  const { path, sizeBytes } = listing;
  const response = await request(folder + (listing.packed?.path ?? path), path, options, 'no-store');
  const hasher = (await createSHA256()).init();
  const reader = byteReader(unpacked(response.body, listing, options.onBytes), listing, (piece) => hasher.update(piece), options.signal);
  try {
    let head = new Uint8Array(0);
    let header = null;
    if (path.endsWith('.safetensors')) {
      const first = await reader.take(Math.min(8, sizeBytes));
      const rest = await reader.take(headBytes(first, sizeBytes, path) - 8);
      head = new Uint8Array(8 + rest.byteLength);
      head.set(first);
      head.set(rest, 8);
      header = parseHeader(head, sizeBytes, path);
    }
    const chunks: ChunkEntry[] = [];
    for (const [n, cut] of planChunks(header, sizeBytes, options.chunkBytes ?? CHUNK_BYTES).entries()) {
      const bytes = cut.offset < head.byteLength ? head.slice(cut.offset, cut.offset + cut.sizeBytes) : await reader.take(cut.sizeBytes);
      const chunk = { n, ...cut, sha256: await sha256(bytes) };
      if (known && known.chunks[n]?.sha256 !== chunk.sha256) throw differs(path);
      await putChunk(db, listing.sha256, n, bytes.buffer, `“${path}”`);
      chunks.push(chunk);
    }
    if (!(await reader.atEnd()) || hasher.digest('hex') !== listing.sha256) throw differs(path);
    const manifest: FileManifest = { sha256: listing.sha256, sizeBytes, chunks, tensors: header?.tensors ?? null };
    await db.put('manifests', manifest);
    return manifest;
  } catch (error) {
    await reader.cancel();
    if (!known) await db.delete('chunks', chunksOf(listing.sha256));
    throw Fault.is(error, 'safetensors-invalid') ? differs(path, error) : error;
  }
}
