import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useWebgpu } from '../../testing/backend';
import { noise } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { globalNorm } from './globalNorm';

beforeAll(async () => { await useWebgpu(); });

async function normOf(values: Float32Array): Promise<[norm: number, flag: number]> {
  const x = tf.tensor1d(values);
  const result = globalNorm(x);
  const [norm, flag] = await result.data();
  tf.dispose([x, result]);
  return [norm!, flag!];
}

describe('GlobalNorm', () => {
  it.each([1, 63, 64, 65, 1023, 1024, 1025, 4099, 1_000_000])('of %i numbers', (size) => expectNoLeak(async () => {
    const values = noise(size, 5);
    const want = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    const [norm, flag] = await normOf(values);
    expect(flag).toBe(0);
    // a float32 sum in pieces: threads, groups, threads again, at most 80 additions in each
    expect(Math.abs(norm / want - 1)).toBeLessThan(2e-6);
  }));

  it('of zeros is 0, of tiny numbers what float32 can square, and never flagged', async () => {
    expect(await normOf(new Float32Array(70))).toEqual([0, 0]);
    expect((await normOf(new Float32Array(64).fill(1e-15)))[0]).toBeCloseTo(8e-15, 20);
    expect((await normOf(new Float32Array(3).fill(1e-30)))[1]).toBe(0);
  });

  const places: [number, number][] = [[1, 0], [65, 64], [5000, 1023], [5000, 1024], [5000, 4999]];
  it.each([NaN, Infinity, -Infinity].flatMap((value) => places.map(([size, at]) => [value, size, at] as const)))('flags %d among %i numbers at %i', async (value, size, at) => {
    const values = noise(size, 6);
    values[at] = value;
    expect(await normOf(values)).toEqual([0, 1]);
  });

  it('flags a norm whose square float32 cannot hold, in one number or in all together', async () => {
    expect(await normOf(Float32Array.from([1, 1e20, 1]))).toEqual([0, 1]);
    expect(await normOf(new Float32Array(5000).fill(5e17))).toEqual([0, 1]);
    expect((await normOf(new Float32Array(5000).fill(1e17)))[1]).toBe(0);
  });
});
