import { expect, it } from 'vitest';
import { openDevice } from '../../engine/webgpu/device';
import { packedGpuBytes } from '../../engine/packed/packedMatrix';
import * as tf from '../../engine/tf';
import { defaultRecipe } from '../../protocol/recipe';
import { useWebgpu } from '../../testing/backend';
import { folderFiles } from '../../testing/files';
import { countingAdapter } from './countingDevice';
import { needs } from './plan';
import { firstBlocks } from './shapes';

it('plans what the allocator then reports, for two blocks of the embedded base', async () => {
  const source = await folderFiles('public/base').weights('transformer');
  const shapes = firstBlocks(Object.fromEntries(source.keys().map((key) => [key, [...source.shape(key)]])), 2);
  const job = { shapes, packing: { precision: 'int8' }, latentSide: 8, textTokens: 9, pictures: 2 } as const;
  const recipe = { ...defaultRecipe(), classWord: 'dog', batchSize: 1 };
  const { software } = await useWebgpu();
  const tensors = tf.memory().numTensors;
  const found = await needs(job, recipe);
  expect(tf.memory().numTensors).toBe(tensors);
  expect(packedGpuBytes()).toBe(0);

  const counting = countingAdapter();
  await openDevice({ adapter: counting.adapter, name: 'counting', software });
  const planned = await needs(job, recipe);
  // The same kernels with the same pool; how work is cut into submissions depends on reads, whose timing differs.
  for (const key of ['weightBytes', 'keptBytes', 'usedBytes', 'allocatedBytes'] as const) expect(planned[key] / found[key], key).toBeCloseTo(1, 1);
  expect(counting.peak() / planned.allocatedBytes).toBeGreaterThanOrEqual(1);
  expect(counting.peak() / planned.allocatedBytes).toBeLessThan(1.2); // seen between blocks, a little less than at worst
  expect(found.allocatedBytes).toBeGreaterThan(found.weightBytes + found.keptBytes);
  console.info(`peak ${counting.peak()}, planned ${planned.allocatedBytes}, reported ${found.allocatedBytes} bytes`);
});
