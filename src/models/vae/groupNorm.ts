/** Group norm with or without SiLU behind it, composed: no gradient, and intermediates given back as they go, for a picture's may be large. */
import { add, div, matMul, mul, ones, reshape, rsqrt, sigmoid, square, sub, sum, tidy, type Tensor, type Tensor1D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { giveBack } from '../../engine/webgpu/submit';

export interface GroupNorm { weight: Tensor1D; bias: Tensor1D; groups: number; epsilon: number }

/** Of a group over a picture, repeated for each of its channels: both [B,1,1,C]. */
export interface Averages { mean: Tensor; variance: Tensor }

/** x [B,H,W,C] → [B,1,1,C]. Rows first, then columns: long sums in float32 stay exact enough. */
function groupMeans(x: Tensor4D, groups: number): Tensor {
  const [b, h, w, c] = x.shape;
  const rows = matMul(ones([1, 1, h]) as Tensor3D, reshape(x, [b, h, w * c]) as Tensor3D); // [B,1,W·C]
  const columns = matMul(ones([1, 1, w]) as Tensor3D, reshape(rows, [b, w, c]) as Tensor3D);
  const totals = sum(reshape(columns, [b, groups, c / groups]), 2, true);
  return reshape(mul(div(totals, (h * w * c) / groups), ones([1, 1, c / groups])), [b, 1, 1, c]);
}

/** What x's own norm goes by. The caller disposes. */
export function groupAverages(x: Tensor4D, groups: number): Averages {
  const mean = tidy(() => groupMeans(x, groups));
  const centred = sub<Tensor4D>(x, mean);
  const squared = square(centred);
  giveBack(centred);
  const variance = tidy(() => groupMeans(squared, groups));
  giveBack(squared);
  return { mean, variance };
}

/** Tiles' averages as those of the picture they make up; shares: each tile's share of its area. The caller disposes. */
export function pooled(all: readonly (Averages & { share: number })[]): Averages {
  const total = (terms: Tensor[]) => terms.reduce((sofar, term) => add(sofar, term));
  const mean = tidy(() => total(all.map(({ mean: each, share }) => mul(each, share))));
  return { mean, variance: tidy(() => total(all.map(({ mean: each, variance, share }) => mul(add(variance, square(sub(each, mean))), share)))) };
}

/** By x's own averages unless others are given. The caller disposes; x stays the caller's. */
export function groupNorm(x: Tensor4D, { weight, bias, groups, epsilon }: GroupNorm, silu: boolean, given?: Averages): Tensor4D {
  const { mean, variance } = given ?? groupAverages(x, groups);
  const centred = sub(x, mean);
  const gain = tidy(() => mul(rsqrt(add(variance, epsilon)), weight));
  if (!given) giveBack(mean, variance);
  const scaled = mul(centred, gain);
  giveBack(centred, gain);
  const y = add(scaled, bias) as Tensor4D;
  giveBack(scaled);
  if (!silu) return y;
  const gate = sigmoid(y);
  const activated = mul(y, gate) as Tensor4D;
  giveBack(y, gate);
  return activated;
}

export function disposeGroupNorm({ weight, bias }: GroupNorm): void {
  weight.dispose();
  bias.dispose();
}
