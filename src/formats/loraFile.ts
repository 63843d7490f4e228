/**
 * LoRA files: a concept's stored tensors to safetensors and back. In memory a is [in,r] and b [r,out], in files lora_A is [r,in]
 * and lora_B [out,r]. Written with alpha = rank; on reading, alpha/rank (or alpha/√rank for rsLoRA) is folded into b, so scale is
 * always 1. What a file holds beyond the model's own sites is counted and named, never silently dropped.
 */
import { Fault } from '../protocol/faults';
import { openSafetensors, type TensorSource } from './safetensors';
import { hashTensors, writeSafetensors, type PlainTensor } from './safetensorsWriter';
import type { StoredTensors } from './storedTensors';
import { bareModule, exportedKeys, isOwnKey, moduleTable, parseLoraKey, POOLED_KEY, rowKey, type LoraPart, type LoraSiteShape } from './loraKeys';
import { loraHeader, readLoraHeader, type LoraDescription } from './loraHeader';

export interface WriteLora extends Omit<LoraDescription, 'captions' | 'date'> {
  /** As pipeline/concept.ts stores them: `<site>.a`, `<site>.b`, `rows`, `pooledDelta`. */
  tensors: StoredTensors;
  /** Complete captions; they go into the header only if `options.includeCaptions`. */
  captions: readonly string[];
  options: { includeCaptions: boolean; includeRows: boolean };
  /** ISO 8601; now, if left out. */
  date?: string;
}
export interface ReadLora {
  /** As pipeline/concept.ts stores them, for `restoreConcept`. */
  tensors: StoredTensors;
  metadata: Record<string, string>;
  /** What Lamina wrote into the header; null for files of other tools. */
  about: ReturnType<typeof readLoraHeader>;
  /** Modules of the file that the model took, of all in it. */
  matched: number;
  total: number;
  /** The modules (or keys) it did not take, each with the reason in brackets. */
  unmatched: string[];
}

/** [rows,columns] → [columns,rows]. */
function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  return out;
}

/** The file's bytes. The same arguments (with `date`) give the same bytes. */
export async function writeLora({ tensors, options, captions, date = new Date().toISOString(), ...about }: WriteLora): Promise<Uint8Array<ArrayBuffer>> {
  const out: Record<string, PlainTensor> = {};
  const ranks: Record<string, number> = {};
  for (const [key, { shape, data }] of Object.entries(tensors)) {
    const site = key.slice(0, -2);
    const [rows, columns] = shape as [number, number];
    if (key.endsWith('.a')) ranks[site] = columns;
    if (key.endsWith('.a') || key.endsWith('.b')) out[exportedKeys(site)[key.endsWith('.a') ? 'down' : 'up']] = { shape: [columns, rows], data: transpose(data, rows, columns) };
  }
  const { rows, pooledDelta } = options.includeRows ? tensors : {};
  const [depth = 0, width = 0] = rows?.shape ?? [];
  for (let block = 0; block < depth; block++) out[rowKey(block)] = { shape: [width], data: rows!.data.slice(block * width, (block + 1) * width) };
  if (pooledDelta) out[POOLED_KEY] = pooledDelta;
  const facts = { ranks, hasRows: rows !== undefined, hash: await hashTensors(out) };
  return writeSafetensors(out, loraHeader({ ...about, date, captions: options.includeCaptions ? captions : null }, facts));
}

