import { beforeAll, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { expectNoLeak, useBackend } from '../testing/backend';
import { readGradients } from './gradients';
import { loraLayout } from './lora';

const layout = loraLayout([{ name: 'first', inFeatures: 2, outFeatures: 3 }, { name: 'second', inFeatures: 2, outFeatures: 2 }], 1);
const given = (value: number, row = 0) => ({
  sites: { first: { a: tf.tensor2d([1, 2], [2, 1]), b: tf.tensor2d([3, 4, 5], [1, 3]) }, second: { a: tf.tensor2d([6, 7], [2, 1]), b: tf.tensor2d([8, value], [1, 2]) } },
  rows: tf.tensor2d([row, 1], [1, 2]), pooledDelta: null, inputs: null,
});

beforeAll(async () => void (await useBackend('cpu')));

it('reads adapter and rows flat, zeros for a pooled delta that got no gradient, and frees everything', async () => {
  await expectNoLeak(async () => {
    const { adapter, rows } = await readGradients(layout, given(9), 2, 1);
    expect(Array.from(adapter)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Array.from(rows!)).toEqual([0, 1, 0, 0]);
  });
});

it('N5: names the parameter whose gradient is not finite, and frees everything', async () => {
  await expectNoLeak(async () => {
    await expect(readGradients(layout, given(NaN), 0, 7)).rejects.toMatchObject({ code: 'not-finite', subject: 'the gradient of second.lora_B', message: expect.stringContaining('step 7') });
    await expect(readGradients(layout, given(9, Infinity), 0, 7)).rejects.toMatchObject({ code: 'not-finite', subject: 'the gradient of the concept rows' });
  });
});
