import { beforeAll, expect, it } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import * as tf from '../tf';
import { workLimit, limitWork } from './workLimit';
import { convolve } from '../ops/convolve';
import { giveBack } from './submit';

/** Uniforms of what is not submitted yet. */
const SMALL = 4096;

beforeAll(async () => { await useWebgpu(); });

it('large tensors given back free their memory at once, small ones with the next submission', async () => {
  const made = (megabytes: number) => tf.fill([megabytes * 2 ** 18], 1);
  const used = () => (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU;
  await tf.fill([4], 1).data();
  const before = used();
  const large = made(32);
  expect(used() - before).toBeGreaterThanOrEqual(32 * 2 ** 20);
  giveBack(large);
  expect(used() - before).toBeLessThan(SMALL);
  giveBack(made(1));
  expect(used() - before).toBeGreaterThanOrEqual(2 ** 20);
});

it('a convolution in bands is what it is in one piece', async () => {
  const x = tf.randomUniform([1, 20, 12, 8], -1, 1, 'float32', 1) as tf.Tensor4D;
  const filter = tf.randomUniform([3, 3, 8, 8], -1, 1, 'float32', 2) as tf.Tensor4D;
  const whole = convolve(x, filter, null, { pad: [[1, 1], [1, 1]] });
  workLimit.flops = (2 * whole.size * 72) / 3;
  const sliced = convolve(x, filter, null, { pad: [[1, 1], [1, 1]] });
  limitWork(null, false);
  expect(Array.from(await sliced.data())).toEqual(Array.from(await whole.data()));
});
