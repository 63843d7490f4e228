/**
 * Tensor names of AutoencoderKL. The model knows diffusers' names; a checkpoint in the original layout is read through
 * `originalVaeKey`. The layouts differ in names, in the order of the decoder's levels, and in the middle attention's projections:
 * 1 × 1 convolutions in one, linear layers in the other, the same numbers in the same order.
 */
import type { Origin } from '../weights';

/** Of the autoencoder in a single-file checkpoint. */
export const ORIGINAL_VAE_PREFIX = 'first_stage_model.';

/** Below a half (`encoder.`, `decoder.`), from diffusers; levels: how many the half has. */
const RULES: readonly [RegExp, (levels: number, ...parts: string[]) => string][] = [
  [/^down_blocks\.(\d+)\.resnets\.(\d+)\.(.*)$/, (_, level, block, rest) => `down.${level}.block.${block}.${rest}`],
  [/^down_blocks\.(\d+)\.downsamplers\.0\.(.*)$/, (_, level, rest) => `down.${level}.downsample.${rest}`],
  [/^up_blocks\.(\d+)\.resnets\.(\d+)\.(.*)$/, (levels, level, block, rest) => `up.${levels - 1 - Number(level)}.block.${block}.${rest}`],
  [/^up_blocks\.(\d+)\.upsamplers\.0\.(.*)$/, (levels, level, rest) => `up.${levels - 1 - Number(level)}.upsample.${rest}`],
  [/^mid_block\.resnets\.(\d+)\.(.*)$/, (_, block, rest) => `mid.block_${Number(block) + 1}.${rest}`],
  [/^mid_block\.attentions\.0\.group_norm\.(.*)$/, (_, rest) => `mid.attn_1.norm.${rest}`],
  [/^mid_block\.attentions\.0\.to_([qkv])\.(.*)$/, (_, which, rest) => `mid.attn_1.${which}.${rest}`],
  [/^mid_block\.attentions\.0\.to_out\.0\.(.*)$/, (_, rest) => `mid.attn_1.proj_out.${rest}`],
  [/^conv_norm_out\.(.*)$/, (_, rest) => `norm_out.${rest}`],
];

/** Origin of a diffusers name in a checkpoint of the original layout; `levels` tells which of the decoder's is the first. */
export function originalVaeKey(name: string, prefix: string, levels: number): Origin {
  const [, half = '', inside = name] = /^(encoder\.|decoder\.)(.*)$/.exec(name) ?? [];
  for (const [pattern, turned] of RULES) {
    const match = pattern.exec(inside);
    if (match) return { key: `${prefix}${half}${turned(levels, ...match.slice(1)).replace('.conv_shortcut.', '.nin_shortcut.')}` };
  }
  return { key: prefix + name };
}
