/**
 * Checkpoint files of any size, on the disk or at an address: bytes by range, and of a safetensors file its header. Nothing else is
 * read before it is asked for. What is no safetensors file gets an error that says what it is.
 */
import { Fault } from '../protocol/faults';
import { headBytes, parseHeader, type SafetensorsHeader } from './safetensors';

export interface ByteSource {
  /** Relative to what was dropped; of an address its last piece. */
  path: string;
  sizeBytes: number;
  /** As much is best read at once. */
  readBytes: number;
  /** Whether it puts bytes into a spare buffer. */
  takesSpare: boolean;
  /** Bytes [begin, end). A spare buffer may be taken to put them into; it can't be used any more then. Faults: `network`, `file-truncated`. */
  read(begin: number, end: number, signal?: AbortSignal, spare?: ArrayBuffer): Promise<Uint8Array>;
}

/** Each read costs a browser's processes some milliseconds, whatever its size. */
const BLOB_READ_BYTES = 32 * 2 ** 20;
/** A broken connection costs this much. */
const RANGE_READ_BYTES = 8 * 2 ** 20;

export const blobBytes = (blob: Blob, path: string): ByteSource => ({
  path,
  sizeBytes: blob.size,
  readBytes: BLOB_READ_BYTES,
  takesSpare: true,
  read: async (begin, end, _signal, spare) => {
    try {
      const part = blob.slice(begin, end);
      return spare && spare.byteLength >= end - begin ? await streamedInto(spare, part) : new Uint8Array(await part.arrayBuffer());
    } catch (cause) {
      throw new Fault('file-truncated', `“${path}” can no longer be read.`, 'It was moved or changed: choose it again.', { subject: path, cause });
    }
  },
});

/** Fresh memory costs more than what is read into it: into memory that is there already a browser reads about twice as fast. */
async function streamedInto(buffer: ArrayBuffer, part: Blob): Promise<Uint8Array> {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = part.stream().getReader({ mode: 'byob' });
  } catch {
    return new Uint8Array(await part.arrayBuffer()); // a browser whose files are no byte streams
  }
  let [own, filled] = [buffer, 0];
  while (filled < part.size) {
    const { value, done } = await reader.read(new Uint8Array(own, filled, part.size - filled));
    if (done || !value) throw new RangeError('the file ends too early');
    own = value.buffer;
    filled += value.byteLength;
  }
  await reader.cancel();
  return new Uint8Array(own, 0, filled);
}

export interface RangeOptions {
  fetch: typeof fetch;
  /** For files behind an account. It is sent to that address alone and never stored. */
  token?: string;
  signal?: AbortSignal;
  /** Waits between attempts, in ms; as many attempts as there are waits, and one. */
  waits?: readonly number[];
}

const WAITS = [1000, 4000, 15_000];

/** A file at an address whose server gives ranges. Faults: `network`, saying what the server answered. */
export async function rangedBytes(address: string, { fetch, token, signal: outer, waits = WAITS }: RangeOptions): Promise<ByteSource> {
  const path = decodeURIComponent(new URL(address).pathname.split('/').at(-1)!) || address;
  const refused = (status: number) => new Fault('network', `“${path}” could not be fetched: the server answered ${status}.`, status === 401 || status === 403 ? 'The file wants an account: accept its licence there and enter a token that may read it.' : 'Check the address.', { subject: path });
  const ask = async (begin: number, end: number, signal?: AbortSignal) => {
    const response = await fetch(address, { cache: 'no-store', credentials: 'omit', headers: { Range: `bytes=${begin}-${end - 1}`, ...(token ? { Authorization: `Bearer ${token}` } : {}) }, ...(signal ?? outer ? { signal: (signal ?? outer)! } : {}) });
    if (!response.ok) throw refused(response.status);
    const total = /\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
    if (response.status !== 206 || total === undefined) {
      await response.body?.cancel();
      throw new Fault('network', `The server of “${path}” gives whole files only; this app reads what it needs, piece by piece.`, 'Use an address whose server answers range requests, or download the file and drop it here.', { subject: path });
    }
    return { bytes: new Uint8Array(await response.arrayBuffer()), total: Number(total) };
  };
  /** A broken connection is tried again; an answer is not. */
  const patient = async (begin: number, end: number, signal?: AbortSignal) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask(begin, end, signal);
      } catch (cause) {
        (signal ?? outer)?.throwIfAborted();
        if (Fault.is(cause)) throw cause;
        const wait = waits[attempt];
        if (wait === undefined) throw new Fault('network', `“${path}” could not be fetched: the server does not answer.`, 'Check the connection; the import goes on where it stopped.', { subject: path, cause });
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  };
  const { total } = await patient(0, 8);
  return {
    path,
    sizeBytes: total,
    readBytes: RANGE_READ_BYTES,
    takesSpare: false,
    read: async (begin, end, signal) => {
      if (end <= begin) return new Uint8Array(0);
      const { bytes } = await patient(begin, end, signal);
      if (bytes.byteLength !== end - begin) throw new Fault('file-truncated', `The server of “${path}” sent ${bytes.byteLength} bytes where ${end - begin} were asked for.`, 'Try again.', { subject: path });
      return bytes;
    },
  };
}

