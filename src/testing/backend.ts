/**
 * What tests need of a backend: `await useBackend('wasm')` in a beforeAll, `await useWebgpu()` in *.wgsl.test.ts files,
 * and a check that nothing is left behind.
 */
import { expect } from 'vitest';
import * as tf from '../engine/tf';

export { useBackend, useWebgpu } from './nodeBackend';

/** Runs `f` and expects that no tensor is left; `f` disposes of what it is given. */
export async function expectNoLeak(f: () => unknown): Promise<void> {
  const before = tf.memory().numTensors;
  await f();
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
}
