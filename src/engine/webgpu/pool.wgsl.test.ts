import { beforeAll, expect, it } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { emptyPool, flush } from './dispatch';
import * as tf from '../tf';

const gpu = () => tf.memory() as unknown as { numBytesInGPU: number; numBytesAllocatedInGPU: number };

beforeAll(async () => { await useWebgpu(); });

it('gives the pool’s free buffers back, and computes on without them', async () => {
  const kept = tf.tensor1d([1, 2, 3]);
  for (let size = 1000; size < 1010; size++) tf.tidy(() => tf.add(tf.ones([size]), 1));
  flush(tf.backend());
  expect(gpu().numBytesAllocatedInGPU - gpu().numBytesInGPU).toBeGreaterThan(10 * 4 * 1000);
  emptyPool(tf.backend());
  expect(gpu().numBytesAllocatedInGPU).toBe(gpu().numBytesInGPU);
  const sum = tf.tidy(() => tf.add(kept, tf.tensor1d([1, 1, 1])));
  expect(Array.from(await sum.data())).toEqual([2, 3, 4]);
  expect(gpu().numBytesAllocatedInGPU).toBeGreaterThanOrEqual(gpu().numBytesInGPU);
  tf.dispose([kept, sum]);
});
