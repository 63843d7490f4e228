/**
 * Reads what a list of tensors takes of its files in few large pieces, some of them ahead of who takes them: asking a browser for bytes of a file costs milliseconds,
 * whatever their number, and an import asks for more than a thousand tensors.
 */
import type { ByteSource } from '../formats/checkpointFile';
import { invariant } from '../engine/invariant';

/** Byte ranges [begin, end) of a file, in the order in which they are wanted. */
export interface Wanted { source: ByteSource; ranges: readonly (readonly [number, number])[] }

interface Cut { source: ByteSource; begin: number; end: number }
interface Window extends Cut { bytes: Promise<Uint8Array> | null; left: number }

/** Bytes between two ranges that are read rather than asked around. */
const GAP_BYTES = 64 * 2 ** 10;
/** Read, or being read, and not yet taken. */
const AHEAD_BYTES = 64 * 2 ** 20;

/** No longer than what is best read at once. */
const cutsOf = (source: ByteSource, [begin, end]: readonly [number, number]): Cut[] =>
  Array.from({ length: Math.ceil((end - begin) / source.readBytes) }, (_, i) => ({ source, begin: begin + i * source.readBytes, end: Math.min(end, begin + (i + 1) * source.readBytes) }));

/** `take(n)` gives the bytes of the n-th item in pieces, which may share a buffer; each item is taken once, best in the list's order. Faults: those of reading. */
export function readingOn(wanted: readonly Wanted[], signal?: AbortSignal): { take(n: number): AsyncGenerator<Uint8Array<ArrayBuffer>> } {
  const cuts = wanted.map(({ source, ranges }) => ranges.flatMap((range) => cutsOf(source, range)));
  const order = [...new Set(wanted.map(({ source }) => source))];
  const windows: Window[] = [];
  const windowOf = new Map<Cut, Window>();
  for (const cut of cuts.flat().sort((a, b) => order.indexOf(a.source) - order.indexOf(b.source) || a.begin - b.begin)) {
    let window = windows.at(-1);
    if (window?.source !== cut.source || cut.begin > window.end + GAP_BYTES || Math.max(cut.end, window.end) - window.begin > cut.source.readBytes) {
      window = { ...cut, bytes: null, left: 0 };
      windows.push(window);
    }
    window.end = Math.max(window.end, cut.end);
    window.left++;
    windowOf.set(cut, window);
  }
  let [next, ahead] = [0, 0];
  const begin = (window: Window) => {
    ahead += window.end - window.begin;
    window.bytes = window.source.read(window.begin, window.end, signal);
    window.bytes.catch(() => undefined); // told to who takes it
  };
  /** Begins reading up to this window, and on behind it as far as there is room. */
  const reach = (window: Window) => {
    if (window.left > 0 && !window.bytes) {
      while (windows[next] !== window) begin(windows[next++]!);
      begin(windows[next++]!);
    }
    while (next < windows.length && ahead < AHEAD_BYTES) begin(windows[next++]!);
  };
  return {
    async *take(n) {
      for (const cut of cuts[n]!) {
        const window = windowOf.get(cut)!;
        reach(window);
        invariant(window.bytes, 'bytes are taken twice');
        const bytes = (await window.bytes) as Uint8Array<ArrayBuffer>;
        if (--window.left === 0) {
          window.bytes = null;
          ahead -= window.end - window.begin;
        }
        yield bytes.subarray(cut.begin - window.begin, cut.end - window.begin);
      }
    },
  };
}
