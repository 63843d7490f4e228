import { describe, expect, it } from 'vitest';
import { smallProducts } from './smallProducts';

const GUARD = 16;

/** Random numbers everywhere, so that a read or a write beyond its matrix shows. */
function memoryOf(shared: boolean): { memory: WebAssembly.Memory; heap: Float32Array } {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared });
  const heap = new Float32Array(memory.buffer);
  for (let i = 0, seed = 1; i < heap.length; i++) {
    seed = Math.imul(seed, 48271) + 11 | 0;
    heap[i] = seed / 2 ** 31;
  }
  return { memory, heap };
}

const f32 = Math.fround;

/** Each sum in float32, in order. */
function reference(m: number, k: number, n: number, a: (i: number, p: number) => number, b: (p: number, j: number) => number): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let p = 0; p < k; p++) sum = f32(sum + f32(a(Math.floor(at / n), p) * b(p, at % n)));
    return sum;
  });
}

describe.each([['plain', false], ['shared', true]] as const)('small products in %s memory', (_, shared) => {
  const sizes: [m: number, k: number, n: number][] = [[1, 1, 1], [4, 4, 8], [5, 7, 9], [3, 6, 13], [8, 5, 16], [13, 31, 23], [88, 64, 30]];

  it.each(sizes)('sum %i×%i×%i in order and write nothing else', (m, k, n) => {
    const { memory, heap } = memoryOf(shared);
    const products = smallProducts(memory)!;
    const [a, b] = [GUARD, GUARD + m * k];
    const out = b + k * n + GUARD;
    const before = heap.slice();
    const forms = { product: (i: number, p: number) => before[a + i * k + p]!, productTransposed: (i: number, p: number) => before[a + p * m + i]! };
    for (const name of ['product', 'productTransposed'] as const) {
      products[name](4 * a, 4 * b, 4 * out, m, k, n);
      const want = before.slice();
      want.set(reference(m, k, n, forms[name], (p, j) => before[b + p * n + j]!), out);
      expect(heap.findIndex((value, at) => value !== want[at])).toBe(-1);
    }
  });

  it.each(sizes)('transpose %i×%i (then %i) and write nothing else', (rows, columns) => {
    const { memory, heap } = memoryOf(shared);
    const [from, to] = [GUARD, 2 * GUARD + rows * columns];
    const want = heap.slice();
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) want[to + j * rows + i] = heap[from + i * columns + j]!;
    smallProducts(memory)!.transpose(4 * from, 4 * to, rows, columns);
    expect(heap.findIndex((value, at) => value !== want[at])).toBe(-1);
  });
});
