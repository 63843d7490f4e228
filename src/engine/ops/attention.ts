/**
 * Scaled dot-product attention, composed: softmax(q·kᵀ/√d)·v over [B,H,N,d]. Saves q, k, v and the probabilities.
 * Not for B·H·N above 65,535 on WebGPU: tfjs' softmax there corrupts its last row (the embedded base needs some 6,000).
 */
import { add, matMul, mul, softmax, sub, sum, tensor2d, type Tensor, type Tensor4D } from '../tf';
import { withGradient } from './withGradient';

/** 0 where key ≤ query, a large negative number elsewhere (finite: WGSL may assume that there is no infinity). */
function causalMask(length: number): Tensor {
  const values = new Float32Array(length * length);
  for (let i = 0; i < length; i++) values.fill(-1e30, i * length + i + 1, (i + 1) * length);
  return tensor2d(values, [length, length]);
}

/** q [B,H,N,d], k and v [B,H,M,d] → [B,H,N,d]. `causal` needs N = M. */
export function attention(q: Tensor4D, k: Tensor4D, v: Tensor4D, options: { causal?: boolean } = {}): Tensor4D {
  const scale = 1 / Math.sqrt(q.shape[3]);
  return withGradient(
    { q, k, v },
    (save) => {
      const scaledQ = mul(q, scale);
      let scores: Tensor = matMul(scaledQ, k, false, true); // [B,H,N,M]
      if (options.causal) scores = add(scores, causalMask(q.shape[2]));
      const p = softmax(scores);
      save([scaledQ, k, v, p]);
      return matMul(p, v) as Tensor4D;
    },
    (dy, saved) => {
      const [scaledQ, keptK, keptV, p] = saved as [Tensor4D, Tensor4D, Tensor4D, Tensor4D];
      const weighted = mul(matMul(dy, keptV, false, true), p);
      const dScores = sub(weighted, mul(p, sum(weighted, -1, true))) as Tensor4D;
      return {
        q: () => mul(matMul(dScores, keptK), scale),
        k: () => matMul(dScores, scaledQ, true, false),
        v: () => matMul(p, dy, true, false),
      };
    },
  );
}
