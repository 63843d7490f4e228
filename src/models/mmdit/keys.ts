/**
 * The transformer's tensor names. The model knows diffusers' names; a checkpoint in the original SD3 layout is read
 * through `originalKey`: q, k and v are thirds of one matrix, and the last context block and the final layer hold shift
 * before scale where diffusers has scale before shift.
 */
import type { Origin } from '../weights';

export const ORIGINAL_PREFIX = 'model.diffusion_model.';

const GLOBAL: Record<string, string> = {
  'pos_embed.pos_embed': 'pos_embed',
  'pos_embed.proj': 'x_embedder.proj',
  'time_text_embed.timestep_embedder.linear_1': 't_embedder.mlp.0',
  'time_text_embed.timestep_embedder.linear_2': 't_embedder.mlp.2',
  'time_text_embed.text_embedder.linear_1': 'y_embedder.mlp.0',
  'time_text_embed.text_embedder.linear_2': 'y_embedder.mlp.2',
  context_embedder: 'context_embedder',
  'norm_out.linear': 'final_layer.adaLN_modulation.1',
  proj_out: 'final_layer.linear',
};

/** Within a block: original module, third of it where it is fused. */
const BLOCK: Record<string, readonly [module: string, third?: number]> = {
  'attn.to_q': ['x_block.attn.qkv', 0],
  'attn.to_k': ['x_block.attn.qkv', 1],
  'attn.to_v': ['x_block.attn.qkv', 2],
  'attn.to_out.0': ['x_block.attn.proj'],
  'attn.norm_q': ['x_block.attn.ln_q'],
  'attn.norm_k': ['x_block.attn.ln_k'],
  'attn.add_q_proj': ['context_block.attn.qkv', 0],
  'attn.add_k_proj': ['context_block.attn.qkv', 1],
  'attn.add_v_proj': ['context_block.attn.qkv', 2],
  'attn.to_add_out': ['context_block.attn.proj'],
  'attn.norm_added_q': ['context_block.attn.ln_q'],
  'attn.norm_added_k': ['context_block.attn.ln_k'],
  'attn2.to_q': ['x_block.attn2.qkv', 0],
  'attn2.to_k': ['x_block.attn2.qkv', 1],
  'attn2.to_v': ['x_block.attn2.qkv', 2],
  'attn2.to_out.0': ['x_block.attn2.proj'],
  'attn2.norm_q': ['x_block.attn2.ln_q'],
  'attn2.norm_k': ['x_block.attn2.ln_k'],
  'ff.net.0.proj': ['x_block.mlp.fc1'],
  'ff.net.2': ['x_block.mlp.fc2'],
  'ff_context.net.0.proj': ['context_block.mlp.fc1'],
  'ff_context.net.2': ['context_block.mlp.fc2'],
  'norm1.linear': ['x_block.adaLN_modulation.1'],
  'norm1_context.linear': ['context_block.adaLN_modulation.1'],
};

const split = (name: string): [module: string, suffix: string] => {
  const [, module = name, suffix = ''] = /^(.*?)(\.weight|\.bias)?$/.exec(name) ?? [];
  return [module, suffix];
};

/** Origin of a diffusers name in a checkpoint of the original layout; `depth` tells which block is the last. */
export function originalKey(name: string, prefix: string, depth: number): Origin {
  const [module, suffix] = split(name);
  const block = /^transformer_blocks\.(\d+)\.(.*)$/.exec(module);
  if (!block) return { key: `${prefix}${GLOBAL[module] ?? module}${suffix}`, swapHalves: module === 'norm_out.linear' };
  const [original, third] = BLOCK[block[2]!] ?? [block[2]!];
  return {
    key: `${prefix}joint_blocks.${block[1]}.${original}${suffix}`,
    ...(third === undefined ? {} : { part: { index: third, of: 3 } }),
    swapHalves: block[2] === 'norm1_context.linear' && Number(block[1]) === depth - 1,
  };
}
