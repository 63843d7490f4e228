import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { stockKernel } from '../stock';
import * as tf from '../tf';

const numbers = (tensor: tf.Tensor) => {
  const found = { shape: tensor.shape, dtype: tensor.dtype, values: Array.from(tensor.dataSync()) };
  tensor.dispose();
  return found;
};
/** As tfjs' own kernel gives it. */
const stockOf = (name: string, x: tf.Tensor, attrs: object) => [stockKernel(name, 'wasm').kernelFunc({ inputs: { x }, backend: tf.backend(), attrs: attrs as tf.NamedAttrMap })].flat().map((info) => numbers(tf.engine().makeTensorFromTensorInfo(info)));
const counted = (shape: number[], dtype: 'float32' | 'int32' | 'bool' = 'float32') => tf.tidy(() => {
  const ramp = tf.range(0, tf.util.sizeFromShape(shape));
  return tf.cast(tf.reshape(dtype === 'bool' ? tf.less(tf.mod(ramp, 3), 1) : ramp, shape), dtype);
});

describe('slices on wasm', () => {
  beforeAll(() => useBackend('wasm'));

  it('are ours', () => {
    for (const name of ['Slice', 'SplitV']) expect(tf.getKernel(name, 'wasm'), name).not.toBe(stockKernel(name, 'wasm'));
  });

  const cases: [shape: number[], begin: number[], size: number[]][] = [
    [[7], [2], [3]], [[5, 6], [1, 2], [3, 4]], [[5, 6], [2, 0], [2, 6]], [[3, 40], [0, 7], [3, 33]], [[4, 5, 6], [1, 1, 1], [2, 3, 4]], [[4, 5, 24], [1, 2, 0], [3, 2, 24]],
    [[2, 3, 4, 5], [0, 1, 1, 2], [2, 2, 3, 2]], [[2, 9, 3, 8], [0, 3, 0, 0], [2, 5, 3, 8]], [[2, 3, 2, 3, 4], [1, 0, 0, 1, 0], [1, 3, 2, 2, 4]], [[2, 2, 3, 2, 2, 3], [0, 1, 1, 0, 1, 1], [2, 1, 2, 2, 1, 2]],
    [[4, 5], [1, 1], [-1, -1]], [[4, 5], [0, 0], [4, 5]], [[4, 5], [2, 3], [2, 0]],
  ];
  it.each(cases.flatMap((one) => (['float32', 'int32', 'bool'] as const).map((dtype) => [...one, dtype] as const)))('of %j from %j, %j of it, %s, are as tfjs cuts them', (shape, begin, size, dtype) => expectNoLeak(() => {
    const x = counted(shape, dtype);
    expect([tf.slice(x, begin, size)].map(numbers)).toEqual(stockOf('Slice', x, { begin, size }));
    x.dispose();
  }));

  it.each([[[6], 3, 0], [[4, 9], [2, 3, 4], 1], [[2, 8, 3], 4, -2], [[2, 5, 4, 3], [1, -1], 1], [[3, 2, 40], 2, -1]] as const)('%j split into %j along %i is as tfjs splits it', (shape, numOrSizeSplits, axis) => expectNoLeak(() => {
    const x = counted([...shape]);
    const parts = tf.split(x, numOrSizeSplits as number | number[], axis);
    expect(parts.map(numbers)).toEqual(stockOf('SplitV', x, { numOrSizeSplits, axis }));
    x.dispose();
  }));

  it('keep every bit of a number', () => tf.tidy(() => {
    const bits = new Int32Array([0x7fc12345, -0x80000000, 0x7fa00001, 1, 2, 3]);
    const x = tf.tensor(new Float32Array(bits.buffer), [2, 3]);
    const cut = tf.slice(x, [0, 0], [2, 1]).dataSync();
    expect([...new Int32Array(cut.buffer, cut.byteOffset, 2)]).toEqual([0x7fc12345, 1]);
  }));

  it('take strings to tfjs', () => tf.tidy(() => {
    const x = tf.tensor(['a', 'b', 'c', 'd'], [2, 2]);
    expect(tf.slice(x, [0, 1], [2, 1]).arraySync()).toEqual([['b'], ['d']]);
  }));
});
