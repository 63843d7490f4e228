/**
 * A checkpoint's way into the database: which networks the files hold, what each tensor becomes, then tensor by tensor: read,
 * packed, hashed, written. At any time one group of tensors is being written, one tensor packed and the next ones read; what has landed is never done again.
 */
import { packedSizes, type Packing } from '../formats/packing';
import { makeScratch, packRows, type Scratch } from '../formats/packRows';
import { openCheckpoint, type ByteSource, type OpenedCheckpoint } from '../formats/checkpointFile';
import { readJson } from '../formats/json';
import { rowRange } from '../formats/safetensors';
import { toFloat32, valueBytes } from '../formats/tensorBytes';
import { CARRIED_KEY, CARRIED_PATHS, NEEDED, PART_LABELS, latentChannels, otherModel, planPart, recogniseParts, textsOf, type FoundPart, type PlannedTensor, type PartName } from '../models/checkpoint';
import { Fault } from '../protocol/faults';
import { keptId, precisionOf, type ImportProgress, type KeptAs, type KeptPrecision } from '../protocol/models';
import { sha256 } from '../storage/chunks';
import type { Database, ModelPartRecord, ModelRecord } from '../storage/db';
import { completePart, getModel, landedOf, partFile, partWriter, putModel } from '../storage/modelStore';
import * as v from 'valibot';
import { readingOn, type Wanted } from './readingOn';

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

/** Faults: those of opening, `file-unrecognised` for other models, `tensor-missing` and `tensor-unknown` where a network could not be opened. */
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
  const latents = (name: PartName) => parts.filter(({ part }) => part === name).map(latentChannels);
  const [[channels], [drafted]] = [latents('vae'), latents('vae_preview')];
  const otherDrafts = channels !== undefined && drafted !== undefined && channels !== drafted;
  const left = parts.filter(({ part }) => (part === 'text_encoder_3' && !t5Words) || (part === 'vae_preview' && otherDrafts));
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
      ...left.map(({ part }) => (part === 'vae_preview' ? `The autoencoder for drafts stays behind: its latents have ${drafted} channels, the model’s ${channels}. Stable Diffusion 3 goes with TAESD3.` : 'The T5 encoder stays behind: without its vocabulary, tokenizer_3/tokenizer.json of the model’s folder, it cannot read. Drop that as well, or go on without it.')),
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

/** What one that is no packed layer is kept as: what it came as, unless it has to be multiplied first. */
const storedDtype = ({ from, scale }: Pick<PlannedTensor, 'from' | 'scale'>): string => (scale ? 'F32' : from.dtype);

/** Bytes a tensor takes here. */
export function storedBytes({ shape, layer, ...tensor }: PlannedTensor, precision: KeptPrecision): number {
  const [out = 1, inputs = 1] = shape;
  if (!layer) return shape.reduce((product, size) => product * size, 1) * (valueBytes[storedDtype(tensor)] ?? 0);
  const { words, scales } = packedSizes(inputs, out, packingOf(precision));
  return 4 * (words + scales);
}

export const shortFingerprint = ({ fingerprint }: Surveyed): string => fingerprint.slice(0, 16);
export const modelIdOf = (surveyed: Surveyed, precision: KeptPrecision, own: KeptAs['own'] = {}): string => keptId(shortFingerprint(surveyed), { precision, own });

/** The bytes of a planned tensor in its file: one range, two where its halves change places, many where rows are wanted. */
function rangesOf({ part, swapHalves, rows }: PlannedTensor, entry: { shape: number[]; begin: number; end: number; dtype: string }): [number, number][] {
  if (rows) return rows.map(({ from, to }) => rowRange(entry, from, to));
  const size = entry.end - entry.begin;
  const [begin, end] = part ? [entry.begin + (size / part.of) * part.index, entry.begin + (size / part.of) * (part.index + 1)] : [entry.begin, entry.end];
  const middle = (begin + end) / 2;
  return swapHalves ? [[middle, end], [begin, middle]] : [[begin, end]];
}

/** What `use` makes of all the bytes of a tensor; of a copy where they come in several pieces. */
async function inOne<T>(pieces: AsyncIterable<Uint8Array<ArrayBuffer>>, sizeBytes: number, use: (bytes: Uint8Array) => T): Promise<T> {
  let all: Uint8Array | null = null;
  let at = 0;
  for await (const piece of pieces) {
    if (piece.byteLength === sizeBytes) return use(piece);
    all ??= new Uint8Array(sizeBytes);
    all.set(piece, at);
    at += piece.byteLength;
  }
  return use(all ?? new Uint8Array(sizeBytes));
}

