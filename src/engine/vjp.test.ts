import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useBackend } from '../testing/backend';
import * as tf from './tf';
import { vjp, vjpOf } from './vjp';

const read = (x: tf.Tensor | null) => [...x!.dataSync<'float32'>()];

describe('vjp', () => {
  beforeAll(() => useBackend('wasm'));

  it('pulls several outputs back to several inputs', () => {
    const [a, b] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 5])];
    const { outputs, pullback } = vjp((x, y) => [tf.mul(x!, y!), tf.square(x!)], [a, b]);
    expect(outputs.map(read)).toEqual([[3, 10], [1, 4]]);
    const [da, db] = pullback([tf.tensor1d([1, 10]), tf.tensor1d([100, 1000])]);
    expect(read(da!)).toEqual([203, 4050]); // y·1 + 2x·100, y·10 + 2x·1000
    expect(read(db!)).toEqual([1, 20]);
  });

  it('takes null for a zero gradient and gives null where nothing depends', () => {
    const [a, b] = [tf.scalar(2), tf.scalar(3)];
    const { pullback } = vjp((x, y) => [tf.square(x!), tf.square(y!)], [a, b]);
    const [da, db] = pullback([tf.scalar(1), null]);
    expect(read(da!)).toEqual([4]);
    expect(db).toBeNull();
  });

  it('sums the ways through which an input acts, the direct one included', () => {
    const a = tf.scalar(3);
    const { pullback } = vjp((x) => [tf.add(tf.mul(x!, x!), x!)], [a]);
    expect(read(pullback([tf.scalar(1)])[0]!)).toEqual([7]);
  });

  it('may run inside a gradient function', () => {
    const cubed = tf.customGrad((x) => {
      const given = x as tf.Tensor;
      return { value: tf.mul(given, tf.square(given)), gradFunc: (dy: tf.Tensor) => vjp((y) => [tf.mul(y!, tf.square(y!))], [given]).pullback([dy])[0]! };
    });
    const gradient = tf.grad((x) => tf.mul(tf.square(x), cubed(x)))(tf.scalar(2)); // x⁵
    expect(read(gradient)).toEqual([80]);
  });

  it('pulls back once only', () => {
    const { pullback } = vjp((x) => [tf.square(x!)], [tf.scalar(3)]);
    pullback([tf.scalar(1)]);
    expect(() => pullback([tf.scalar(1)])).toThrow('only once');
  });

  it('frees what it saved exactly once: after the pullback, by dispose, or when nothing needs it', async () => {
    const [x, dy, other] = [tf.tensor1d([1, 2, 3]), tf.ones([3]), tf.ones([3])];
    const f = (y: tf.Tensor) => [tf.exp(tf.mul(y, tf.square(other)))];
    await expectNoLeak(() => {
      const pulled = vjp((y) => f(y!), [x]);
      tf.dispose([...pulled.outputs, ...pulled.pullback([dy]).map((gradient) => gradient!)]);
      pulled.dispose();
      const dropped = vjpOf({ y: x }, ({ y }) => f(y!));
      tf.dispose(dropped.outputs);
      dropped.dispose();
      dropped.dispose();
    });
    expect(read(x)).toEqual([1, 2, 3]);
  });
});
