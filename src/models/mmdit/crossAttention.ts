/**
 * Attention of the picture tokens to tokens of another picture, a residual behind some of the blocks; text tokens never see it.
 *   e = LN(tokens)·(1 + scale) + shift,  (shift, scale) = modulation(SiLU(time embedding of σ))
 *   x ← x + weight · to_out(attention(to_q(LN(x)), to_kv(e)))           (heads of 64, no biases)
 * Tokens do not depend on σ, so they can be kept. Structure after PuLID's for diffusion transformers (arXiv 2404.16022).
 */
import { attention, layerNorm, linear, type FrozenLinear, type LoraPair } from '../../engine/ops';
import { invariant } from '../../engine/invariant';
import { add, concat, div, matMul, mean, mul, reshape, rsqrt, slice, softmax, split, square, sub, sum, transpose, zeros, type Tensor, type Tensor2D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import type { Norm } from '../clip/layers';
import { silu, timestepEmbedding } from './ends';
import type { Adapter, CrossAttention, CrossBlock, Injection } from './types';

type Trained = Injection['trained'];

export const HEAD_WIDTH = 64;
const EPSILON = 1e-5;
/** Tokens whose attention says how much of the identity a place takes up, in ortho_v2. */
const GLOBAL_TOKENS = 5;

export const crossName = (index: number) => `cross.${index}.`;
/** The places of a block's cross-attention that take a LoRA pair. Above a trained weight one counts for nothing. */
export const crossSites = ({ index, q, kv, out }: CrossBlock): { name: string; layer: FrozenLinear }[] =>
  Object.entries({ to_q: q, to_kv: kv, to_out: out }).map(([part, layer]) => ({ name: crossName(index) + part, layer }));

const pair = (trained: Trained, name: string, biased: boolean): [Tensor | undefined, Tensor | undefined] => {
  const found = [trained?.[`${name}.weight`], trained?.[`${name}.bias`]] as [Tensor | undefined, Tensor | undefined];
  invariant(!biased || !found[0] === !found[1], `weight and bias of “${name}” are trained together`);
  return found;
};

function affine<T extends Tensor>(x: T, layer: FrozenLinear, name: string, trained: Trained, lora?: LoraPair): T {
  const [weight, bias] = pair(trained, name, layer.bias !== null);
  if (!weight) return linear(x, layer, lora);
  const y = matMul(reshape(x, [x.size / layer.inFeatures, layer.inFeatures]), weight, false, true);
  return reshape(bias ? add(y, bias) : y, [...x.shape.slice(0, -1), layer.outFeatures]) as T;
}

function normed<T extends Tensor>(x: T, { weight, bias }: Norm, name: string, trained: Trained): T {
  const [gain, offset] = pair(trained, name, true);
  if (!gain) return layerNorm(x, weight, bias, EPSILON);
  const centred = sub(x, mean(x, -1, true));
  return add(mul(mul(centred, rsqrt(add(mean(square(centred), -1, true), EPSILON))), gain), offset!) as T;
}

/** What the modulations read of the noise levels: [B,dc]. */
export function noiseLevel({ time }: CrossAttention, sigma: readonly number[], trained?: Trained): Tensor2D {
  return silu(affine(silu(affine(timestepEmbedding(sigma), time.first, 'time.linear_1', trained)), time.second, 'time.linear_2', trained));
}

const heads = (x: Tensor3D): Tensor4D => reshape(x, [x.shape[0], x.shape[1], x.shape[2] / HEAD_WIDTH, HEAD_WIDTH]);

/** Attention to the first tokens, averaged over heads: [B,N,1]. */
function globalShare(q: Tensor4D, k: Tensor4D, tokens: number): Tensor3D {
  const swapped = (x: Tensor4D) => transpose(x, [0, 2, 1, 3]) as Tensor4D;
  const p = softmax(matMul(mul(swapped(q), 1 / Math.sqrt(HEAD_WIDTH)), swapped(k), false, true)) as Tensor4D; // [B,H,N,M]
  const [b, h, n] = p.shape;
  return reshape(mean(sum(slice(p, [0, 0, 0, 0], [b, h, n, Math.min(GLOBAL_TOKENS, tokens)]), -1), 1), [b, n, 1]);
}

/** The part of `branch` along x, taken over all tokens, channel by channel. A channel that is zero everywhere has none. */
function along(branch: Tensor3D, x: Tensor3D): Tensor3D {
  const size = sum(mul(x, x), 1, true); // [B,1,d]
  const floor = add(mul(mean(size, 2, true), 1e-6), 1e-12);
  return mul(div(sum(mul(x, branch), 1, true), add(size, floor)), x);
}

/** x [B,N,d] with the branch behind block `w.index`. `level` is noiseLevel's. */
export function injected(w: CrossBlock, x: Tensor3D, tokens: Tensor3D, level: Tensor2D, { weight, zeroTokens = 0, ortho = 'none', region = null, trained }: Omit<Injection, 'weights' | 'tokens'>, adapter: Adapter | null = null): Tensor3D {
  const at = crossName(w.index);
  const [b, n, dt] = tokens.shape;
  const width = w.q.outFeatures;
  const modulation = affine(level, w.modulation, `${at}modulation`, trained);
  const [shift, scale] = split(reshape(modulation, [b, 1, 2 * dt]), 2, 2) as [Tensor3D, Tensor3D];
  const e = add(mul(normed(tokens, w.normTokens, `${at}norm_tokens`, trained), add(scale, 1)), shift) as Tensor3D;
  const padded = (rows: Tensor3D) => heads(zeroTokens > 0 ? concat([rows, zeros([b, zeroTokens, width])], 1) as Tensor3D : rows);
  const [k, v] = (split(affine(e, w.kv, `${at}to_kv`, trained, adapter?.[`${at}to_kv`]), 2, 2) as [Tensor3D, Tensor3D]).map(padded) as [Tensor4D, Tensor4D];
  const q = heads(affine(normed(x, w.normImage, `${at}norm_image`, trained), w.q, `${at}to_q`, trained, adapter?.[`${at}to_q`]));
  const plain = affine(reshape(attention(q, k, v), [b, x.shape[1], width]) as Tensor3D, w.out, `${at}to_out`, trained, adapter?.[`${at}to_out`]);
  const kept = ortho === 'none' ? plain
    : ortho === 'ortho' ? sub(plain, along(plain, x)) as Tensor3D
      : add(plain, mul(sub(globalShare(q, k, n), 1), along(plain, x))) as Tensor3D;
  return add(x, mul(region ? mul(kept, region) : kept, weight));
}
