/**
 * Builds an Mmdit from a checkpoint in diffusers' or the original SD3 layout. The sizes are read from the tensors, so
 * they cannot disagree with them; a config, where given, settles the head width of models without q/k norm and is
 * checked otherwise. The patch convolution becomes a linear layer over (row, column, channel), to suit NHWC.
 */
import * as v from 'valibot';
import { frozenLinear } from '../../engine/ops';
import { tensor3d, type Tensor3D } from '../../engine/tf';
import { Fault } from '../../protocol/faults';
import { count as positive, readConfig } from '../config';
import { WeightReader, type LayerMaker } from '../weights';
import type { WeightSource } from '../weightSource';
import { originalKey, ORIGINAL_PREFIX } from './keys';
import { blockLayers, unpackedAtWork } from './residency';
import { layersAway, streamedBlocks, type Fetchers } from '../streaming';
import type { AttentionWeights, BlockWeights, Mmdit, MmditConfig, StreamWeights } from './types';

/** Sinusoids of the timestep embedding; the same in every SD3 model. */
export const TIMESTEP_WIDTH = 256;
/** Head width of every released SD3 model; used where neither q/k norms nor a config tell it. */
const USUAL_HEAD_WIDTH = 64;

function openReader(source: WeightSource): { reader: WeightReader; prefix: string } {
  if (source.has('pos_embed.proj.weight')) return { reader: new WeightReader(source), prefix: '' };
  const prefix = source.has(`${ORIGINAL_PREFIX}x_embedder.proj.weight`) ? ORIGINAL_PREFIX : '';
  const depth = count((i) => source.has(`${prefix}joint_blocks.${i}.x_block.attn.qkv.weight`));
  return { reader: new WeightReader(source, (name) => originalKey(name, prefix, depth)), prefix };
}

function count(exists: (i: number) => boolean): number {
  let n = 0;
  while (exists(n)) n++;
  return n;
}

const declaredSizes = v.object({ attention_head_dim: v.optional(positive), num_attention_heads: v.optional(positive), num_layers: v.optional(positive) });

function inferConfig(reader: WeightReader, given: unknown): MmditConfig {
  const [hidden = 0, channels = 0, patch = 0] = reader.shape('pos_embed.proj.weight');
  const depth = count((i) => reader.has(`transformer_blocks.${i}.attn.to_q.weight`));
  const qkNorm = reader.has('transformer_blocks.0.attn.norm_q.weight');
  const declared = readConfig(given, declaredSizes, 'transformer/config.json');
  const headWidth = qkNorm ? reader.shape('transformer_blocks.0.attn.norm_q.weight')[0]! : (declared.attention_head_dim ?? USUAL_HEAD_WIDTH);
  const heads = hidden / headWidth;
  const wrong = (declared.num_layers ?? depth) !== depth || (declared.num_attention_heads ?? heads) !== heads || !Number.isInteger(heads);
  if (wrong) {
    throw new Fault('base-mismatch', `The transformer's weights have ${depth} blocks and ${heads} heads; its config says ${declared.num_layers} and ${declared.num_attention_heads}.`, 'Use the config that belongs to the weights.');
  }
  return {
    depth, hidden, heads, headWidth, patch, channels, qkNorm,
    outChannels: reader.shape('proj_out.weight')[0]! / patch ** 2,
    contextWidth: reader.shape('context_embedder.weight')[1]!,
    pooledWidth: reader.shape('time_text_embed.text_embedder.linear_1.weight')[1]!,
    positionSide: Math.round(Math.sqrt(reader.shape('pos_embed.pos_embed')[1]!)),
    dualAttention: Array.from({ length: depth }, (_, i) => i).filter((i) => reader.has(`transformer_blocks.${i}.attn2.to_q.weight`)),
  };
}

/** [hidden,C,p,p] → linear over (row, column, channel). */
async function patchEmbed(reader: WeightReader, { hidden, channels, patch }: MmditConfig) {
  const read = await reader.values('pos_embed.proj.weight', [hidden, channels, patch, patch]);
  const values = new Float32Array(read.length);
  const area = patch * patch;
  for (let o = 0; o < hidden; o++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < area; p++) values[(p * channels + c) * hidden + o] = read[(o * channels + c) * area + p]!;
    }
  }
  return frozenLinear(values, area * channels, hidden, await reader.vector('pos_embed.proj.bias', hidden));
}

/** The centre of the position table, at most `side` patches wide: all that pictures up to that size can touch. */
async function positions(source: WeightSource, reader: WeightReader, key: string, config: MmditConfig, side: number): Promise<Tensor3D> {
  const { positionSide, hidden } = config;
  reader.shape('pos_embed.pos_embed');
  reader.accept('pos_embed.pos_embed');
  const kept = Math.min(side, positionSide);
  const from = (positionSide - kept) >> 1;
  const values = new Float32Array(kept * kept * hidden);
  if (kept === positionSide) values.set(await source.read(key));
  else {
    for (let row = 0; row < kept; row++) {
      const start = (from + row) * positionSide + from;
      values.set(await source.readRows(key, start, start + kept), row * kept * hidden);
    }
  }
  return tensor3d(values, [kept, kept, hidden]);
}

