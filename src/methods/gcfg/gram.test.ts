/** Directions by their Gram matrix: the numbers are those of a checked example with three overlapping directions. */
import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useBackend } from '../../testing/backend';
import * as tf from '../../engine/tf';
import { cosines, gramMatrices, gramSchmidt, solveRidge } from './gram';

/** Unit directions of which r = 0.4·g₁ + 1.2·g₂ − 0.3·g₃ is made. */
const [a, b, c] = [-0.0448, -0.2458, -0.0597];
const gram = [[1, a, b], [a, 1, c], [b, c, 1]];
const truth = [0.4, 1.2, -0.3];
const times = (matrix: number[][], x: number[]) => matrix.map((row) => row.reduce((sum, value, j) => sum + value * x[j]!, 0));

describe('solveRidge', () => {
  it('finds the shares that independent projections count twice', () => {
    const projections = times(gram, truth);
    // each by itself is 0.42, 1.20, −0.47
    [0.42, 1.2, -0.47].forEach((value, i) => expect(projections[i]).toBeCloseTo(value, 2));
    solveRidge(gram, projections).forEach((value, i) => expect(Math.abs(value - truth[i]!)).toBeLessThan(3e-3));
  });

  it('splits evenly between identical directions', () => {
    const [first, second] = solveRidge([[5, 5], [5, 5]], [10, 10]);
    expect(first).toBeCloseTo(1, 3);
    expect(second).toBeCloseTo(first!, 9);
  });

  it('is 0 where there is nothing to solve for', () => {
    expect(solveRidge([[0, 0], [0, 0]], [0, 0])).toEqual([0, 0]);
    expect(solveRidge([], [])).toEqual([]);
  });
});

describe('gramSchmidt', () => {
  it('leaves directions that have nothing in common, the first as it is', () => {
    const made = gramSchmidt(gram);
    expect(made[0]).toEqual([1, 0, 0]);
    const inner = (i: number, j: number) => made[i]!.reduce((sum, value, l) => sum + value * times(gram, made[j]!)[l]!, 0);
    for (const [i, j] of [[0, 1], [0, 2], [1, 2]] as const) expect(Math.abs(inner(i, j))).toBeLessThan(1e-12);
    expect(made.map((row, i) => row[i])).toEqual([1, 1, 1]);
  });

  it('a repeated direction vanishes and does no harm to the next', () => {
    const made = gramSchmidt([[2, 2, 1], [2, 2 + 1e-7, 1 + 1e-6], [1, 1 + 1e-6, 3]]);
    expect(made[1]![0]).toBeCloseTo(-1, 6);
    // ⟨g₃,g₁⟩/‖g₁‖² = ½; the rounding left of the second has no say
    expect(made[2]![0]! + made[2]![1]!).toBeCloseTo(-0.5, 3);
    expect(Math.abs(made[2]![1]!)).toBeLessThan(0.02);
  });
});

it('cosines are those of the matrix, 0 against nothing', () => {
  expect(cosines([[4, 3, 0], [3, 9, 0], [0, 0, 0]])).toEqual([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 0]]);
});

describe('gramMatrices', () => {
  beforeAll(async () => { await useBackend('wasm'); });

  it('is by row of the batch, and by weight of the places', async () => {
    const [one, two] = [[1, 2, 3, 4, 0, 1, 0, 2], [2, 0, 1, 1, 5, 1, 1, 1]].map((values) => tf.tensor4d(values, [2, 2, 2, 1]));
    const left = tf.tensor4d([1, 0, 1, 0], [1, 2, 2, 1]);
    await expectNoLeak(async () => {
      expect(await gramMatrices([one!, two!], [null, left])).toEqual([
        [[[30, 9], [9, 6]], [[5, 3], [3, 28]]],
        [[[10, 5], [5, 5]], [[0, 0], [0, 26]]],
      ]);
    });
  });
});
