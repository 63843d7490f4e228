/**
 * Reads LoRA files into a concept's stored tensors. In files lora_A is [r,in] and lora_B [out,r], in memory a is [in,r] and b
 * [r,out]; alpha/rank (or alpha/√rank for rsLoRA) is folded into b, so scale is always 1. Only the header and the tensors that
 * the model takes are read, whatever the file's size. What a file holds beyond them is named, never silently dropped.
 */
import { Fault } from '../protocol/faults';
import { readAdapterConfig, readAdapterConfigFile, type AdapterConfig } from './adapterConfig';
import { openSafetensorsFile, type TensorSource } from './safetensors';
import type { PlainTensor } from './safetensorsWriter';
import type { StoredTensors } from './storedTensors';
import { bareModule, isOfTextEncoder, isOwnKey, moduleTable, parseLoraKey, PATCH_SITE, patchInput, patchShape, POOLED_KEY, rowKey, whyLeftOut, type LoraPart, type LoraSiteShape, type ModuleTable } from './loraKeys';
import { readLoraHeader } from './loraHeader';

/** A file with more is a whole model, or was made for one far larger than any that runs here. */
const MOST_LORA_BYTES = 2 ** 30;

/** What a LoRA is read for: the projections that take one, and the sizes of concept rows and pooled delta. */
export interface LoraModel { sites: readonly LoraSiteShape[]; depth: number; hidden: number; pooledWidth: number }
/** A module or key that was not taken, and why in a few words. */
export interface LeftOut { name: string; why: string }
export interface ReadLora {
  /** As pipeline/concept.ts stores them, for `restoreConcept`. */
  tensors: StoredTensors;
  metadata: Record<string, string>;
  /** What Lamina wrote into the header; null for files of other tools. */
  about: ReturnType<typeof readLoraHeader>;
  /** Modules of the file that the model took, of all in it. */
  matched: number;
  total: number;
  unmatched: LeftOut[];
  /** The file is PEFT's own, whose strength stands in a file beside it: alpha = rank was assumed. */
  alphaAssumed: boolean;
}

