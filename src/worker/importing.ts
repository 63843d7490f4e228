/**
 * A checkpoint's way into the database: which networks the files hold, what each tensor becomes, then tensor by tensor: read,
 * packed, hashed, written. At any time one group of tensors is being written, one tensor packed and a few read; what has landed is never done again.
 */
import { packedSizes, type Packing } from '../formats/packing';
import { packRows } from '../formats/packRows';
import { openCheckpoint, type ByteSource, type OpenedCheckpoint } from '../formats/checkpointFile';
import { readJson } from '../formats/json';
import { rowRange } from '../formats/safetensors';
import { valueBytes } from '../formats/tensorBytes';
import { CARRIED_KEY, CARRIED_PATHS, NEEDED, PART_LABELS, otherModel, planPart, recogniseParts, textsOf, type FoundPart, type PlannedTensor, type PartName } from '../models/checkpoint';
import { Fault } from '../protocol/faults';
import type { ImportProgress, KeptPrecision } from '../protocol/models';
import { sha256 } from '../storage/chunks';
import { CHUNK_BYTES, type Database, type ModelPartRecord, type ModelRecord } from '../storage/db';
import { completePart, getModel, landedOf, landTensors, partFile, putModel, type TensorToWrite } from '../storage/modelStore';
import * as v from 'valibot';

/** int4 needs a scale for few inputs at a time; int8 does with one for each output. */
export const packingOf = (precision: KeptPrecision): Packing => (precision === 'int4' ? { precision, group: 64, symmetric: false } : { precision });

export interface PlannedPart { part: FoundPart; tensors: PlannedTensor[]; sourceBytes: number }
export interface Surveyed {
  parts: PlannedPart[];
  files: Map<string, OpenedCheckpoint>;
  given: Record<string, string>;
  notes: string[];
  lacking: PartName[];
  /** Hash of all headers: the same files give the same model. */
  fingerprint: string;
}

const isText = (path: string) => /\.(json|txt)$/i.test(path);
const shardIndex = v.object({ weight_map: v.record(v.string(), v.string()) });
const carried = v.record(v.string(), v.string());

/** Where a dropped folder's own name ends and diffusers' layout begins. */
const inFolder = (path: string): string => CARRIED_PATHS.find((known) => path === known || path.endsWith(`/${known}`)) ?? path;
/** Bytes that are read of a file for a planned tensor. */
const bytesRead = ({ shape, from }: PlannedTensor) => shape.reduce((product, size) => product * size, 1) * (valueBytes[from.dtype] ?? 0);

/** Faults: those of opening, `file-unrecognised` for other models, `tensor-missing` and `tensor-unknown` of the transformer. */
export async function surveyFiles(sources: readonly ByteSource[]): Promise<Surveyed> {
  const files = new Map<string, OpenedCheckpoint>();
  const given: Record<string, string> = {};
  const shards: string[] = [];
  for (const source of sources) {
    if (/\.safetensors\.index\.json$/.test(source.path)) {
      const index = readJson(new TextDecoder().decode(await source.read(0, source.sizeBytes)), shardIndex);
      if (!index) throw new Fault('file-unrecognised', `“${source.path}” should list the shards of a model, and does not.`, 'Get the file again.', { subject: source.path });
      const folder = source.path.replace(/[^/]*$/, '');
      shards.push(...[...new Set(Object.values(index.weight_map))].map((name) => folder + name));
    } else if (isText(source.path)) {
      const path = inFolder(source.path);
      if ((CARRIED_PATHS as readonly string[]).includes(path)) given[path] = new TextDecoder().decode(await source.read(0, source.sizeBytes));
    } else if (isWanted(source.path)) files.set(source.path, await openCheckpoint(source));
  }
  const absent = shards.filter((path) => !files.has(path));
  if (absent.length > 0) throw new Fault('base-incomplete', `The model is in ${shards.length} shards and ${absent.length} of them ${absent.length === 1 ? 'is' : 'are'} missing: ${absent.slice(0, 3).join(', ')}.`, 'Drop the whole folder, or the missing files along with it.', { subject: absent[0] });
  for (const { header } of files.values()) {
    const text = header.metadata[CARRIED_KEY];
    const more = text === undefined ? null : readJson(text, carried);
    for (const path of CARRIED_PATHS) if (more?.[path] !== undefined) given[path] ??= more[path];
  }
  const { parts, unknown, doubled } = recogniseParts([...files].map(([path, { header }]) => ({ path, tensors: Object.entries(header.tensors).map(([key, { dtype, shape }]) => ({ path, key, dtype, shape })) })));
  if (parts.length === 0) throw nothingKnown([...files.keys()], [...files.values()].flatMap(({ header }) => Object.keys(header.tensors)));
  const t5Words = given['tokenizer_3/tokenizer.json'] !== undefined;
  const left = parts.filter(({ part }) => part === 'text_encoder_3' && !t5Words);
  const planned = parts.filter((part) => !left.includes(part)).map((part) => {
    const tensors = planPart(part);
    return { part, tensors, sourceBytes: tensors.reduce((total, tensor) => total + bytesRead(tensor), 0) };
  });
  const names = planned.map(({ part }) => part.part);
  const heads = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { source, header }]) => [source.sizeBytes, header.tensors]);
  return {
    parts: planned, files, given,
    lacking: NEEDED.filter((part) => !names.includes(part)),
    notes: [
      ...left.map(() => 'The T5 encoder stays behind: without its vocabulary, tokenizer_3/tokenizer.json of the model’s folder, it cannot read. Drop that as well, or go on without it.'),
      ...doubled.map(({ part, paths }) => `${PART_LABELS[part]}: there twice, in ${paths.join(' and ')}. The first is taken.`),
      ...(unknown.length > 0 ? [`${unknown.length} tensors belong to no network of this kind and stay behind: ${unknown.slice(0, 3).map(({ key }) => key).join(', ')}${unknown.length > 3 ? ', …' : ''}.`] : []),
    ],
    fingerprint: await sha256(new TextEncoder().encode(JSON.stringify(heads))),
  };
}

