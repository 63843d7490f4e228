/**
 * Weighted words, "(a red dog:1.3)": what a prompt says without the marks, and which of it has which weight. A weight moves the
 * tokens' hidden states away from those of the empty prompt at the same places (or towards them, below 1), as ComfyUI has it.
 */
import * as tf from '../engine/tf';
import type { Tensor3D } from '../engine/tf';

/** Characters [from, to) of the plain text. */
export interface WeightedSpan { from: number; to: number; weight: number }

const MARKED = /\(([^()]*):\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)/g;
/** Beyond this it is a time of day, or a mistake. */
const MOST = 10;

/** Round brackets without a weight stay what they are. Marks within marks count from the inside out: the outer ones are text. */
export function readWeights(prompt: string): { text: string; spans: WeightedSpan[] } {
  let text = '';
  let at = 0;
  const spans: WeightedSpan[] = [];
  for (const found of prompt.matchAll(MARKED)) {
    const weight = Number(found[2]);
    if (Math.abs(weight) > MOST) continue;
    text += prompt.slice(at, found.index);
    if (weight !== 1 && found[1]!.trim() !== '') spans.push({ from: text.length, to: text.length + found[1]!.length, weight });
    text += found[1]!;
    at = found.index + found[0].length;
  }
  return { text: text + prompt.slice(at), spans };
}

/** context [B,T,d], empty [1,T,d]; weights [B][T]. Takes `context` over; the same tensor where all weights are 1. */
export function weighted(context: Tensor3D, empty: Tensor3D, weights: readonly (readonly number[])[]): Tensor3D {
  if (weights.every((row) => row.every((weight) => weight === 1))) return context;
  const moved = tf.tidy(() => {
    const w = tf.tensor3d(weights.flat(), [weights.length, weights[0]!.length, 1]);
    return tf.add(empty, tf.mul(w, tf.sub(context, empty))) as Tensor3D;
  });
  context.dispose();
  return moved;
}