/** alpha of a module by its rank: what a tensor of the file says, its header, the configuration beside it. Fault where they part; the rank where none says anything. */
function alphaReader(metadata: Record<string, string>, beside: AdapterConfig | null): (module: string, rank: number, tensor: number | null) => number {
  const text = metadata.lora_adapter_metadata;
  const header = text === undefined ? null : readAdapterConfig(text, { prefix: 'transformer.', where: 'The header of this LoRA', remedy: 'Use another file; this one is broken.' });
  return (module, rank, tensor) => {
    beside?.expect(module, rank);
    const own = tensor ?? header?.alphaOf(module, rank) ?? null;
    const other = beside?.alphaOf(module, rank) ?? null;
    if (own !== null && other !== null && Math.abs(own - other) > 1e-3 * Math.abs(own)) {
      throw new Fault('adapter-config', `adapter_config.json gives “${module}” the alpha ${Number(other.toPrecision(6))}, and the LoRA itself ${Number(own.toPrecision(6))}.`, 'Drop the LoRA without it if the file is right; otherwise with the one that was saved with it.', { subject: module });
    }
    return own ?? other ?? rank;
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
function splitModule(down: Float32Array, up: Float32Array, rank: number, scale: number, { site: { name, inFeatures, outFeatures }, third, swapped }: NonNullable<ReturnType<ModuleTable['get']>>[number]): { a: PlainTensor; b: PlainTensor } | null {
  const part = up.subarray((third ?? 0) * outFeatures * rank, ((third ?? 0) + 1) * outFeatures * rank);
  const ranks = third === null ? Array.from({ length: rank }, (_, r) => r) : usedRanks(part, rank);
  if (ranks.length === 0) return null;
  const [a, b] = [new Float32Array(inFeatures * ranks.length), new Float32Array(ranks.length * outFeatures)];
  const from = name === PATCH_SITE ? (i: number) => patchInput(i, inFeatures) : (i: number) => i;
  const half = swapped ? outFeatures / 2 : 0;
  ranks.forEach((r, at) => {
    for (let i = 0; i < inFeatures; i++) a[i * ranks.length + at] = down[r * inFeatures + from(i)]!;
    for (let o = 0; o < outFeatures; o++) b[at * outFeatures + o] = part[((o + half) % outFeatures) * rank + r]! * scale;
  });
  return { a: { shape: [inFeatures, ranks.length], data: a }, b: { shape: [ranks.length, outFeatures], data: b } };
}

/** Rows and columns of a half; of the patch convolution's four dimensions the last three are one, or the last two are 1. None where it is something else. */
function matrixShape(shape: readonly number[], { name, inFeatures }: LoraSiteShape): readonly number[] {
  if (shape.length === 2) return shape;
  const [rows, columns, height, width] = shape;
  if (name !== PATCH_SITE || shape.length !== 4) return [];
  if (height === 1 && width === 1) return [rows!, columns!];
  return patchShape(rows!, inFeatures).every((size, axis) => shape[axis] === size) ? [rows!, inFeatures] : [];
}

const notFinite = (name: string) => new Fault('not-finite', `“${name}” of this LoRA holds numbers that are not finite.`, 'Use another file; this one is broken.', { subject: name });

async function readFinite(source: TensorSource, key: string): Promise<Float32Array> {
  const data = await source.read(key);
  if (!data.every(Number.isFinite)) throw notFinite(key);
  return data;
}

/** A module's alpha tensor: one number. */
async function readAlpha(source: TensorSource, key: string): Promise<number> {
  const count = source.shape(key).reduce((product, size) => product * size, 1);
  if (count !== 1) throw new Fault('safetensors-invalid', `“${key}” of this LoRA must hold one number and holds ${count}.`, 'Use another file; this one is broken.', { subject: key });
  return (await readFinite(source, key))[0]!;
}

/** Concept rows, one a block, and the pooled delta, where the file has them. Sizes are checked before anything is read. */
async function readRowsOf(source: TensorSource, { depth, hidden, pooledWidth }: LoraModel): Promise<StoredTensors> {
  const out: StoredTensors = {};
  const keys = source.keys().filter((key) => isOwnKey(key) && key !== POOLED_KEY);
  const expect = (key: string, width: number) => {
    const shape = source.shape(key);
    if (shape.length !== 1 || shape[0] !== width) throw mismatch(key, 'has', shape.reduce((product, size) => product * size, 1), width);
  };
  if (keys.length > 0) {
    const wanted = Array.from({ length: depth }, (_, block) => rowKey(block));
    if (keys.length !== depth || !wanted.every((key) => source.has(key))) {
      throw new Fault('base-mismatch', `This LoRA has concept rows for ${keys.length} blocks, and this base model has ${depth}.`, 'Use a LoRA that was made for this base model.', { subject: rowKey(0) });
    }
    const data = new Float32Array(depth * hidden);
    for (const key of wanted) expect(key, hidden);
    for (const [block, key] of wanted.entries()) data.set(await readFinite(source, key), block * hidden);
    out.rows = { shape: [depth, hidden], data };
  }
  if (source.has(POOLED_KEY)) {
    expect(POOLED_KEY, pooledWidth);
    if (out.rows) out.pooledDelta = { shape: [pooledWidth], data: await readFinite(source, POOLED_KEY) };
  }
  return out;
}

/**
 * Reads a LoRA for a model; `config`: the adapter_config.json that was dropped with it. Faults: `safetensors-invalid`, `file-too-large`,
 * `file-unrecognised` (no LoRA), `base-mismatch` (other sizes, or nothing in it fits), `adapter-config`, `not-finite`.
 */
export async function readLora(file: Blob, model: LoraModel, name = 'LoRA', config: Blob | null = null): Promise<ReadLora> {
  const source = await openSafetensorsFile(file, name);
  const { metadata } = source.header;
  const modules = new Map<string, Partial<Record<LoraPart, string>>>();
  const unmatched: LeftOut[] = [];
  for (const key of source.keys()) {
    if (isOwnKey(key)) continue;
    const parsed = parseLoraKey(key);
    if (parsed) modules.set(parsed.module, { ...modules.get(parsed.module), [parsed.part]: key });
    else unmatched.push({ name: key, why: whyLeftOut(key) });
  }
  if (modules.size === 0) {
    const kinds = [...new Set(unmatched.map(({ why }) => why))].filter((why) => why.endsWith('supported'));
    throw new Fault('file-unrecognised', `“${name}” holds no LoRA${kinds.length > 0 ? `: ${kinds.join(', ')}` : ''}.`, 'Drop a LoRA in safetensors format.');
  }
  if (file.size > MOST_LORA_BYTES) throw new Fault('file-too-large', `“${name}” has ${(file.size / 2 ** 30).toFixed(1)} GB; a LoRA of up to ${MOST_LORA_BYTES / 2 ** 30} GB can be read.`, 'Use one of a lower rank.');

  const table = moduleTable(model.sites);
  const alphaOf = alphaReader(metadata, config && (await readAdapterConfigFile(config)));
  const tensors: StoredTensors = {};
  let matched = 0;
  for (const [module, { down, up, alpha }] of modules) {
    const targets = table.get(bareModule(module));
    const extra = source.keys().find((key) => key.startsWith(`${module}.`) && !parseLoraKey(key));
    if (!targets || !down || !up || extra) {
      unmatched.push({ name: module, why: isOfTextEncoder(module) ? 'text encoders are not changed here' : !targets ? 'this base has no such layer' : extra ? `its ${extra.slice(module.length + 1)} is not supported` : 'half of it is missing' });
      continue;
    }
    if (targets.some(({ site }) => tensors[`${site.name}.a`])) {
      unmatched.push({ name: module, why: 'another layer of the file is for the same place' });
      continue;
    }
    const { site, third } = targets[0]!;
    const [rank = 0, inputs = 0] = matrixShape(source.shape(down), site);
    const [outputs = 0, upRank = 0] = matrixShape(source.shape(up), site);
    const needed = third === null ? site.outFeatures : 3 * site.outFeatures;
    if (rank !== upRank || rank === 0) throw new Fault('base-mismatch', `The two halves of “${module}” do not fit each other.`, 'Use a LoRA of linear layers.', { subject: module });
    if (inputs !== site.inFeatures) throw mismatch(module, 'takes', inputs, site.inFeatures);
    if (outputs !== needed) throw mismatch(module, 'gives', outputs, needed);
    const [downData, upData] = [await readFinite(source, down), await readFinite(source, up)];
    const scale = alphaOf(bareModule(module), rank, alpha ? await readAlpha(source, alpha) : null) / rank;
    for (const target of targets) {
      const pair = splitModule(downData, upData, rank, scale, target);
      if (!pair) continue;
      tensors[`${target.site.name}.a`] = { shape: [...pair.a.shape], data: pair.a.data };
      tensors[`${target.site.name}.b`] = { shape: [...pair.b.shape], data: pair.b.data };
    }
    matched += 1;
  }
  if (matched === 0) throw new Fault('base-mismatch', `None of this LoRA’s ${modules.size} layers exists in this base model.`, 'Use a LoRA that was made for this base model.', { subject: unmatched[0]?.name ?? '' });
  Object.assign(tensors, await readRowsOf(source, model));
  const saysAlpha = config !== null || metadata.lora_adapter_metadata !== undefined || [...modules.values()].some(({ alpha }) => alpha);
  const alphaAssumed = !saysAlpha && [...modules.keys()].some((module) => module.startsWith('base_model.model.'));
  return { tensors, metadata, about: readLoraHeader(metadata), matched, total: modules.size, unmatched, alphaAssumed };
}
