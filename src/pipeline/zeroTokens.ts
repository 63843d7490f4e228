/**
 * What stands in place of T5's tokens on a base that could have a T5 and has none. Zero tokens become the text embedding's bias and are
 * attended to, so a LoRA has to be learned with as many as it will be drawn with: SD3's training scripts have 77, diffusers 256 unless
 * told otherwise, other programs none. The tower gives T5_TOKENS of them; a recipe may say otherwise.
 */
import * as tf from '../engine/tf';
import type { Tensor3D } from '../engine/tf';
import { T5_TOKENS } from './textTower';
import type { EncodedPrompts } from './base';

export interface ZeroTokens { zeroTokens?: string }

/** Zero tokens that a recipe asks for; as many as the tower gives where it does not say. */
export const wantedZeroTokens = ({ zeroTokens = String(T5_TOKENS) }: ZeroTokens): number => (zeroTokens === 'none' ? 0 : Number(zeroTokens));

/** Takes over words [K,T + have,d] and gives [K,T + wanted,d] back; the same on a base without zero tokens (have 0). */
export function withZeroTokens(words: EncodedPrompts, have: number, recipe: ZeroTokens): EncodedPrompts {
  const wanted = wantedZeroTokens(recipe);
  if (have === 0 || wanted === have) return words;
  const [rows, tokens, width] = words.context.shape;
  const context = tf.tidy(() => (wanted < have
    ? tf.slice(words.context, [0, 0, 0], [rows, tokens - have + wanted, width])
    : tf.concat3d([words.context, tf.zeros<tf.Rank.R3>([rows, wanted - have, width])], 1))) as Tensor3D;
  words.context.dispose();
  return { ...words, context };
}
