import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useWebgpu } from '../../testing/backend';
import { noise } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { cutFlat, joinFlat } from './flatCopy';

beforeAll(async () => { await useWebgpu(); });
const shapes = [[1], [63, 1], [8, 8], [65], [3, 5, 7]];
const values = shapes.map((shape, i) => noise(tf.util.sizeFromShape(shape), i));

describe('flat copies', () => {
  it('join in order, what was computed a moment before included', () => expectNoLeak(async () => {
    const parts = shapes.map((shape, i) => tf.tidy(() => tf.mul(tf.tensor(values[i]!, shape), 2)));
    const flat = joinFlat(parts);
    expect(Array.from(await flat.data())).toEqual(values.flatMap((numbers) => Array.from(numbers, (value) => 2 * value)));
    tf.dispose([parts, flat]);
  }));

  it('cut into tensors of their own, which later writes do not reach', () => expectNoLeak(async () => {
    const parts = shapes.map((shape, i) => tf.tensor(values[i]!, shape));
    const flat = joinFlat(parts);
    const cut = cutFlat(flat, shapes.slice(0, -1));
    tf.dispose([parts, flat]);
    expect(cut.map(({ shape }) => shape)).toEqual(shapes.slice(0, -1));
    // buffers just freed are taken again and overwritten
    const others = shapes.map((shape) => tf.fill(shape, 7));
    for (const [i, part] of cut.entries()) expect(await part.data()).toEqual(values[i]);
    tf.dispose([cut, others]);
  }));

  it('refuse to cut more than there is', () => {
    expect(() => cutFlat(tf.zeros([5]), [[2, 3], [1]])).toThrow('7 numbers cut from 5');
  });
});
