import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../testing/backend';
import { checkFinite, checkTensorsFinite, memorySnapshot, trimMemory } from './memory';
import * as tf from './tf';

describe('memory', () => {
  beforeAll(() => useBackend('wasm'));

  it('counts tensors, their bytes and the heap', () => {
    const before = memorySnapshot();
    const x = tf.zeros([1000]);
    const after = memorySnapshot();
    expect(after.tensors - before.tensors).toBe(1);
    expect(after.bytes - before.bytes).toBe(4000);
    expect(after.allocatedBytes).toBeGreaterThan(after.bytes);
    expect(trimMemory()).toBe(0);
    x.dispose();
  });

  it('names what is not a number', async () => {
    const tensors = { loss: tf.tensor1d([1, 2]), 'blocks.3.to_q': tf.tensor1d([0, NaN, 1]) };
    await expect(checkTensorsFinite(tensors)).rejects.toMatchObject({ code: 'not-finite', subject: 'blocks.3.to_q' });
    expect(() => checkFinite('loss', [1, -Infinity])).toThrow('loss has become -Infinity (at index 1)');
    expect(() => checkFinite('loss', [1, 3e38])).not.toThrow();
    tf.dispose(tensors);
  });
});