/** A folder has pictures, READMEs and the same weights in other forms. */
const isWanted = (path: string): boolean => !/\.(md|png|jpe?g|webp|gitattributes|gitignore|model|msgpack|onnx|py)$|(^|\/)\.|(^|\/)(LICENSE|README)/i.test(path);

function nothingKnown(paths: readonly string[], keys: readonly string[]): Fault {
  if (paths.length === 0) return new Fault('file-unrecognised', 'There is no model file among these.', 'Drop .safetensors files of Stable Diffusion 3.5, or the model’s folder.');
  const other = otherModel(keys);
  return new Fault('file-unrecognised', other ? `“${paths[0]}” is ${other}.` : `“${paths[0]}” holds ${keys.length} tensors and no network that this app knows; the first are ${keys.slice(0, 3).map((key) => `“${key}”`).join(', ')}.`, 'Lamina learns on Stable Diffusion 3 and 3.5: their transformer, autoencoder and text encoders.', { subject: paths[0] });
}

/** Bytes a tensor takes here. */
export function storedBytes({ shape, from, layer }: PlannedTensor, precision: KeptPrecision): number {
  const [out = 1, inputs = 1] = shape;
  if (!layer) return shape.reduce((product, size) => product * size, 1) * (valueBytes[from.dtype] ?? 0);
  const { words, scales } = packedSizes(inputs, out, packingOf(precision));
  return 4 * (words + scales);
}

export const modelIdOf = ({ fingerprint }: Surveyed, precision: KeptPrecision): string => `${fingerprint.slice(0, 16)}-${precision}`;

/** The bytes of a planned tensor in its file: one range, two where its halves change places, many where rows are wanted. */
function rangesOf({ part, swapHalves, rows }: PlannedTensor, entry: { shape: number[]; begin: number; end: number; dtype: string }): [number, number][] {
  if (rows) return rows.map(({ from, to }) => rowRange(entry, from, to));
  const size = entry.end - entry.begin;
  const [begin, end] = part ? [entry.begin + (size / part.of) * part.index, entry.begin + (size / part.of) * (part.index + 1)] : [entry.begin, entry.end];
  const middle = (begin + end) / 2;
  return swapHalves ? [[middle, end], [begin, middle]] : [[begin, end]];
}

/** In pieces of at most a chunk. */
async function* readPieces({ source }: OpenedCheckpoint, ranges: readonly [number, number][], signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const [begin, end] of ranges) {
    for (let at = begin; at < end; at += CHUNK_BYTES) yield (await source.read(at, Math.min(end, at + CHUNK_BYTES), signal)) as Uint8Array<ArrayBuffer>;
  }
}

async function readWhole(file: OpenedCheckpoint, ranges: readonly [number, number][], signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (ranges.length === 1) return (await file.source.read(...ranges[0]!, signal)) as Uint8Array<ArrayBuffer>;
  const out = new Uint8Array(ranges.reduce((total, [begin, end]) => total + end - begin, 0));
  let at = 0;
  for (const range of ranges) {
    const bytes = await file.source.read(...range, signal);
    out.set(bytes, at);
    at += bytes.byteLength;
  }
  return out;
}

