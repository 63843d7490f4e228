import { describe, expect, it } from 'vitest';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { noise } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { cutFlat, joinFlat, readFlat } from './flatCopy';

const shapes = [[1], [63, 1], [8, 8], [3, 5, 7]];
const total = shapes.reduce((sum, shape) => sum + tf.util.sizeFromShape(shape), 0);

describe.each(['wasm', 'cpu'] as const)('flat copies on %s', (name) => {
  it('cut tensors that later writes to the array do not reach, and join them again', async () => {
    await useBackend(name);
    await expectNoLeak(async () => {
      const numbers = noise(total, 1);
      const before = numbers.slice();
      const parts = cutFlat(numbers, shapes);
      numbers.fill(7);
      expect(parts.map(({ shape }) => shape)).toEqual(shapes);
      const flat = joinFlat(parts);
      expect(await flat.data()).toEqual(before);
      tf.dispose([parts, flat]);
    });
  });

  it('are read again and again into the same place, and refused where that is too small', async () => {
    await useBackend(name);
    const into = new Float32Array(65);
    for (const seed of [1, 2]) {
      const x = tf.tensor1d(noise(65, seed));
      expect(await readFlat(x, into)).toEqual(noise(65, seed));
      x.dispose();
    }
    if (name === 'wasm') {
      expect(into).toEqual(noise(65, 2));
      await expect(readFlat(tf.tidy(() => tf.keep(tf.zeros([66]))), into)).rejects.toThrow('66 numbers read into 65');
    }
  });
});
