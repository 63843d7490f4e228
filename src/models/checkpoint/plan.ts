/**
 * What an import writes of a network: each tensor under the name it is loaded by, where it comes from in the files, and whether
 * it is a layer that may be packed. The transformer is written in diffusers' layout (q, k, v apart, scale before shift), so that
 * packed layers need no taking apart; the other networks keep their names.
 */
import { Fault } from '../../protocol/faults';
import { originalKey } from '../mmdit/keys';
import type { Origin } from '../weights';
import { PART_LABELS } from './configs';
import { countOf, namesOf, transformerNames, type Names } from './names';
import { NEEDLESS, type Found, type FoundPart } from './parts';

export interface PlannedTensor {
  name: string;
  shape: number[];
  from: Found;
  /** One number that the values are multiplied by; null where they are as they stand. */
  scale: Found | null;
  /** Of it one of `of` equal parts along the first axis. */
  part: Origin['part'] | null;
  swapHalves: boolean;
  /** Linear weights [out,in] of a block, the bulk of every network. */
  layer: boolean;
  /** Rows of the tensor (its first axis longer than 1) that are wanted, where not all are: the position table's centre. */
  rows: { from: number; to: number }[] | null;
}

/** Patches of a side that the position table is cut down to: pictures up to 1536 pixels. The released 384 would take 453 MB. */
export const KEPT_POSITIONS = 96;

const IN_BLOCK = /(^|\.)(transformer_blocks|encoder\.layers|encoder\.block)\.\d+\./;
const NOT_LINEAR = /embedding|relative_attention_bias/;

const isLayer = (name: string, shape: readonly number[]) => shape.length === 2 && name.endsWith('.weight') && IN_BLOCK.test(name) && !NOT_LINEAR.test(name);

/** Keys of each kind that a fault names. */
const NAMED = 8;
const named = (keys: readonly string[]): string => `${keys.slice(0, NAMED).map((key) => `“${key}”`).join(', ')}${keys.length > NAMED ? ', …' : ''}`;

/** What other programs' quantised weights have beside them. */
const QUANTISED = /\.(weight_scale|comfy_quant|absmax|quant_map|quant_state)(_|\.|$)/;

function misfit({ part, paths }: FoundPart, missing: readonly string[], unknown: readonly string[]): Fault {
  const label = PART_LABELS[part];
  const what = `The ${label.charAt(0).toLowerCase()}${label.slice(1)}${paths.length === 1 ? ` in “${paths[0]}”` : ''}`;
  const lacks = `is not complete: ${missing.length} of its tensors ${missing.length === 1 ? 'is' : 'are'} missing, ${named(missing)}`;
  const has = `${unknown.length} ${unknown.length === 1 ? 'tensor' : 'tensors'} that models of this kind have no place for: ${named(unknown)}`;
  const message = `${what} ${missing.length === 0 ? `has ${has}` : unknown.length === 0 ? lacks : `${lacks}; it has ${has}`}.`;
  const remedy = unknown.some((key) => QUANTISED.test(key)) ? 'It is quantised for other programs: take its file in F16, BF16 or fp8.'
    : unknown.length === 0 ? 'Get the whole file again, or the shards that are missing.' : 'Use the unchanged file of Stable Diffusion 3 or 3.5.';
  return new Fault(missing.length > 0 ? 'tensor-missing' : 'tensor-unknown', message, remedy, { subject: (missing[0] ?? unknown[0])! });
}

/** ComfyUI's scaled fp8: one number beside a weight, which it is multiplied by. */
const scaleKey = (key: string): string => key.replace(/\.weight$/, '.scale_weight');
const scaleOf = (tensors: FoundPart['tensors'], key: string): Found | null => {
  const found = key.endsWith('.weight') ? tensors.get(scaleKey(key)) : undefined;
  return found?.shape.every((size) => size === 1) ? found : null;
};
/** Beside those, what a program that computes in fp8 scales the layer's input by. */
const INPUT_SCALE = /\.scale_input$/;

/** Throws Faults `tensor-missing`, `tensor-unknown` with all that is wrong with the part; what nobody needs is let through. */
function expectNames(found: FoundPart, { needed, optional }: Names): void {
  const { tensors } = found;
  const known = new Set([...needed, ...optional]);
  for (const key of [...known]) if (scaleOf(tensors, key)) known.add(scaleKey(key));
  const missing = [...new Set(needed)].filter((key) => !tensors.has(key));
  const unknown = [...tensors.keys()].filter((key) => !known.has(key) && !INPUT_SCALE.test(key) && !NEEDLESS.test(key));
  if (missing.length > 0 || unknown.length > 0) throw misfit(found, missing, unknown);
}

/** Faults: `tensor-missing`, `tensor-unknown`, naming the keys. */
export function planPart(found: FoundPart): PlannedTensor[] {
  if (found.part === 'transformer') return planTransformer(found);
  const { tensors } = found;
  const names = namesOf(found);
  expectNames(found, names);
  const read = new Set([...names.needed, ...names.optional]);
  return [...tensors].filter(([name]) => read.has(name)).map(([name, from]) => ({ name, shape: [...from.shape], from, scale: scaleOf(tensors, name), part: null, swapHalves: false, layer: isLayer(name, from.shape), rows: null }));
}

function planTransformer(found: FoundPart): PlannedTensor[] {
  const { tensors } = found;
  const original = tensors.has('joint_blocks.0.x_block.attn.qkv.weight');
  const block = (i: number) => (original ? `joint_blocks.${i}.` : `transformer_blocks.${i}.`);
  const depth = countOf(tensors.keys(), /^(?:joint|transformer)_blocks\.(\d+)\./);
  const has = (i: number, ofOriginal: string, ofDiffusers: string) => tensors.has(block(i) + (original ? ofOriginal : ofDiffusers));
  const sizes = {
    depth,
    qkNorm: has(0, 'x_block.attn.ln_q.weight', 'attn.norm_q.weight'),
    dual: Array.from({ length: depth }, (_, i) => i).filter((i) => has(i, 'x_block.attn2.qkv.weight', 'attn2.to_q.weight')),
  };
  const wanted = transformerNames(sizes).map((name) => ({ name, origin: (original ? originalKey(name, '', depth) : { key: name }) as Origin }));
  expectNames(found, { needed: wanted.map(({ origin }) => origin.key), optional: [] });
  return wanted.map(({ name, origin: { key, part = null, swapHalves = false } }) => {
    const from = tensors.get(key)!;
    const scale = scaleOf(tensors, key);
    if (name === 'pos_embed.pos_embed') return { name, from, scale, part: null, swapHalves: false, layer: false, ...cropped(from.shape) };
    const [first = 1, ...rest] = from.shape;
    const shape = [part ? first / part.of : first, ...rest];
    return { name, shape, from, scale, part, swapHalves, layer: isLayer(name, shape), rows: null };
  });
}

/** The centre of [1, side², width]; a picture's own crop of it is the same as of the whole, because whole rows and columns go on all sides alike. */
function cropped(shape: readonly number[]): Pick<PlannedTensor, 'shape' | 'rows'> {
  const [, places = 0, width = 0] = shape;
  const side = Math.round(Math.sqrt(places));
  if (side <= KEPT_POSITIONS || (side - KEPT_POSITIONS) % 2 !== 0) return { shape: [...shape], rows: null };
  const from = (side - KEPT_POSITIONS) / 2;
  return { shape: [1, KEPT_POSITIONS ** 2, width], rows: Array.from({ length: KEPT_POSITIONS }, (_, row) => ({ from: (from + row) * side + from, to: (from + row) * side + from + KEPT_POSITIONS })) };
}
