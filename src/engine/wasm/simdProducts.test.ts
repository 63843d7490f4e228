import { describe, expect, it } from 'vitest';
import { SimdProducts } from './simdProducts';

/** Elements between the matrices, which nobody may touch. */
const GUARD = 16;
const f32 = Math.fround;

/** A memory full of random numbers, so that a read or a write beyond its matrix shows; what is behind the first `used` of them is scratch. */
function filled(shared: boolean, used: number): { products: SimdProducts; heap: Float32Array } {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared });
  const heap = new Float32Array(memory.buffer);
  for (let i = 0, seed = 1; i < heap.length; i++) {
    seed = Math.imul(seed, 48271) + 11 | 0;
    heap[i] = seed / 2 ** 31;
  }
  let free = 4 * used;
  const products = SimdProducts.in(memory, (bytes) => (free += bytes) - bytes);
  return { products: products!, heap };
}

describe.each([['plain', false], ['shared', true]] as const)('SIMD products in %s memory', (_, shared) => {
  const sizes: [m: number, k: number, n: number][] = [[1, 1, 1], [4, 4, 8], [5, 7, 9], [3, 6, 13], [13, 31, 23], [88, 64, 30], [1, 300, 130], [131, 260, 270], [6, 515, 261]];
  const forms = [[false, false], [true, false], [false, true], [true, true]] as const;

  it.each(sizes.flatMap((size) => forms.map((form) => [...size, ...form] as const)))('sum %i×%i×%i (aᵀ %s, bᵀ %s) in order and write nothing else', (m, k, n, transposeA, transposeB) => {
    const [a, b] = [GUARD, 2 * GUARD + m * k];
    const out = b + k * n + GUARD;
    const end = out + m * n + GUARD;
    const { products, heap } = filled(shared, end);
    const before = heap.slice(0, end);
    for (const more of [false, true]) {
      const want = heap.slice(0, end);
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) {
        let sum = more ? want[out + i * n + j]! : 0;
        for (let p = 0; p < k; p++) sum = f32(sum + f32(before[a + (transposeA ? p * m + i : i * k + p)]! * before[b + (transposeB ? j * k + p : p * n + j)]!));
        want[out + i * n + j] = sum;
      }
      products.run({ m, k, n }, { a: 4 * a, b: 4 * b, out: 4 * out, transposeA, transposeB }, more);
      expect(heap.subarray(0, end).findIndex((value, at) => value !== want[at])).toBe(-1);
    }
  });
});