function* cut(...parts: readonly Uint8Array<ArrayBuffer>[]): Generator<Uint8Array<ArrayBuffer>> {
  for (const part of parts) for (let at = 0; at < part.byteLength; at += CHUNK_BYTES) yield part.slice(at, at + CHUNK_BYTES);
}

const asBytes = (words: Uint32Array<ArrayBuffer>) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** Small tensors are written together with the next large one: each transaction costs milliseconds. This much is lost when the tab is closed. */
const GROUP_BYTES = 4 * 2 ** 20;
/** Tensors up to this size are read while the one before them is written. */
const READ_AHEAD_BYTES = 48 * 2 ** 20;

export interface ImportOptions {
  name: string;
  precision: KeptPrecision;
  address?: string | null;
  clipMerges: () => Promise<string>;
  onProgress?: (progress: ImportProgress) => void;
  /** Awaited between tensors. */
  between?: () => Promise<void>;
  signal?: AbortSignal;
}

/** Imports what has not landed yet, and installs the model. Faults: `storage-full`, those of reading; the signal's reason. After any of them the next import of the same files goes on. */
export async function importSurveyed(db: Database, surveyed: Surveyed, { name, precision, address = null, clipMerges, onProgress, between, signal }: ImportOptions): Promise<ModelRecord> {
  if (surveyed.lacking.length > 0) throw new Fault('base-incomplete', `The model cannot draw yet: it lacks ${surveyed.lacking.map((part) => PART_LABELS[part]).join(' and ')}.`, 'Drop the files that hold them as well.');
  const modelId = modelIdOf(surveyed, precision);
  const texts = await textsOf(surveyed.parts.map(({ part }) => part), surveyed.given, clipMerges);
  const parts: ModelPartRecord[] = surveyed.parts.map(({ part, tensors, sourceBytes }) => ({ folder: part.part, sourceBytes, storedBytes: tensors.reduce((total, tensor) => total + storedBytes(tensor, precision), 0), tensors: tensors.length }));
  const before = await getModel(db, modelId);
  const record: ModelRecord = { modelId, name, createdAt: before?.createdAt ?? new Date().toISOString(), precision, from: { names: [...surveyed.files.keys()], address }, parts, texts: { ...texts, ...keptSide(before) }, installed: false };
  await putModel(db, record);
  const meter = makeMeter(modelId, parts.reduce((total, part) => total + part.sourceBytes, 0), onProgress);
  for (const { part, tensors } of surveyed.parts) {
    const file = partFile(modelId, part.part);
    if (await db.getKey('manifests', file)) {
      meter.skip(parts.find(({ folder }) => folder === part.part)!);
      continue;
    }
    const landed = await landedOf(db, file);
    meter.begin(part.part, tensors.length, landed);
    const place = ({ from, part: third }: PlannedTensor) => surveyed.files.get(from.path)!.header.tensors[from.key]!.begin + (third?.index ?? 0);
    // in the files' own order, so that reading goes forward
    const left = tensors.map((tensor, index) => ({ tensor, index })).filter(({ index }) => !landed.indices.has(index)).sort((a, b) => (a.tensor.from.path === b.tensor.from.path ? place(a.tensor) - place(b.tensor) : a.tensor.from.path < b.tensor.from.path ? -1 : 1));
    const readings = aheadOf(left, ({ tensor }) => startReading(surveyed.files.get(tensor.from.path)!, tensor, precision, signal));
    let landing: Promise<void> = Promise.resolve();
    let group: TensorToWrite[] = [];
    let hashing: Promise<unknown> = Promise.resolve();
    /** While one group is being written the next is hashed, and the tensors after it are read and packed. */
    const land = async () => {
      await hashing;
      hashing = landing;
      const mine = group;
      group = [];
      landing = landTensors(db, file, mine, landing).then((stored) => mine.forEach(({ sourceBytes }, i) => meter.landed(sourceBytes, stored[i]!)));
      landing.catch(() => undefined); // told where it is awaited
    };
    try {
      for (const { tensor, index } of left) {
        signal?.throwIfAborted();
        const pieces = await (await readings.next()).pieces();
        group.push({ index, name: tensor.name, dtype: tensor.layer ? 'PACKED' : tensor.from.dtype, shape: tensor.shape, ...(tensor.layer && { packing: packingOf(precision) }), sourceBytes: bytesRead(tensor), pieces });
        if (group.reduce((total, { sourceBytes }) => total + sourceBytes, 0) >= GROUP_BYTES) await land();
        await between?.();
      }
      await land();
    } finally {
      await landing;
    }
    await completePart(db, file);
  }
  const whole = { ...record, installed: true };
  await putModel(db, whole);
  return whole;
}

