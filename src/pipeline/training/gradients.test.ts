import { beforeAll, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { flatGradients, nameGradient } from './gradients';
import { loraLayout } from '../lora';

const layout = loraLayout([{ name: 'first', inFeatures: 2, outFeatures: 3 }, { name: 'second', inFeatures: 2, outFeatures: 2 }], 1);
const given = (delta: number[] | null = null) => ({
  sites: { first: { a: tf.tensor2d([1, 2], [2, 1]), b: tf.tensor2d([3, 4, 5], [1, 3]) }, second: { a: tf.tensor2d([6, 7], [2, 1]), b: tf.tensor2d([8, 9], [1, 2]) } },
  rows: tf.tensor2d([0, 1], [1, 2]), pooledDelta: delta && tf.tensor1d(delta), inputs: null,
});

beforeAll(async () => void (await useBackend('cpu')));

it('adapter and rows lie flat, zeros for a pooled delta that got no gradient, and what was given is freed', () => expectNoLeak(() => {
  for (const [delta, deltaNumbers, wanted] of [[null, 0, [0, 1]], [null, 2, [0, 1, 0, 0]], [[5, 6], 2, [0, 1, 5, 6]]] as const) {
    const { adapter, rows } = flatGradients(layout, given(delta && [...delta]), deltaNumbers);
    expect(Array.from(adapter.dataSync())).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Array.from(rows!.dataSync())).toEqual(wanted);
    tf.dispose([adapter, rows!]);
  }
}));

it('N5: names the parameter at an index, the rows as a whole, and a norm too large', () => {
  expect(nameGradient(layout, { group: 'student', index: 8 })).toBe('the gradient of second.lora_B');
  expect(nameGradient(layout, { group: 'extractor', index: 0 })).toBe('the gradient of first.lora_A');
  expect(nameGradient(layout, { group: 'rows', index: 1 })).toBe('the gradient of the concept rows');
  expect(nameGradient(layout, { group: 'student', index: -1 })).toBe('the norm of the gradient');
});