/** alpha of a module from PEFT's configuration in the header: a pattern's, else the common one; null where there is none. */
function headerAlpha(metadata: Record<string, string>): (module: string, rank: number) => number | null {
  let config: Record<string, unknown> = {};
  try {
    config = JSON.parse(metadata.lora_adapter_metadata ?? '{}') as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const patterns = Object.entries((config['transformer.alpha_pattern'] ?? {}) as Record<string, number>);
  const common = config['transformer.lora_alpha'];
  return (module, rank) => {
    const alpha = patterns.find(([pattern]) => module === pattern || module.endsWith(`.${pattern}`))?.[1] ?? (typeof common === 'number' ? common : null);
    return alpha !== null && config['transformer.use_rslora'] === true ? alpha * Math.sqrt(rank) : alpha;
  };
}

const mismatch = (name: string, what: string, found: number, needed: number) =>
  new Fault('base-mismatch', `This LoRA is for another model: its layer “${name}” ${what} ${found} numbers, this base model’s ${needed}.`, 'Use a LoRA that was made for this base model.', { subject: name });

/** The third's own rank-one parts: the others add nothing to it in a block-diagonal file. All of them, if none is all zero. */
function usedRanks(up: Float32Array, rank: number): number[] {
  const used: number[] = [];
  for (let r = 0; r < rank; r++) {
    for (let at = r; at < up.length; at += rank) {
      if (up[at] !== 0) {
        used.push(r);
        break;
      }
    }
  }
  return used;
}

/** One site's a and b out of a module's halves; null where the module adds nothing to it. */
function splitModule(down: Float32Array, up: Float32Array, rank: number, scale: number, { inFeatures, outFeatures }: LoraSiteShape, third: number | null): { a: PlainTensor; b: PlainTensor } | null {
  const part = up.subarray((third ?? 0) * outFeatures * rank, ((third ?? 0) + 1) * outFeatures * rank);
  const ranks = third === null ? Array.from({ length: rank }, (_, r) => r) : usedRanks(part, rank);
  if (ranks.length === 0) return null;
  const [a, b] = [new Float32Array(inFeatures * ranks.length), new Float32Array(ranks.length * outFeatures)];
  ranks.forEach((r, at) => {
    for (let i = 0; i < inFeatures; i++) a[i * ranks.length + at] = down[r * inFeatures + i]!;
    for (let o = 0; o < outFeatures; o++) b[at * outFeatures + o] = part[o * rank + r]! * scale;
  });
  return { a: { shape: [inFeatures, ranks.length], data: a }, b: { shape: [ranks.length, outFeatures], data: b } };
}

async function readRowsOf(source: TensorSource, width: number | null): Promise<StoredTensors> {
  const out: StoredTensors = {};
  const keys: string[] = [];
  while (source.has(rowKey(keys.length))) keys.push(rowKey(keys.length));
  if (keys.length > 0) {
    const rows = await Promise.all(keys.map((key) => source.read(key)));
    const found = rows[0]!.length;
    if (rows.some((row) => row.length !== found)) throw new Fault('safetensors-invalid', 'The concept rows of this file differ in length.', 'Export the concept again.', { subject: rowKey(0) });
    if (width !== null && found !== width) throw mismatch(rowKey(0), 'has', found, width);
    const data = new Float32Array(keys.length * found);
    rows.forEach((row, block) => data.set(row, block * found));
    out.rows = { shape: [keys.length, found], data };
  }
  if (source.has(POOLED_KEY)) out.pooledDelta = { shape: [...source.shape(POOLED_KEY)], data: await source.read(POOLED_KEY) };
  return out;
}

/**
 * Reads a LoRA for the given sites. Faults: `safetensors-invalid`, `file-unrecognised` (no LoRA), `base-mismatch` (other sizes, or
 * nothing in it fits), `not-finite`.
 */
export async function readLora(bytes: Uint8Array, sites: readonly LoraSiteShape[]): Promise<ReadLora> {
  const source = openSafetensors(bytes, 'LoRA');
  const { metadata } = source.header;
  const modules = new Map<string, Partial<Record<LoraPart, string>>>();
  const unmatched: string[] = [];
  for (const key of source.keys()) {
    if (isOwnKey(key)) continue;
    const parsed = parseLoraKey(key);
    if (parsed) modules.set(parsed.module, { ...modules.get(parsed.module), [parsed.part]: key });
    else unmatched.push(`${key} (not a plain LoRA tensor)`);
  }
  if (modules.size === 0) throw new Fault('file-unrecognised', 'This file holds no LoRA.', 'Drop a LoRA in safetensors format.');

  const table = moduleTable(sites);
  const alphaOf = headerAlpha(metadata);
  const tensors: StoredTensors = {};
  let matched = 0;
  for (const [module, { down, up, alpha }] of modules) {
    const targets = table.get(bareModule(module));
    const extra = source.keys().find((key) => key.startsWith(`${module}.`) && !parseLoraKey(key));
    if (!targets || !down || !up || extra) {
      unmatched.push(`${module} (${!targets ? 'the model has no such layer' : extra ? `${extra.slice(module.length + 1)} is not supported` : 'half of it is missing'})`);
      continue;
    }
    const [rank = 0, inputs = 0] = source.shape(down);
    const [outputs = 0, upRank = 0] = source.shape(up);
    const { site, third } = targets[0]!;
    const needed = third === null ? site.outFeatures : 3 * site.outFeatures;
    if (source.shape(down).length !== 2 || source.shape(up).length !== 2 || rank !== upRank || rank === 0) throw new Fault('base-mismatch', `The two halves of “${module}” do not fit each other.`, 'Use a LoRA of linear layers.', { subject: module });
    if (inputs !== site.inFeatures) throw mismatch(module, 'takes', inputs, site.inFeatures);
    if (outputs !== needed) throw mismatch(module, 'gives', outputs, needed);
    const [downData, upData] = [await source.read(down), await source.read(up)];
    if (![downData, upData].every((data) => data.every(Number.isFinite))) throw new Fault('not-finite', `“${module}” of this LoRA holds numbers that are not finite.`, 'Use another file; this one is broken.', { subject: module });
    const scale = (alpha ? (await source.read(alpha))[0]! : (alphaOf(bareModule(module), rank) ?? rank)) / rank;
    for (const { site: target, third: part } of targets) {
      const pair = splitModule(downData, upData, rank, scale, target, part);
      if (!pair) continue;
      tensors[`${target.name}.a`] = { shape: [...pair.a.shape], data: pair.a.data };
      tensors[`${target.name}.b`] = { shape: [...pair.b.shape], data: pair.b.data };
    }
    matched += 1;
  }
  if (matched === 0) throw new Fault('base-mismatch', `None of this LoRA’s ${modules.size} layers exists in this base model.`, 'Use a LoRA that was made for this base model.', { subject: unmatched[0] ?? '' });
  Object.assign(tensors, await readRowsOf(source, sites.find(({ name }) => name.endsWith('add_q_proj'))?.inFeatures ?? null));
  return { tensors, metadata, about: readLoraHeader(metadata), matched, total: modules.size, unmatched };
}
