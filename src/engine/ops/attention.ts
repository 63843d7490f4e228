/**
 * Scaled dot-product attention, softmax(q·kᵀ/√d)·v, tokens first: q [B,N,H,d], k and v [B,M,H,d]. By its kernel where the
 * backend has one (kernels/flashAttention.ts), else composed: that form transposes inside and saves q, k, v and the
 * probabilities. A query that may attend to no key gets zeros, and gives none of its gradient away.
 */
import { coversWidth, flashAttention } from '../kernels/flashAttention';
import { invariant } from '../invariant';
import { add, getBackend, getKernel, matMul, mul, reshape, softmax, sub, sum, tensor2d, transpose, util, type Tensor, type Tensor2D, type Tensor4D } from '../tf';
import { withGradient } from './withGradient';

export interface AttentionOptions {
  /** Key ≤ query only; needs N = M. */
  causal?: boolean;
  /** [B,M]: 1 where a key may be attended to, 0 where not. A constant: it gets no gradient. */
  keyMask?: Tensor2D | null;
}

/** Finite: WGSL may assume that there is no infinity. */
const LOW = -1e30;

/** `inside` where key ≤ query, `outside` elsewhere: [N,N]. */
function triangle(length: number, inside: number, outside: number): Tensor {
  const values = new Float32Array(length * length).fill(inside);
  for (let i = 0; i < length; i++) values.fill(outside, i * length + i + 1, (i + 1) * length);
  return tensor2d(values, [length, length]);
}

/** 1 where a query may attend to a key: [B,1,1,M], or [B,1,N,M] where causal. */
function allowed(keyMask: Tensor2D, queries: number, causal: boolean): Tensor {
  const keys = reshape(keyMask, [keyMask.shape[0], 1, 1, keyMask.shape[1]]);
  return causal ? mul(keys, triangle(queries, 1, 0)) : keys;
}

/** [B,N,H,d] ↔ [B,H,N,d]. */
const swapped = (x: Tensor): Tensor4D => transpose(x, [0, 2, 1, 3]) as Tensor4D;

/** The same from tfjs' own ops, on every backend: what the kernel is tested against. */
export function attentionComposed(q: Tensor4D, k: Tensor4D, v: Tensor4D, { causal = false, keyMask = null }: AttentionOptions = {}): Tensor4D {
  const scale = 1 / Math.sqrt(q.shape[3]);
  return withGradient(
    { q, k, v },
    (save) => {
      const [scaledQ, headK, headV] = [mul(swapped(q), scale), swapped(k), swapped(v)];
      let scores: Tensor = matMul(scaledQ, headK, false, true); // [B,H,N,M]
      const open = keyMask && allowed(keyMask, q.shape[1], causal);
      if (open) scores = add(scores, mul(sub(1, open), LOW));
      else if (causal) scores = add(scores, triangle(q.shape[1], 0, LOW));
      const p = open ? mul(softmax(scores), open) : softmax(scores);
      save([scaledQ, headK, headV, p]);
      return swapped(matMul(p, headV));
    },
    (dy, saved) => {
      const [scaledQ, headK, headV, p] = saved as [Tensor4D, Tensor4D, Tensor4D, Tensor4D];
      const headDy = swapped(dy);
      const weighted = mul(matMul(headDy, headV, false, true), p);
      const dScores = sub(weighted, mul(p, sum(weighted, -1, true))) as Tensor4D;
      return {
        q: () => swapped(mul(matMul(dScores, headK), scale)),
        k: () => swapped(matMul(dScores, scaledQ, true, false)),
        v: () => swapped(matMul(p, headDy, true, false)),
      };
    },
  );
}

/** q [B,N,H,d], k and v [B,M,H,d] → [B,N,H,d]. */
export function attention(q: Tensor4D, k: Tensor4D, v: Tensor4D, options: AttentionOptions = {}): Tensor4D {
  const { causal = false, keyMask = null } = options;
  const [b, n, h, d] = q.shape;
  const m = k.shape[1];
  invariant(util.arraysEqual(k.shape, [b, m, h, d]) && util.arraysEqual(v.shape, k.shape), `attention of [${q.shape.join(',')}] to [${k.shape.join(',')}] and [${v.shape.join(',')}]`);
  invariant(!causal || n === m, `causal attention of ${n} queries to ${m} keys`);
  invariant(!keyMask || util.arraysEqual(keyMask.shape, [b, m]), `a key mask [${keyMask?.shape.join(',')}] for ${b} × ${m} keys`);
  if (getKernel('FlashAttention', getBackend()) && coversWidth(d)) return flashAttention(q, k, v, { causal, keyMask });
  return attentionComposed(q, k, v, options);
}
