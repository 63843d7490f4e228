/**
 * The safetensors container: u64 header length, JSON header, tensor bytes. Reads a header (checking everything it claims),
 * reads tensors out of a file held in memory, writes files. Layout is never changed here: names, shapes and order are the file's.
 * As strict as the format's reference: tensors cover the data without gap or overlap. It does not fetch and does not store.
 */
import { Fault } from '../protocol/faults';
import { invariant } from '../engine/invariant';
import type { PackedLayer } from './packing';
import { duplicateKey } from './duplicateKeys';
import { toFloat32, valueBytes } from './tensorBytes';

/** The longest header that is read. The format allows 100 MB; a whole model has 0.2 MB, a LoRA with captions and a thumbnail a few. */
const MAX_HEADER_BYTES = 16 * 2 ** 20;
/** Released models have up to four dimensions, those of video five. */
const MOST_DIMENSIONS = 8;
/** The largest models have a few thousand. */
const MOST_TENSORS = 50_000;

/** One tensor: kind, dimensions, absolute byte range [begin, end) in the file. */
export interface TensorEntry { dtype: string; shape: number[]; begin: number; end: number }
export interface SafetensorsHeader {
  /** In file order. */
  tensors: Record<string, TensorEntry>;
  metadata: Record<string, string>;
  /** Where tensor bytes begin: 8 + header length. */
  dataBegin: number;
}
/** What a model reads tensors from; the same shape as the models' WeightSource. */
export interface TensorSource {
  keys(): readonly string[];
  has(key: string): boolean;
  shape(key: string): readonly number[];
  read(key: string): Promise<Float32Array>;
  readRows(key: string, from: number, to: number): Promise<Float32Array>;
  packed?(key: string): PackedLayer | null;
  metadata?(): Promise<Record<string, string>>;
}

const invalid = (file: string, found: string) =>
  new Fault('safetensors-invalid', `“${file}” is not a valid safetensors file: ${found}.`, 'Get the file again from where it came from.', { subject: file });
export const tensorMissing = (file: string, key: string) =>
  new Fault('tensor-missing', `“${file}” has no tensor “${key}”.`, 'Use a file made for this model.', { subject: key });

/** Total bytes before the tensors, from the file's first 8 bytes. Faults: `safetensors-invalid`. */
export function headBytes(first: Uint8Array, fileBytes: number, file: string): number {
  if (first.byteLength < 8) throw invalid(file, `it has ${fileBytes} bytes and needs at least 8`);
  const length = Number(new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) throw invalid(file, `its header claims ${length} bytes, more than this app reads`);
  if (8 + length > fileBytes) throw invalid(file, `its header claims ${length} bytes but the file ends after ${fileBytes}`);
  return 8 + length;
}

/** Names and kinds as a message shows them: a hostile file's may be megabytes long. */
const shown = (name: string) => (name.length > 120 ? `${name.slice(0, 120)}…` : name);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readEntry(file: string, name: string, entry: unknown, dataBegin: number, fileBytes: number): TensorEntry {
  const { dtype, shape, data_offsets: range } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  const wrong = (found: string) => invalid(file, `tensor “${shown(name)}” ${found}`);
  if (typeof dtype !== 'string') throw wrong('does not say of which kind it is');
  if (!Object.hasOwn(valueBytes, dtype)) throw wrong(`is of kind “${shown(dtype)}”, which this app does not read`);
  if (!Array.isArray(shape) || shape.length > MOST_DIMENSIONS || !shape.every(isCount)) throw wrong('has no proper shape');
  if (!Array.isArray(range) || range.length !== 2 || !range.every(isCount)) throw wrong('has no proper byte range');
  const [begin, end] = [dataBegin + (range[0] as number), dataBegin + (range[1] as number)];
  if (end < begin || end > fileBytes) throw wrong(`lies at bytes ${begin}–${end} of a file of ${fileBytes}`);
  const needs = shape.includes(0) ? 0 : shape.reduce((product: number, size: number) => product * size, valueBytes[dtype]!);
  if (!Number.isSafeInteger(needs)) throw wrong(`of [${shape.join(', ')}] is larger than any file`);
  if (end - begin !== needs) throw wrong(`of ${dtype} [${shape.join(', ')}] needs ${needs} bytes and has ${end - begin}`);
  return { dtype, shape: [...shape] as number[], begin, end };
}

