/**
 * float16 weights on their way over the network: the same bytes in about half as many. recipe/compact.py rounds runs of 64 halves of a
 * tensor to code · scale, a code of −127…127 and a scale m · 2^e with m in 8…15, whose products are halves to the bit. Here such runs become 65 bytes,
 * and every other byte of a file stays as it is: what comes out of the stream is the file, so that its hash holds.
 * A packed file is records, one after another: kind (u8), bytes of the file (u32, little endian), then
 *   kind 0  these bytes
 *   kind 1  for each 128 of them: scale (u8; e + 24 in the upper five bits, m − 8 in the lower three) and 64 codes (i8)
 */
import { fromHalf, toHalf } from './float16';
import { joinBytes } from './joinBytes';
import { Fault } from '../protocol/faults';
import { openSafetensors } from './safetensors';

export const RUN = 64;
const RUN_BYTES = 2 * RUN;
const PACKED_BYTES = 1 + RUN;
const HEAD_BYTES = 5;
const MOST_CODE = 127;
const LEAST_EXPONENT = -24;

const scaleOf = (byte: number) => (8 + (byte & 7)) * 2 ** ((byte >>> 3) + LEAST_EXPONENT);
/** Of every scale byte, ascending as the bytes do. */
const scales = Float64Array.from({ length: 256 }, (_, byte) => scaleOf(byte));

/** The scale byte under which all values of a run are codes, written to `codes`; −1 where there is none. The scale is the smallest that reaches the largest value, or one of the seven after it: a larger one could be halved. */
function findScale(halves: Uint16Array, codes: Int8Array): number {
  let most = 0;
  for (const half of halves) {
    if (half === 0x8000 || (half & 0x7c00) === 0x7c00) return -1; // a code has no −0, and no infinity
    most = Math.max(most, Math.abs(fromHalf(half)));
  }
  const first = scales.findIndex((scale) => scale * MOST_CODE >= most);
  if (first < 0) return -1;
  for (let byte = first; byte < Math.min(first + 8, 256); byte++) {
    const scale = scales[byte]!;
    let n = 0;
    while (n < RUN && Number.isInteger(fromHalf(halves[n]!) / scale)) codes[n] = fromHalf(halves[n++]!) / scale;
    if (n === RUN) return byte;
  }
  return -1;
}

/** A safetensors file, packed. Faults: `safetensors-invalid`. */
export function packHalfRuns(file: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  const out: Uint8Array[] = [];
  let raw = 0; // up to where the file has been written
  let runs: Uint8Array[] = [];
  let begun = 0; // where the runs in hand begin
  const head = (kind: number, bytes: number) => {
    const record = new Uint8Array(HEAD_BYTES);
    record[0] = kind;
    new DataView(record.buffer).setUint32(1, bytes, true);
    out.push(record);
  };
  const flush = () => {
    if (runs.length === 0) return;
    if (begun > raw) {
      head(0, begun - raw);
      out.push(file.subarray(raw, begun));
    }
    head(1, runs.length * RUN_BYTES);
    out.push(...runs);
    raw = begun + runs.length * RUN_BYTES;
    runs = [];
  };
  const entries = Object.values(openSafetensors(file, name).header.tensors).filter(({ dtype }) => dtype === 'F16').sort((a, b) => a.begin - b.begin);
  for (const { begin, end } of entries) {
    for (let at = begin; at + RUN_BYTES <= end; at += RUN_BYTES) {
      const run = new Uint8Array(PACKED_BYTES);
      const byte = findScale(new Uint16Array(file.slice(at, at + RUN_BYTES).buffer), new Int8Array(run.buffer, 1));
      if (byte < 0) continue;
      run[0] = byte;
      if (begun + runs.length * RUN_BYTES !== at) flush();
      if (runs.length === 0) begun = at;
      runs.push(run);
    }
  }
  flush();
  if (file.byteLength > raw) {
    head(0, file.byteLength - raw);
    out.push(file.subarray(raw));
  }
  return joinBytes(out);
}

/** The half of every code under a scale, by the code's byte; filled when a scale first occurs. */
const tables: (Uint16Array | undefined)[] = [];
const tableOf = (byte: number): Uint16Array => (tables[byte] ??= Uint16Array.from({ length: 256 }, (_, code) => toHalf((code << 24 >> 24) * scales[byte]!)));

function unpackRuns(bytes: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const out = new Uint16Array(count * RUN);
  for (let run = 0, at = 0, to = 0; run < count; run++) {
    const table = tableOf(bytes[at++]!);
    for (const end = to + RUN; to < end; to++) out[to] = table[bytes[at++]!]!;
  }
  return new Uint8Array(out.buffer);
}

/** Pieces of a packed file in, however they are cut; pieces of the file out. A file that breaks off ends early. Faults: `base-corrupt` where it is not of this form. */
export function unpackHalfRuns(name: string): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  let rest = new Uint8Array(0);
  let kind = 0;
  let left = 0; // bytes of the file that the record still has
  return new TransformStream({
    transform(piece, controller) {
      const bytes = joinBytes([rest, piece]);
      const view = new DataView(bytes.buffer);
      let at = 0;
      for (;;) {
        const there = bytes.byteLength - at;
        if (left === 0) {
          if (there < HEAD_BYTES) break;
          kind = bytes[at]!;
          left = view.getUint32(at + 1, true);
          at += HEAD_BYTES;
          if (kind > 1 || (kind === 1 && left % RUN_BYTES !== 0)) throw new Fault('base-corrupt', `“${name}” came from the server in another form than this page reads.`, 'Reload the page; if it stays, the page is not installed correctly.', { subject: name });
          continue;
        }
        const units = kind === 0 ? Math.min(left, there) : Math.min(left / RUN_BYTES, Math.floor(there / PACKED_BYTES));
        if (units === 0) break;
        controller.enqueue(kind === 0 ? bytes.slice(at, at + units) : unpackRuns(bytes.subarray(at), units));
        at += units * (kind === 0 ? 1 : PACKED_BYTES);
        left -= units * (kind === 0 ? 1 : RUN_BYTES);
      }
      rest = bytes.slice(at);
    },
  });
}
