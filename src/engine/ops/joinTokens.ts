/**
 * Two runs of tokens one behind the other. tf.concat is the same, but its gradient keeps copies of both inputs, of which
 * only the lengths are needed.
 */
import { concat, slice, type Tensor4D } from '../tf';
import { withGradient } from './withGradient';

/** a [B,N,H,d], b [B,M,H,d] → [B,N+M,H,d]. */
export function joinTokens(a: Tensor4D, b: Tensor4D): Tensor4D {
  const [n, m] = [a.shape[1], b.shape[1]];
  return withGradient({ a, b }, () => concat([a, b], 1) as Tensor4D, (dy) => ({
    a: () => slice(dy, [0, 0, 0, 0], [-1, n, -1, -1]),
    b: () => slice(dy, [0, n, 0, 0], [-1, m, -1, -1]),
  }));
}
