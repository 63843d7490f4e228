/**
 * What an import writes of a network: each tensor under the name it is loaded by, where it comes from in the files, and whether
 * it is a layer that may be packed. The transformer is written in diffusers' layout (q, k, v apart, scale before shift), so that
 * packed layers need no taking apart; the other networks keep their names.
 */
import { Fault } from '../../protocol/faults';
import { originalKey } from '../mmdit/keys';
import type { Origin } from '../weights';
import type { Found, FoundPart } from './parts';

export interface PlannedTensor {
  name: string;
  shape: number[];
  from: Found;
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

const missing = (part: string, keys: readonly string[]) =>
  new Fault('tensor-missing', `The ${part} is not complete: ${keys.length} of its tensors are missing, ${keys.slice(0, 4).map((key) => `“${key}”`).join(', ')}${keys.length > 4 ? ' and others' : ''}.`, 'Get the whole file again, or the shards that are missing.', { subject: keys[0] });

/** Faults: `tensor-missing`, `tensor-unknown`, naming the keys. */
export function planPart(found: FoundPart): PlannedTensor[] {
  if (found.part === 'transformer') return planTransformer(found);
  return [...found.tensors].map(([name, from]) => ({ name, shape: [...from.shape], from, part: null, swapHalves: false, layer: isLayer(name, from.shape), rows: null }));
}

/** Every name of a transformer of that depth, in diffusers' layout. */
export function transformerNames({ depth, qkNorm, dual }: { depth: number; qkNorm: boolean; dual: readonly number[] }): string[] {
  const both = (...names: string[]) => names.flatMap((name) => [`${name}.weight`, `${name}.bias`]);
  const blocks = Array.from({ length: depth }, (_, i) => {
    const last = i === depth - 1;
    const second = dual.includes(i);
    return [
      ...both('norm1.linear', 'norm1_context.linear', 'attn.to_q', 'attn.to_k', 'attn.to_v', 'attn.add_q_proj', 'attn.add_k_proj', 'attn.add_v_proj', 'attn.to_out.0', ...(last ? [] : ['attn.to_add_out']), ...(second ? ['attn2.to_q', 'attn2.to_k', 'attn2.to_v', 'attn2.to_out.0'] : []), 'ff.net.0.proj', 'ff.net.2', ...(last ? [] : ['ff_context.net.0.proj', 'ff_context.net.2'])),
      ...(qkNorm ? ['attn.norm_q', 'attn.norm_k', 'attn.norm_added_q', 'attn.norm_added_k', ...(second ? ['attn2.norm_q', 'attn2.norm_k'] : [])].map((name) => `${name}.weight`) : []),
    ].map((name) => `transformer_blocks.${i}.${name}`);
  });
  return ['pos_embed.pos_embed', ...both('pos_embed.proj', 'time_text_embed.timestep_embedder.linear_1', 'time_text_embed.timestep_embedder.linear_2', 'time_text_embed.text_embedder.linear_1', 'time_text_embed.text_embedder.linear_2', 'context_embedder'), ...blocks.flat(), ...both('norm_out.linear', 'proj_out')];
}

function planTransformer({ tensors }: FoundPart): PlannedTensor[] {
  const original = tensors.has('joint_blocks.0.x_block.attn.qkv.weight');
  const block = (i: number) => (original ? `joint_blocks.${i}.` : `transformer_blocks.${i}.`);
  const names = [...tensors.keys()];
  const depth = 1 + names.reduce((most, key) => Math.max(most, Number(/^(?:joint|transformer)_blocks\.(\d+)\./.exec(key)?.[1] ?? -1)), -1);
  const has = (i: number, ofOriginal: string, ofDiffusers: string) => tensors.has(block(i) + (original ? ofOriginal : ofDiffusers));
  const sizes = {
    depth,
    qkNorm: has(0, 'x_block.attn.ln_q.weight', 'attn.norm_q.weight'),
    dual: Array.from({ length: depth }, (_, i) => i).filter((i) => has(i, 'x_block.attn2.qkv.weight', 'attn2.to_q.weight')),
  };
  const wanted = transformerNames(sizes).map((name) => ({ name, origin: (original ? originalKey(name, '', depth) : { key: name }) as Origin }));
  const absent = [...new Set(wanted.map(({ origin }) => origin.key))].filter((key) => !tensors.has(key));
  if (absent.length > 0) throw missing('transformer', absent);
  const used = new Set(wanted.map(({ origin }) => origin.key));
  const extra = names.filter((key) => !used.has(key));
  if (extra.length > 0) throw new Fault('tensor-unknown', `The transformer has ${extra.length} tensors that SD3 models have no place for: ${extra.slice(0, 4).map((key) => `“${key}”`).join(', ')}.`, 'Use the unchanged file of Stable Diffusion 3 or 3.5.', { subject: extra[0] });
  return wanted.map(({ name, origin: { key, part = null, swapHalves = false } }) => {
    const from = tensors.get(key)!;
    if (name === 'pos_embed.pos_embed') return { name, from, part: null, swapHalves: false, layer: false, ...cropped(from.shape) };
    const [first = 1, ...rest] = from.shape;
    const shape = [part ? first / part.of : first, ...rest];
    return { name, shape, from, part, swapHalves, layer: isLayer(name, shape), rows: null };
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