const asBytes = (words: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

export interface ImportOptions {
  name: string;
  precision: KeptPrecision;
  /** Networks that are kept otherwise, by folder. */
  own?: KeptAs['own'];
  address?: string | null;
  clipMerges: () => Promise<string>;
  onProgress?: (progress: ImportProgress) => void;
  /** Awaited between tensors. */
  between?: () => Promise<void>;
  signal?: AbortSignal;
}

/** Imports what has not landed yet, and installs the model. Faults: `storage-full`, those of reading; the signal's reason. After any of them the next import of the same files goes on. */
export async function importSurveyed(db: Database, surveyed: Surveyed, { name, precision, own = {}, address = null, clipMerges, onProgress, between, signal }: ImportOptions): Promise<ModelRecord> {
  if (surveyed.lacking.length > 0) throw new Fault('base-incomplete', `The model cannot draw yet: it lacks ${surveyed.lacking.map((part) => PART_LABELS[part]).join(' and ')}.`, 'Drop the files that hold them as well.');
  const modelId = modelIdOf(surveyed, precision, own);
  const keptAs = (folder: string) => precisionOf({ precision, own }, folder);
  const texts = await textsOf(surveyed.parts.map(({ part }) => part), surveyed.given, clipMerges);
  const parts: ModelPartRecord[] = surveyed.parts.map(({ part, tensors, sourceBytes }) => ({ folder: part.part, sourceBytes, storedBytes: tensors.reduce((total, tensor) => total + storedBytes(tensor, keptAs(part.part)), 0), tensors: tensors.length }));
  const before = await getModel(db, modelId);
  const record: ModelRecord = { modelId, name, createdAt: before?.createdAt ?? new Date().toISOString(), precision, own: { ...own }, from: { names: [...surveyed.files.keys()], address }, parts, texts: { ...texts, ...keptSide(before) }, installed: false };
  await putModel(db, record);
  const meter = makeMeter(modelId, parts.reduce((total, part) => total + part.sourceBytes, 0), onProgress);
  const scratch = makeScratch();
  for (const { part, tensors } of surveyed.parts) {
    const [file, bits] = [partFile(modelId, part.part), keptAs(part.part)];
    if (await db.getKey('manifests', file)) {
      meter.skip(parts.find(({ folder }) => folder === part.part)!);
      continue;
    }
    const landed = await landedOf(db, file);
    meter.begin(part.part, tensors.length, landed);
    const place = ({ from, part: third }: PlannedTensor) => surveyed.files.get(from.path)!.header.tensors[from.key]!.begin + (third?.index ?? 0);
    // in the files' own order, so that reading goes forward
    const left = tensors.map((tensor, index) => ({ tensor, index })).filter(({ tensor }) => !landed.names.has(tensor.name)).sort((a, b) => (a.tensor.from.path === b.tensor.from.path ? place(a.tensor) - place(b.tensor) : a.tensor.from.path < b.tensor.from.path ? -1 : 1));
    const factors = await factorsOf(surveyed.files, left.map(({ tensor }) => tensor), signal);
    const reading = readingOn(left.map(({ tensor }) => rangesIn(surveyed.files, tensor)), signal);
    const writer = partWriter(db, file, (written) => written.forEach(({ sourceBytes, sizeBytes }) => meter.landed(sourceBytes, sizeBytes)));
    try {
      for (const [n, { tensor, index }] of left.entries()) {
        signal?.throwIfAborted();
        const sourceBytes = bytesRead(tensor);
        const kept = { index, name: tensor.name, shape: tensor.shape, sourceBytes, sizeBytes: storedBytes(tensor, bits) };
        const factor = factors.get(tensor);
        if (tensor.layer) await writer.add({ ...kept, dtype: 'PACKED', packing: packingOf(bits), pieces: await inOne(reading.take(n), sourceBytes, (bytes) => packed(tensor, bytes, bits, scratch, factor)) });
        else await writer.add({ ...kept, dtype: storedDtype(tensor), pieces: factor === undefined ? reading.take(n) : await inOne(reading.take(n), sourceBytes, (bytes) => [asBytes(toFloat32(bytes, tensor.from.dtype).map((value) => value * factor))]) });
        await between?.();
      }
    } finally {
      await writer.end();
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

/** Where the bytes of a planned tensor stand. */
function rangesIn(files: Surveyed['files'], tensor: PlannedTensor): Wanted {
  const { source, header } = files.get(tensor.from.path)!;
  return { source, ranges: rangesOf(tensor, header.tensors[tensor.from.key]!) };
}

/** The numbers that scaled tensors are multiplied by, all read before the first of them is: they are small, and most lie side by side. */
async function factorsOf(files: Surveyed['files'], tensors: readonly PlannedTensor[], signal?: AbortSignal): Promise<Map<PlannedTensor, number>> {
  const scaled = tensors.flatMap((tensor) => (tensor.scale ? [{ tensor, ...files.get(tensor.scale.path)!, key: tensor.scale.key }] : []));
  const reading = readingOn(scaled.map(({ source, header, key }) => ({ source, ranges: [[header.tensors[key]!.begin, header.tensors[key]!.end]] })), signal);
  const factors = new Map<PlannedTensor, number>();
  for (const [n, { tensor, header, key }] of scaled.entries()) {
    const { begin, end, dtype } = header.tensors[key]!;
    factors.set(tensor, await inOne(reading.take(n), end - begin, (bytes) => toFloat32(bytes, dtype)[0]!));
  }
  return factors;
}

/** Words and scales, in memory of `scratch`: good until the next call. */
function packed({ shape: [out = 0, inputs = 0], from }: PlannedTensor, bytes: Uint8Array, precision: KeptPrecision, scratch: Scratch, factor?: number): Uint8Array<ArrayBuffer>[] {
  const { words, scales } = packRows(bytes, from.dtype, out, inputs, packingOf(precision), scratch, factor);
  return [asBytes(words), asBytes(scales)];
}

/** Between two reports of progress. */
const TELL_MS = 400;
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
    begin(which: string, tensors: number, landed: { names: Set<string>; storedBytes: number; sourceBytes: number }) {
      [folder, done, total] = [which, landed.names.size, tensors];
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