async function attentionWeights(reader: WeightReader, config: MmditConfig, make: LayerMaker | undefined, names: { q: string; k: string; v: string; out: string | null; normQ: string; normK: string }): Promise<AttentionWeights> {
  const square = (name: string) => reader.linear(name, config.hidden, config.hidden, true, make);
  const norm = (name: string) => reader.vector(`${name}.weight`, config.headWidth);
  return {
    q: await square(names.q), k: await square(names.k), v: await square(names.v),
    out: names.out ? await square(names.out) : null,
    normQ: config.qkNorm ? await norm(names.normQ) : null,
    normK: config.qkNorm ? await norm(names.normK) : null,
  };
}

async function block(reader: WeightReader, config: MmditConfig, index: number, make: LayerMaker | undefined): Promise<BlockWeights> {
  const { hidden, depth } = config;
  const at = `transformer_blocks.${index}.`;
  const last = index === depth - 1;
  const dual = config.dualAttention.includes(index);
  const stream = async (suffix: '' | '_context', chunks: number, attention: AttentionWeights, mlp: boolean): Promise<StreamWeights> => {
    const wide = mlp ? reader.shape(`${at}ff${suffix}.net.0.proj.weight`)[0]! : 0;
    return {
      modulation: await reader.linear(`${at}norm1${suffix}.linear`, hidden, chunks * hidden, true, make),
      attention,
      up: mlp ? await reader.linear(`${at}ff${suffix}.net.0.proj`, hidden, wide, true, make) : null,
      down: mlp ? await reader.linear(`${at}ff${suffix}.net.2`, wide, hidden, true, make) : null,
    };
  };
  const joint = `${at}attn.`;
  const second = `${at}attn2.`;
  return {
    index, last,
    x: await stream('', dual ? 9 : 6, await attentionWeights(reader, config, make, {
      q: `${joint}to_q`, k: `${joint}to_k`, v: `${joint}to_v`, out: `${joint}to_out.0`, normQ: `${joint}norm_q`, normK: `${joint}norm_k`,
    }), true),
    context: await stream('_context', last ? 2 : 6, await attentionWeights(reader, config, make, {
      q: `${joint}add_q_proj`, k: `${joint}add_k_proj`, v: `${joint}add_v_proj`, out: last ? null : `${joint}to_add_out`, normQ: `${joint}norm_added_q`, normK: `${joint}norm_added_k`,
    }), !last),
    dual: dual ? await attentionWeights(reader, config, make, {
      q: `${second}to_q`, k: `${second}to_k`, v: `${second}to_v`, out: `${second}to_out.0`, normQ: `${second}norm_q`, normK: `${second}norm_k`,
    }) : null,
  };
}

export interface LoadOptions {
  /** Largest picture side in patches whose position rows are kept; the whole table by default. */
  maxPatches?: number;
  /** Makes the blocks' linear layers; float32 by default. What stands before and after the blocks is always float32. */
  blockLayer?: LayerMaker;
  /** Room for the blocks' weights: they are fetched while the model runs, and as many stay as it holds. Without it all are in place. */
  streamBytes?: number;
}

/** Throws Faults `tensor-missing`, `tensor-unknown`, `tensor-shape`, `base-mismatch`. */
export async function loadMmdit(source: WeightSource, config?: unknown, options: LoadOptions = {}): Promise<Mmdit> {
  const { reader, prefix } = openReader(source);
  const c = inferConfig(reader, config);
  const two = async (name: string, width: number) => ({
    first: await reader.linear(`time_text_embed.${name}.linear_1`, width, c.hidden),
    second: await reader.linear(`time_text_embed.${name}.linear_2`, c.hidden, c.hidden),
  });
  const positionKey = source.has('pos_embed.pos_embed') ? 'pos_embed.pos_embed' : `${prefix}pos_embed`;
  const model: Mmdit = {
    config: c,
    patchEmbed: await patchEmbed(reader, c),
    positions: await positions(source, reader, positionKey, c, options.maxPatches ?? c.positionSide),
    timeEmbed: await two('timestep_embedder', TIMESTEP_WIDTH),
    pooledEmbed: await two('text_embedder', c.pooledWidth),
    contextEmbed: await reader.linear('context_embedder', c.contextWidth, c.hidden),
    blocks: [],
    residency: null,
    normOut: await reader.linear('norm_out.linear', c.hidden, 2 * c.hidden),
    projectOut: await reader.linear('proj_out', c.hidden, c.patch ** 2 * c.outChannels),
  };
  const fetchers: Fetchers = new Map();
  const make = options.streamBytes === undefined ? options.blockLayer : layersAway(fetchers);
  for (let i = 0; i < c.depth; i++) model.blocks.push(await block(reader, c, i, make));
  if (options.streamBytes !== undefined) model.residency = streamedBlocks(model.blocks.map(blockLayers), fetchers, options.streamBytes);
  else if (model.blocks.some((w) => blockLayers(w).some(({ packed }) => packed?.place === 'memory'))) model.residency = unpackedAtWork(model.blocks);
  reader.finish(prefix);
  return model;
}
