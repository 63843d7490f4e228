import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from './tf';
import { expectNoLeak, useBackend } from '../testing/backend';

/** Plain float64 product of the last two axes with broadcast over one batch axis. */
function reference(a: number[][][], b: number[][][], tA: boolean, tB: boolean): number[] {
  const out: number[] = [];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!];
    const m = tA ? x[0]!.length : x.length;
    const k = tA ? x.length : x[0]!.length;
    const n = tB ? y.length : y[0]!.length;
    for (let r = 0; r < m; r++) for (let c = 0; c < n; c++) {
      let total = 0;
      for (let j = 0; j < k; j++) total += (tA ? x[j]![r]! : x[r]![j]!) * (tB ? y[c]![j]! : y[j]![c]!);
      out.push(total);
    }
  }
  return out;
}

const largest = (got: ArrayLike<number>, want: number[]) => want.reduce((worst, value, i) => Math.max(worst, Math.abs(value - got[i]!)), 0);

describe('BatchMatMul on wasm', () => {
  beforeAll(() => useBackend('wasm'));

  const shapes: [batchA: number, batchB: number, m: number, k: number, n: number][] = [
    [1, 1, 1, 1, 1], [1, 1, 63, 64, 65], [3, 3, 17, 33, 9], [3, 1, 40, 32, 24], [1, 3, 40, 32, 24], [2, 2, 64, 16, 200], [2, 2, 200, 16, 8], [2, 2, 5, 4, 3],
    [2, 2, 160, 130, 110], [1, 2, 160, 130, 110], // for XNNPACK
  ];
  for (const [batchA, batchB, m, k, n] of shapes) for (const [tA, tB] of [[false, false], [true, false], [false, true], [true, true]] as const) {
    it(`[${batchA},${m},${k}]·[${batchB},${k},${n}]${tA ? ' aᵀ' : ''}${tB ? ' bᵀ' : ''}`, async () => {
      await expectNoLeak(() => {
        const a = tf.randomUniform(tA ? [batchA, k, m] : [batchA, m, k], -1, 1, 'float32', 1) as tf.Tensor3D;
        const b = tf.randomUniform(tB ? [batchB, n, k] : [batchB, k, n], -1, 1, 'float32', 2) as tf.Tensor3D;
        const y = tf.matMul(a, b, tA, tB);
        expect(y.shape).toEqual([Math.max(batchA, batchB), m, n]);
        // float32 sums of at most 64 products of numbers below 1
        expect(largest(y.dataSync(), reference(a.arraySync(), b.arraySync(), tA, tB))).toBeLessThan(2e-6 * Math.max(1, k));
        tf.dispose([a, b, y]);
      });
    });
  }

  it("gives XNNPACK's own bits, whoever computes", () => {
    tf.tidy(() => {
      const a = tf.randomUniform([88, 64], -1, 1, 'float32', 3) as tf.Tensor2D;
      const b = tf.randomUniform([64, 90], -1, 1, 'float32', 4) as tf.Tensor2D;
      const want = tf.matMul(a, b).dataSync(); // one product, nothing transposed: XNNPACK
      const twice = (x: tf.Tensor2D) => tf.stack([x, x]) as tf.Tensor3D;
      const [at, bt] = [tf.transpose(a) as tf.Tensor2D, tf.transpose(b) as tf.Tensor2D];
      for (const [x, y, tA, tB] of [[a, b, false, false], [at, b, true, false], [a, bt, false, true], [at, bt, true, true]] as const) {
        expect(Array.from(tf.matMul(twice(x), twice(y), tA, tB).dataSync().subarray(want.length))).toEqual(Array.from(want));
      }
    });
  });

  it('frees what it takes from the heap', () => {
    const heap = (tf.backend() as unknown as { numDataIds(): number });
    const a = tf.ones([4, 64, 32]);
    const before = heap.numDataIds();
    for (let i = 0; i < 5; i++) tf.matMul(a, a, true, false).dispose();
    expect(heap.numDataIds()).toBe(before);
    a.dispose();
  });
});
