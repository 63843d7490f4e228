/**
 * Tensor names of the autoencoders. Of AutoencoderKL, the model knows diffusers' names; a checkpoint in the original layout is read through
 * `originalVaeKey`. The layouts differ in names, in the order of the decoder's levels, and in the middle attention's projections:
 * 1 × 1 convolutions in one, linear layers in the other, the same numbers in the same order. AutoencoderTiny's original has its
 * halves in separate files, the layers under bare numbers.
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

export type Half = 'encoder' | 'decoder';

/** Before the decoder's first convolution stands a clamp without weights, so its numbers begin with 1. */
const FIRST: Record<Half, number> = { encoder: 0, decoder: 1 };
const shifted = (key: string, by: number): string => key.replace(/^\d+/, (n) => String(Number(n) + by));

/** Which half of a tiny autoencoder these keys are, under the original's bare numbers; null where they are something else. */
export function tinyHalf(keys: readonly string[]): Half | null {
  if (!keys.every((key) => /^\d+\./.test(key)) || !keys.some((key) => /^\d+\.conv\.0\.weight$/.test(key))) return null;
  return keys.includes('0.weight') ? 'encoder' : keys.includes('1.weight') ? 'decoder' : null;
}

/** diffusers' name of a key in the original's separate file of that half. */
export const tinyName = (half: Half, key: string): string => `${half}.layers.${shifted(key, -FIRST[half])}`;

/** The way back; names of the other half stay what they are. */
export const originalTinyKey = (half: Half, name: string): string => (name.startsWith(`${half}.layers.`) ? shifted(name.slice(half.length + '.layers.'.length), FIRST[half]) : name);