/** Parses and checks the first `headBytes` bytes of a file of `fileBytes`. Faults: `safetensors-invalid`, saying what is wrong. */
export function parseHeader(head: Uint8Array, fileBytes: number, file = 'file'): SafetensorsHeader {
  const dataBegin = headBytes(head, fileBytes, file);
  invariant(head.byteLength >= dataBegin, 'parseHeader needs the whole header');
  let json: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(head.subarray(8, dataBegin));
    json = JSON.parse(text);
  } catch (cause) {
    throw new Fault('safetensors-invalid', `“${file}” is not a valid safetensors file: its header is not readable JSON.`, 'Get the file again from where it came from.', { subject: file, cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(file, 'its header is not an object');
  const count = Object.keys(json).length;
  if (count > MOST_TENSORS) throw invalid(file, `its header names ${count} tensors, more than this app reads`);
  const twice = duplicateKey(text);
  if (twice !== null) throw invalid(file, `its header names “${shown(twice)}” twice`);
  const { __metadata__: metadata = {}, ...entries } = json as Record<string, unknown>;
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) throw invalid(file, 'its metadata are not all text');
  const tensors = Object.entries(entries).map(([name, entry]) => [name, readEntry(file, name, entry, dataBegin, fileBytes)] as const);
  tensors.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = dataBegin;
  for (const [name, { begin, end }] of tensors) {
    if (begin !== at) throw invalid(file, begin < at ? `tensor “${shown(name)}” overlaps the one before it` : `${begin - at} bytes before tensor “${shown(name)}” belong to no tensor`);
    at = end;
  }
  if (at !== fileBytes) throw invalid(file, `${fileBytes - at} bytes after the last tensor belong to no tensor`);
  return { tensors: Object.fromEntries(tensors), metadata: metadata as Record<string, string>, dataBegin };
}

/** Absolute byte range of rows [from, to) of the first axis longer than 1 (SD3's position table is [1, rows, width]). */
export function rowRange({ shape, begin, end }: TensorEntry, from: number, to: number): [number, number] {
  const rows = shape.find((size) => size !== 1) ?? 1;
  invariant(from >= 0 && from <= to && to <= rows, `rows ${from}…${to} of ${rows}`);
  const rowBytes = rows === 0 ? 0 : (end - begin) / rows;
  return [begin + from * rowBytes, begin + to * rowBytes];
}

type Opened = TensorSource & { header: SafetensorsHeader };

/** A source over the bytes that `bytesOf` gives for a range of the file. */
function sourceOf(header: SafetensorsHeader, file: string, bytesOf: (begin: number, end: number) => Uint8Array | Promise<Uint8Array>): Opened {
  const entry = (key: string) => {
    if (!Object.hasOwn(header.tensors, key)) throw tensorMissing(file, key);
    return header.tensors[key]!;
  };
  return {
    header,
    metadata: async () => header.metadata,
    keys: () => Object.keys(header.tensors),
    has: (key) => Object.hasOwn(header.tensors, key),
    shape: (key) => entry(key).shape,
    read: async (key) => toFloat32(await bytesOf(entry(key).begin, entry(key).end), entry(key).dtype),
    readRows: async (key, from, to) => toFloat32(await bytesOf(...rowRange(entry(key), from, to)), entry(key).dtype),
  };
}

/** A file held in memory. Faults: `safetensors-invalid`. */
export function openSafetensors(bytes: Uint8Array, file = 'file'): Opened {
  const header = parseHeader(bytes.subarray(0, headBytes(bytes, bytes.byteLength, file)), bytes.byteLength, file);
  return sourceOf(header, file, (begin, end) => bytes.subarray(begin, end));
}

/** A file on the disk, of which only the header and the tensors asked for are read. Faults: `safetensors-invalid`. */
export async function openSafetensorsFile(blob: Blob, file: string): Promise<Opened> {
  const bytesOf = async (begin: number, end: number) => new Uint8Array(await blob.slice(begin, end).arrayBuffer());
  const head = headBytes(await bytesOf(0, 8), blob.size, file);
  return sourceOf(parseHeader(await bytesOf(0, head), blob.size, file), file, bytesOf);
}
