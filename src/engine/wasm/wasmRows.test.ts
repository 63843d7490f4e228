import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../testing/backend';
import { noise } from '../../testing/kernels/spec';
import { geluTanh, quickGelu } from '../ops';
import * as tf from '../tf';
import { simdRows, type SimdRows } from './simdRows';

describe('what stands between products, on wasm', () => {
  beforeAll(() => useBackend('wasm'));

  it('has its kernels there, by WebGPU’s names', () => {
    const names = ['NormModulate', 'RmsNorm', 'LayerNorm', 'GatedResidual', 'GeluTanh', 'QuickGelu'].flatMap((name) => [name, `${name}Gradient`]);
    for (const name of [...names, 'ColumnSums']) expect(tf.getKernel(name, 'wasm'), name).toBeDefined();
    expect(tf.getKernel('GeluErf', 'wasm')).toBeUndefined();
  });

  it.each([['geluTanh', geluTanh], ['quickGelu', quickGelu]] as const)('%s of what lies far out, or is no number', (_, gelu) => tf.tidy(() => {
    const values = gelu(tf.tensor1d([-1000, -100, 0, 100, 1000, Infinity, NaN])).dataSync();
    expect(Array.from(values, (value) => (Math.abs(value) < 1e-30 ? 0 : value))).toEqual([0, 0, 0, 100, 1000, Infinity, NaN]);
  }));
});

/** Floats around each matrix that nobody may touch. */
const GUARD = 8;

describe.each([['plain', false], ['shared', true]] as const)('SIMD rows in %s memory', (_, shared) => {
  /** Runs a function over operands of these sizes, and gives the places outside the written ones that have changed. */
  function touched(sizes: readonly number[], written: readonly number[], run: (rows: SimdRows, at: number[]) => void): number[] {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared });
    const heap = new Float32Array(memory.buffer);
    heap.set(noise(heap.length, 1));
    const before = heap.slice();
    let free = 0;
    const starts = sizes.map((size) => (free += GUARD + size) - size);
    run(simdRows(memory)!, starts.map((start) => 4 * start));
    const mine = (i: number) => written.some((operand) => i >= starts[operand]! && i < starts[operand]! + sizes[operand]!);
    for (const operand of written) for (let i = 0; i < sizes[operand]!; i++) expect(heap[starts[operand]! + i], `operand ${operand}, ${i}`).not.toBe(before[starts[operand]! + i]);
    return [...heap.keys()].filter((i) => heap[i] !== before[i] && !mine(i));
  }
  const bits = (value: number) => new Int32Array(new Float32Array([value]).buffer)[0]!;

  it.each([1, 3, 4, 6, 9])('write all of what they give and nothing else, with %i columns', (columns) => {
    const [groups, rows] = [2, 3];
    const [all, one, bytes, share] = [groups * rows * columns, groups * columns, 4 * columns, bits(1 / columns)];
    const statistics = 2 * groups * rows;
    for (const name of ['NormModulate', 'RmsNorm', 'LayerNorm'] as const) {
      expect(touched([all, one, one, all, statistics], [3, 4], (module, [x, gain, shift, out, figures]) => module[name](x!, gain!, shift!, out!, figures!, groups, rows, bytes, bits(1e-6), share)), name).toEqual([]);
      expect(touched([all, all, one, statistics, all], [4], (module, [x, dy, gain, figures, dx]) => module[`${name}Gradient`](x!, dy!, gain!, figures!, dx!, groups, rows, bytes, share)), name).toEqual([]);
    }
    for (const name of ['GatedResidual', 'GatedResidualGradient'] as const) {
      expect(touched([all, one, all, all], [3], (module, [x, gate, y, out]) => module[name](x!, gate!, y!, out!, groups, rows, bytes)), name).toEqual([]);
    }
    for (const name of ['GeluTanh', 'QuickGelu', 'GeluTanhGradient', 'QuickGeluGradient'] as const) {
      expect(touched([all, all, all], [2], (module, [x, dy, out]) => module[name](x!, dy!, out!, 4 * all)), name).toEqual([]);
    }
    for (const name of ['sum none', 'sum plain', 'sum normed'] as const) {
      expect(touched([all, all, statistics, one], [3], (module, [dy, factor, figures, out]) => module[name](dy!, factor!, figures!, out!, groups, rows, bytes)), name).toEqual([]);
    }
  });
});
