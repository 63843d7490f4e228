import { expect, it } from 'vitest';
import { packedGpuBytes } from '../../engine/packed/packedMatrix';
import { openDevice } from '../../engine/webgpu/device';
import * as tf from '../../engine/tf';
import { useWebgpu } from '../../testing/backend';
import { adapterSource } from '../../testing/pictureAdapter';
import { adapterBytes } from './adapterBytes';
import { countingAdapter } from './countingDevice';

it('counts the adapters that a base has and can use, and leaves none of them', async () => {
  const { software } = await useWebgpu();
  await openDevice({ adapter: countingAdapter().adapter, name: 'counting', software });
  const source = adapterSource();
  const files = (...folders: string[]) => ({ has: async (folder: string) => folders.includes(folder), weights: async () => source });
  const [held, tensors] = [packedGpuBytes(), tf.memory().numTensors];
  const numbers = source.keys().reduce((sum, key) => sum + source.shape(key).reduce((a, b) => a * b, 1), 0);
  const [whole] = await adapterBytes(files('image_encoder', 'object_adapter'));
  expect(whole!.kind).toBe('object');
  // in float32, but for what packing rounds up
  expect(whole!.bytes / (4 * numbers)).toBeCloseTo(1, 1);
  const [half] = await adapterBytes(files('image_encoder', 'object_adapter'), false);
  expect(half!.bytes).toBeLessThan(0.8 * whole!.bytes);
  expect(await adapterBytes(files('object_adapter'))).toEqual([]);
  expect(await adapterBytes(files('image_encoder'))).toEqual([]);
  expect([packedGpuBytes(), tf.memory().numTensors]).toEqual([held, tensors]);
});
