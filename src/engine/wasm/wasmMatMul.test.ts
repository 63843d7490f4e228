import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { stockKernel } from '../stock';
import * as tf from '../tf';
import { byXnnpack } from './wasmMatMul';

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
    [2, 2, 160, 270, 130], // in blocks
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

  const bits = (x: tf.TensorInfo) => Array.from(tf.engine().makeTensorFromTensorInfo(x).dataSync());
  const stockOf = (name: string, inputs: tf.NamedTensorInfoMap, attrs: object) => bits(stockKernel(name, 'wasm').kernelFunc({ inputs, backend: tf.backend(), attrs: attrs as tf.NamedAttrMap }) as tf.TensorInfo);

  it.each([[88, 64, 90], [130, 300, 270]])("gives XNNPACK's own bits for [%i,%i]·[%i], whoever computes", (m, k, n) => {
    tf.tidy(() => {
      const a = tf.randomUniform([m, k], -1, 1, 'float32', 3) as tf.Tensor2D;
      const b = tf.randomUniform([k, n], -1, 1, 'float32', 4) as tf.Tensor2D;
      const want = stockOf('BatchMatMul', { a: tf.expandDims(a), b: tf.expandDims(b) }, { transposeA: false, transposeB: false }); // nothing transposed: XNNPACK
      const twice = (x: tf.Tensor2D) => tf.stack([x, x]) as tf.Tensor3D;
      const [at, bt] = [tf.transpose(a) as tf.Tensor2D, tf.transpose(b) as tf.Tensor2D];
      for (const [x, y, transposeA, transposeB] of [[a, b, false, false], [at, b, true, false], [a, bt, false, true], [at, bt, true, true]] as const) {
        expect(Array.from(tf.matMul(twice(x), twice(y), transposeA, transposeB).dataSync().subarray(want.length))).toEqual(want);
        // what more than one thread does
        const call = { a: twice(x), b: twice(y), transposeA, transposeB, m, k, n, batchShape: [2], batch: 2, matricesA: 2, matricesB: 2 };
        const byThreads = byXnnpack(tf.backend() as BackendWasm, call);
        expect(byThreads.shape).toEqual([2, m, n]);
        expect(bits(byThreads).slice(want.length)).toEqual(want);
      }
    });
  });

  it.each([[16, 88, 256, 'our own'], [128, 16, 300, 'our own'], [129, 16, 300, 'XNNPACK']] as const)('leaves a product of [%i,%i]·[%i] to %s, with the same bits', (m, k, n, whose) => {
    tf.tidy(() => {
      const a = tf.randomUniform([m, k], -1, 1, 'float32', 3) as tf.Tensor2D;
      const b = tf.randomUniform([k, n], -1, 1, 'float32', 4) as tf.Tensor2D;
      const want = stockOf('BatchMatMul', { a: tf.expandDims(a), b: tf.expandDims(b) }, { transposeA: false, transposeB: false });
      const xnnpack = vi.spyOn(stockKernel('BatchMatMul', 'wasm'), 'kernelFunc');
      try {
        expect(Array.from(tf.matMul(a, b).dataSync())).toEqual(want);
        expect(xnnpack).toHaveBeenCalledTimes(whose === 'our own' ? 0 : 1);
      } finally {
        xnnpack.mockRestore();
      }
    });
  });

  it('takes a right operand beyond any cache, with and without bias, to the same bits', () => {
    tf.tidy(() => {
      const [m, k, n] = [5, 1024, 4100];
      const a = tf.randomUniform([m, k], -1, 1, 'float32', 3) as tf.Tensor2D;
      const b = tf.randomUniform([k, n], -1, 1, 'float32', 4) as tf.Tensor2D;
      const bias = tf.randomUniform([n], -1, 1, 'float32', 5) as tf.Tensor1D;
      const inputs = { a: tf.expandDims(a), b: tf.expandDims(b) };
      const attrs = { transposeA: false, transposeB: false, activation: 'linear', leakyreluAlpha: 0 };
      expect(Array.from(tf.matMul(a, b).dataSync())).toEqual(stockOf('BatchMatMul', inputs, attrs));
      expect(Array.from(tf.fused.matMul({ a, b, bias }).dataSync())).toEqual(stockOf('_FusedMatMul', { ...inputs, bias }, attrs));
      expect(Array.from(tf.fused.matMul({ a, b }).dataSync())).toEqual(stockOf('_FusedMatMul', inputs, attrs));
      // what is not ours stays tfjs'
      expect(Array.from(tf.fused.matMul({ a, b, bias, activation: 'relu' }).dataSync())).toEqual(stockOf('_FusedMatMul', { ...inputs, bias }, { ...attrs, activation: 'relu' }));
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
