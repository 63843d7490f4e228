import { beforeAll, expect, it } from 'vitest';
import { useWebgpu } from '../testing/backend';
import { memorySnapshot, trimMemory } from './memory';
import * as tf from './tf';

beforeAll(async () => { await useWebgpu(); });

it('gives the pool of freed buffers back, and goes on computing', async () => {
  const kept = tf.add(tf.ones([64]), 1);
  for (let n = 1000; n < 1040; n++) tf.tidy(() => tf.add(tf.ones([n]), 1).shape);
  await kept.data();
  const before = memorySnapshot();
  expect(trimMemory()).toBeGreaterThan(40 * 4000);
  const after = memorySnapshot();
  expect(after.allocatedBytes).toBeLessThan(before.allocatedBytes - 40 * 4000);
  const y = tf.mul(kept, 3);
  expect((await y.data())[63]).toBe(6);
});
