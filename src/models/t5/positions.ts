/** T5's relative positions: distances near and far in ever wider buckets, one learned number for each bucket and head. */
import { gather, reshape, tensor1d, tidy, transpose, type Tensor2D, type Tensor4D } from '../../engine/tf';

/**
 * Bucket of a distance key − query, both ways: half of the buckets for keys behind the query, half for those before it; in each half
 * one bucket a distance up to its middle, then logarithmically wider ones up to `mostDistance`. In float32, as the references compute it.
 */
export function bucketOf(distance: number, buckets: number, mostDistance: number): number {
  const half = buckets >> 1;
  const exact = half >> 1;
  const far = Math.abs(distance);
  const side = distance > 0 ? half : 0;
  if (far < exact) return side + far;
  const share = Math.fround(Math.fround(Math.log(far / exact)) / Math.fround(Math.log(mostDistance / exact)));
  return side + Math.min(half - 1, exact + Math.floor(Math.fround(share * (half - exact))));
}

/** table [buckets, heads] → what is added to the scores, [1, heads, tokens, tokens]. */
export function positionBias(table: Tensor2D, tokens: number, mostDistance: number): Tensor4D {
  const [buckets, heads] = table.shape;
  const places = new Int32Array(tokens * tokens);
  for (let query = 0; query < tokens; query++) for (let key = 0; key < tokens; key++) places[query * tokens + key] = bucketOf(key - query, buckets, mostDistance);
  return tidy(() => reshape(transpose(gather(table, tensor1d(places, 'int32'))), [1, heads, tokens, tokens]));
}
