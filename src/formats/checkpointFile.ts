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
  /** Bytes [begin, end). Faults: `network`, `file-truncated`. */
  read(begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** Each read costs a browser's processes some milliseconds, whatever its size. */
const BLOB_READ_BYTES = 32 * 2 ** 20;
/** A broken connection costs this much. */
const RANGE_READ_BYTES = 8 * 2 ** 20;

export const blobBytes = (blob: Blob, path: string): ByteSource => ({
  path,
  sizeBytes: blob.size,
  readBytes: BLOB_READ_BYTES,
  read: async (begin, end) => {
    const bytes = await blob.slice(begin, end).arrayBuffer().catch((cause: unknown) => {
      throw new Fault('file-truncated', `“${path}” can no longer be read.`, 'It was moved or changed: choose it again.', { subject: path, cause });
    });
    return new Uint8Array(bytes);
  },
});

export interface RangeOptions {
  fetch: typeof fetch;
  /** For files behind an account. It is sent to that address alone and never stored. */
  token?: string;
  signal?: AbortSignal;
  /** Waits between attempts, in ms, unless the server asks for longer ones; as many attempts as there are waits, and one. */
  waits?: readonly number[];
}

const WAITS = [1000, 4000, 15_000];
/** The longest that a server may ask to wait; for longer the user is told instead. */
const MOST_WAIT_MS = 60_000;

/** A server that has too much to do, or is in trouble, may answer the next time. */
const isPassing = (status: number): boolean => status === 429 || status >= 500;

/** Its wish for how long to wait, in ms: seconds or a date; 0 without one. */
function wishedWait(headers: Headers): number {
  const wish = headers.get('Retry-After') ?? '';
  const ms = /^\d+$/.test(wish) ? 1000 * Number(wish) : Date.parse(wish) - Date.now();
  return ms > 0 ? ms : 0;
}

/** An answer that another attempt may do without. */
class PassingAnswer extends Error {
  constructor(readonly fault: Fault, readonly waitMs: number) {
    super(fault.message);
  }
}

/** Ends early when the signal aborts. */
const pause = (ms: number, signal?: AbortSignal) => new Promise<void>((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

/** What a file at an address is called: the last piece of its path. */
export const nameAt = (address: string): string => decodeURIComponent(new URL(address).pathname.split('/').at(-1)!) || address;

/** A file at an address whose server gives ranges. Faults: `network`, saying what the server answered. */
export async function rangedBytes(address: string, { fetch, token, signal: outer, waits = WAITS }: RangeOptions): Promise<ByteSource> {
  const path = nameAt(address);
  const refused = (status: number) => new Fault('network', `“${path}” could not be fetched: the server answered ${status}.`, status === 401 || status === 403 ? 'The file wants an account: accept its licence there and enter a token that may read it.' : isPassing(status) ? 'Try again later; an import goes on where it stopped.' : 'Check the address.', { subject: path });
  const ask = async (begin: number, end: number, signal?: AbortSignal) => {
    const response = await fetch(address, { cache: 'no-store', credentials: 'omit', headers: { Range: `bytes=${begin}-${end - 1}`, ...(token ? { Authorization: `Bearer ${token}` } : {}) }, ...(signal && { signal }) });
    if (!response.ok) await response.body?.cancel();
    if (isPassing(response.status)) throw new PassingAnswer(refused(response.status), wishedWait(response.headers));
    if (!response.ok) throw refused(response.status);
    const total = /\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
    if (response.status !== 206 || total === undefined) {
      await response.body?.cancel();
      throw new Fault('network', `The server of “${path}” gives whole files only; this app reads what it needs, piece by piece.`, 'Use an address whose server answers range requests, or download the file and drop it here.', { subject: path });
    }
    return { bytes: new Uint8Array(await response.arrayBuffer()), total: Number(total) };
  };
  /** A broken connection and a passing trouble of the server are tried again, other answers are not. */
  const patient = async (begin: number, end: number, signal = outer) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask(begin, end, signal);
      } catch (cause) {
        signal?.throwIfAborted();
        if (Fault.is(cause)) throw cause;
        const answer = cause instanceof PassingAnswer ? cause : null;
        const wait = Math.max(waits[attempt] ?? Infinity, answer?.waitMs ?? 0);
        if (wait > MOST_WAIT_MS) throw answer?.fault ?? new Fault('network', `“${path}” could not be fetched: the server does not answer.`, 'Check the connection; the import goes on where it stopped.', { subject: path, cause });
        await pause(wait, signal);
        signal?.throwIfAborted();
      }
    }
  };
  const { total } = await patient(0, 8);
  return {
    path,
    sizeBytes: total,
    readBytes: RANGE_READ_BYTES,
    read: async (begin, end, signal) => {
      if (end <= begin) return new Uint8Array(0);
      const { bytes } = await patient(begin, end, signal);
      if (bytes.byteLength !== end - begin) throw new Fault('file-truncated', `The server of “${path}” sent ${bytes.byteLength} bytes where ${end - begin} were asked for.`, 'Try again.', { subject: path });
      return bytes;
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
  return { source, header: parseHeader(head, source.sizeBytes, source.path) };
}
