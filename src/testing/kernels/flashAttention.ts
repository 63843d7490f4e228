/** Attention for the shared suite: softmax(q·kᵀ/√d)·v per head, tokens first, causal and with a key mask. */
import { flashAttention, type AttentionVariant } from '../../engine/kernels/flashAttention';
import { attention, attentionComposed } from '../../engine/ops/attention';
import * as tf from '../../engine/tf';
import { type KernelCase, type KernelSpec, type Values } from './spec';

interface Options { causal: boolean; keyMask: Float32Array | null; variant: AttentionVariant }
/** Which keys may be attended to: every third not, or, of one sample, none at all. */
type Mask = 'none' | 'thirds' | 'one sample blind';

function maskOf(kind: Mask, batch: number, keys: number): Float32Array | null {
  if (kind === 'none') return null;
  return Float32Array.from({ length: batch * keys }, (_, i) => (i % keys % 3 === 0 || (kind === 'one sample blind' && i < keys) ? 0 : 1));
}

function attentionCase(variant: AttentionVariant, [b, n, m, h, d]: [number, number, number, number, number], mask: Mask = 'none', causal = false, forwardOnly = false): KernelCase {
  return {
    title: `${variant}: [${b},${n},${h},${d}] to ${m} keys${causal ? ', causal' : ''}${mask === 'none' ? '' : `, mask: ${mask}`}`,
    shapes: [[b, n, h, d], [b, m, h, d], [b, m, h, d]],
    options: { causal, keyMask: maskOf(mask, b, m), variant } satisfies Options,
    forwardOnly,
  };
}

function reference([q, k, v]: Values[], shapes: number[][], { causal, keyMask }: Options): Float64Array {
  const [batch, queries, heads, width] = shapes[0] as [number, number, number, number];
  const keys = shapes[1]![1]!;
  const out = new Float64Array(q!.length);
  const weights = new Float64Array(keys);
  for (let b = 0; b < batch; b++) for (let n = 0; n < queries; n++) for (let h = 0; h < heads; h++) {
    const at = ((b * queries + n) * heads + h) * width;
    const keyAt = (m: number) => ((b * keys + m) * heads + h) * width;
    let total = 0;
    for (let m = 0; m < keys; m++) {
      let score = 0;
      for (let c = 0; c < width; c++) score += q![at + c]! * k![keyAt(m) + c]!;
      const open = (!causal || m <= n) && (keyMask?.[b * keys + m] ?? 1) !== 0;
      weights[m] = open ? Math.exp(score / Math.sqrt(width)) : 0; // scores stay below √128: nothing overflows
      total += weights[m]!;
    }
    if (total === 0) continue;
    for (let m = 0; m < keys; m++) for (let c = 0; c < width; c++) out[at + c]! += (weights[m]! / total) * v![keyAt(m) + c]!;
  }
  return out;
}

const withMask = (form: (q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, keyMask: tf.Tensor2D | null, options: Options) => tf.Tensor) =>
  ([q, k, v]: tf.Tensor[], options: unknown): tf.Tensor[] => tf.tidy(() => {
    const given = options as Options;
    const keyMask = given.keyMask && tf.tensor2d(given.keyMask, [k!.shape[0]!, k!.shape[1]!]);
    return [form(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, keyMask, given)];
  });

/** Sizes on both sides of a tile; fewer queries than keys, as in the last joint block, and more. */
const both = (variant: AttentionVariant): KernelCase[] => [
  // to a single key the gradients of q and k are zero, and only rounding is left to compare
  attentionCase(variant, [1, 1, 1, 1, 32], 'none', false, true),
  attentionCase(variant, [1, 1, 3, 2, 32]),
  attentionCase(variant, [1, 64, 2, 1, 32]),
  attentionCase(variant, [2, 63, 65, 2, 32]),
  attentionCase(variant, [1, 64, 64, 1, 64]),
  attentionCase(variant, [1, 65, 63, 1, 128]),
  attentionCase(variant, [2, 5, 33, 3, 20]),
  attentionCase(variant, [2, 65, 65, 1, 64], 'none', true),
  attentionCase(variant, [1, 63, 63, 2, 64], 'none', true),
  attentionCase(variant, [2, 33, 64, 1, 32], 'thirds'),
  attentionCase(variant, [2, 34, 35, 2, 32], 'one sample blind'),
  attentionCase(variant, [2, 65, 65, 1, 32], 'thirds', true),
  attentionCase(variant, [1, 2800, 3, 24, 4], 'none', false, true),
];

export const flashAttentionSpec: KernelSpec = {
  name: 'FlashAttention',
  cases: [...both('tiles'), ...both('registers')],
  run: withMask((q, k, v, keyMask, { causal, variant }) =>
    tf.getBackend() === 'webgpu' ? flashAttention(q, k, v, { causal, keyMask, variant }) : attention(q, k, v, { causal, keyMask })),
  composed: withMask((q, k, v, keyMask, { causal }) => attentionComposed(q, k, v, { causal, keyMask })),
  reference: (inputs, shapes, options) => [reference(inputs, shapes, options as Options)],
  // sums of up to 128 products, the exponential of a score of a few units (its rounding enters whole), up to 65 terms of weight below 1
  tolerance: { forward: 3e-6, gradient: 1e-5 },
};