/** Of small reads: what is read at once, because most of such a read's time is the asking. */
const AHEAD_BYTES = 2 ** 20;
const SMALL_BYTES = 2 ** 16;

/** Gives small reads out of a larger one, as long as they follow each other in the file. What it gives is the caller's own. */
export function readingAhead(source: ByteSource): ByteSource {
  let held: { begin: number; bytes: Promise<Uint8Array> } | null = null;
  return {
    ...source,
    async read(begin, end, signal) {
      if (end - begin > SMALL_BYTES) return source.read(begin, end, signal);
      if (!held || begin < held.begin || end > Math.min(held.begin + AHEAD_BYTES, source.sizeBytes)) held = { begin, bytes: source.read(begin, Math.min(begin + AHEAD_BYTES, source.sizeBytes), signal) };
      const { begin: from, bytes } = held;
      try {
        return (await bytes).slice(begin - from, end - from);
      } catch (error) {
        held = null;
        throw error;
      }
    },
  };
}

const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
const EXPECTED = 'Models come as .safetensors files: choose that form of it.';

/** What a file is that is no safetensors file, by its first bytes; null where it may be one. */
export function notSafetensors(first: Uint8Array, { path, sizeBytes }: Pick<ByteSource, 'path' | 'sizeBytes'>): Fault | null {
  const start = text(first.subarray(0, 64));
  const found = (what: string, remedy = EXPECTED) => new Fault('file-unrecognised', `“${path}” is ${what}.`, remedy, { subject: path });
  if (first[8] === 0x7b && first[7] === 0) return null; // a header's length, and its brace
  if (sizeBytes === 0) return new Fault('file-empty', `“${path}” is empty.`, 'Get the file again.', { subject: path });
  if (start.startsWith('PK')) return found('a zip archive, as PyTorch’s .ckpt, .pt and .bin files are: those can run code when they are opened, and this app never opens them');
  if (first[0] === 0x80 && (first[1] ?? 0) <= 5) return found('a Python pickle: those can run code when they are opened, and this app never opens them');
  if (start.startsWith('GGUF')) return found('a GGUF file, which is packed for other programs');
  if (start.startsWith('version https://git-lfs')) return found('a Git LFS pointer, which only says where the file lies', 'Download the file itself.');
  if (/^\s*<(!doctype|html|\?xml)/i.test(start)) return found('a web page, not a model', 'The download was answered with a page, perhaps one to log in: download the file itself.');
  return null;
}

export interface OpenedCheckpoint { source: ByteSource; header: SafetensorsHeader }

/** Faults: `file-unrecognised`, `file-empty`, `safetensors-invalid`, and those of reading. */
export async function openCheckpoint(source: ByteSource): Promise<OpenedCheckpoint> {
  const first = await source.read(0, Math.min(64, source.sizeBytes));
  const other = notSafetensors(first, source);
  if (other) throw other;
  const head = await source.read(0, headBytes(first.subarray(0, 8), source.sizeBytes, source.path));
  return { source: readingAhead(source), header: parseHeader(head, source.sizeBytes, source.path) };
}