/** The size its pictures were given, where files that are here already are imported again. */
const keptSide = (before: ModelRecord | undefined): Record<string, string> => {
  const path = 'transformer/config.json';
  const text = before?.texts[path];
  return text === undefined ? {} : { [path]: text };
};

/** Asking for bytes takes milliseconds, whatever their number: so many reads are under way at once, or so many bytes. */
const READS_AHEAD = 8;
const READ_BYTES_AHEAD = 64 * 2 ** 20;

interface Reading { bytes: number; read: Promise<unknown>; pieces(): Promise<AsyncIterable<Uint8Array<ArrayBuffer>> | Iterable<Uint8Array<ArrayBuffer>>> }

/** The readings of a list in its order, several begun ahead of the one that is asked for. */
function aheadOf<T>(list: readonly T[], begin: (item: T) => Reading): { next(): Promise<Reading> } {
  const under: Reading[] = [];
  let [begun, bytes] = [0, 0];
  const fill = () => {
    while (begun < list.length && (under.length === 0 || (under.length < READS_AHEAD && bytes < READ_BYTES_AHEAD))) {
      const reading = begin(list[begun++]!);
      bytes += reading.bytes;
      under.push(reading);
    }
  };
  return {
    async next() {
      fill();
      const reading = under.shift()!;
      await reading.read;
      bytes -= reading.bytes;
      fill(); // goes on while this one is packed
      return reading;
    },
  };
}

/** Begins to read a tensor that is packed or small; a large one is read as it is written. */
function startReading(file: OpenedCheckpoint, tensor: PlannedTensor, precision: KeptPrecision, signal?: AbortSignal): Reading {
  const entry = file.header.tensors[tensor.from.key]!;
  const ranges = rangesOf(tensor, entry);
  const bytes = ranges.reduce((total, [begin, end]) => total + end - begin, 0);
  if (!tensor.layer && bytes > READ_AHEAD_BYTES) return { bytes: 0, read: Promise.resolve(), pieces: async () => readPieces(file, ranges, signal) };
  const reading = readWhole(file, ranges, signal);
  reading.catch(() => undefined); // told when it is asked for
  return {
    bytes,
    read: reading,
    async pieces() {
      const whole = await reading;
      if (!tensor.layer) return cut(whole);
      const [out = 0, inputs = 0] = tensor.shape;
      const { words, scales } = packRows(whole, entry.dtype, out, inputs, packingOf(precision));
      return cut(asBytes(words), asBytes(scales));
    },
  };
}

/** Between two reports of progress. */
const TELL_MS = 100;
/** Time over which the rate is told. */
const RATE_MS = 4000;

function makeMeter(modelId: string, sourceBytes: number, onProgress?: (progress: ImportProgress) => void) {
  let [folder, done, total, readBytes, storedHere] = ['', 0, 0, 0, 0];
  const marks: { at: number; bytes: number }[] = [{ at: performance.now(), bytes: 0 }];
  let fresh = 0;
  let told = 0;
  const tell = (always = true) => {
    const now = performance.now();
    if (!always && now - told < TELL_MS) return;
    told = now;
    while (marks.length > 1 && now - marks[0]!.at > RATE_MS) marks.shift();
    const [first] = marks;
    onProgress?.({ modelId, folder, done, total, readBytes, sourceBytes, storedBytes: storedHere, bytesPerSecond: (1000 * (fresh - first!.bytes)) / Math.max(1, now - first!.at) });
    marks.push({ at: now, bytes: fresh });
  };
  return {
    skip({ folder: which, tensors, sourceBytes: bytes, storedBytes: stored }: ModelPartRecord) {
      [folder, done, total] = [which, tensors, tensors];
      readBytes += bytes;
      storedHere += stored;
      tell();
    },
    begin(which: string, tensors: number, landed: { indices: Set<number>; storedBytes: number; sourceBytes: number }) {
      [folder, done, total] = [which, landed.indices.size, tensors];
      readBytes += landed.sourceBytes;
      storedHere += landed.storedBytes;
      tell();
    },
    landed(source: number, stored: number) {
      done++;
      readBytes += source;
      fresh += source;
      storedHere += stored;
      tell(done === total);
    },
  };
}
