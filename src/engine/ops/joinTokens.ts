/**
 * Two runs of tokens one behind the other. tf.concat is the same, but its gradient keeps copies of both inputs, of which
 * only the lengths are needed.
 */
import { concat, slice, type Tensor4D } from '../tf';
import { withGradient } from './withGradient';

/** a [B,H,N,d], b [B,H,M,d] → [B,H,N+M,d]. */
export function joinTokens(a: Tensor4D, b: Tensor4D): Tensor4D {
  const [n, m] = [a.shape[2], b.shape[2]];
  return withGradient({ a, b }, () => concat([a, b], 2) as Tensor4D, (dy) => ({
    a: () => slice(dy, [0, 0, 0, 0], [-1, -1, n, -1]),
    b: () => slice(dy, [0, 0, n, 0], [-1, -1, m, -1]),
  }));
}
