/**
 * What every store of parameters must do, on whatever backend is current: move all groups or none, clip by each group's own
 * norm, refuse by name what is not finite, leave nothing behind.
 */
import { expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { freshMoments } from '../pipeline/training/checkpoint';
import { adamW, clipFactor, globalNorm } from '../pipeline/training/optimizer';
import type { Move, Moved, Parameters } from '../pipeline/training/parameters';
import { expectNoLeak } from './backend';
import { noise, relativeError } from './kernels/suite';

const SIZES = { student: 4099, rows: 65 } as const;
const rates = { student: { learningRate: 1e-2, weightDecay: 1e-2, clip: 1 }, rows: { learningRate: 5e-3, weightDecay: 0, clip: null } };
const names = ['student', 'rows'] as const;
const initial = (name: keyof typeof SIZES) => freshMoments(noise(SIZES[name], 1));
const gradientsOf = (step: number) => ({ student: noise(SIZES.student, 20 + step), rows: noise(SIZES.rows, 40 + step) });

function filled(make: () => Parameters): Parameters {
  const parameters = make();
  for (const name of names) parameters.set(name, initial(name));
  return parameters;
}

async function move(parameters: Parameters, step: number, gradients: Record<'student' | 'rows', Float32Array>, losses = [1, 2]): Promise<Moved> {
  const moves = names.map((group): Move => ({ group, gradient: tf.tensor1d(gradients[group]), step, ...rates[group] }));
  const report = [tf.tensor1d(losses), tf.tensor1d([7])];
  const moved = await parameters.move(moves, [report[0]!], [report[1]!]);
  tf.dispose([report, moves.map(({ gradient }) => gradient)]);
  return moved;
}
const all = async (parameters: Parameters) => ({ student: await parameters.read('student'), rows: await parameters.read('rows') });

/** Registers the tests. `tolerance` of values and moments after five steps, 0 where the arithmetic is that of the loop in optimizer.ts. */
export function describeParameters(make: () => Parameters, tolerance: number): void {
  it('takes five steps of two groups as AdamW does, each clipped by its own norm, and the numbers come along', () => expectNoLeak(async () => {
    const parameters = filled(make);
    const want = { student: initial('student'), rows: initial('rows') };
    for (let step = 1; step <= 5; step++) {
      const gradients = gradientsOf(step);
      const { refused, norms, numbers } = await move(parameters, step, gradients, [1, step]);
      expect({ refused, numbers: Array.from(numbers) }).toEqual({ refused: null, numbers: [1, step, 7] });
      names.forEach((name, i) => {
        const norm = globalNorm(gradients[name]);
        // float32 sums in pieces on a GPU
        expect(Math.abs(norms[i]! / norm - 1)).toBeLessThan(1e-6);
        const { clip, learningRate, weightDecay } = rates[name];
        adamW(want[name], gradients[name], { learningRate, weightDecay, step, scale: clip === null ? 1 : clipFactor(norm, clip) });
      });
    }
    const got = await all(parameters);
    for (const name of names) for (const part of ['values', 'm', 'v'] as const) expect(relativeError(got[name][part], want[name][part]), `${name}.${part}`).toBeLessThanOrEqual(tolerance);
    parameters.dispose();
  }));

  const cases: [string, Partial<Record<'student' | 'rows', [number, number]>>, number[], unknown][] = [
    ['NaN in the adapter', { student: [4098, NaN] }, [1, 2], { group: 'student', index: 4098 }],
    ['infinity in the rows', { rows: [3, -Infinity] }, [1, 2], { group: 'rows', index: 3 }],
    ['both, the adapter named first', { student: [0, Infinity], rows: [3, NaN] }, [1, 2], { group: 'student', index: 0 }],
    ['a loss', {}, [1, NaN], 'losses'],
    ['a loss before a gradient', { student: [5, NaN] }, [Infinity, 2], 'losses'],
  ];
  it.each(cases)('refuses %s, and nothing has changed', (_, spoilt, losses, refused) => expectNoLeak(async () => {
    const parameters = filled(make);
    await move(parameters, 1, gradientsOf(1));
    const before = await all(parameters);
    const gradients = gradientsOf(2);
    for (const [name, [at, value]] of Object.entries(spoilt) as [keyof typeof SIZES, [number, number]][]) gradients[name][at] = value;
    expect((await move(parameters, 2, gradients, losses)).refused).toEqual(refused);
    expect(await all(parameters)).toEqual(before);
    parameters.dispose();
  }));

  it('reads a group as it was when asked, though a step follows at once; set replaces', () => expectNoLeak(async () => {
    const parameters = filled(make);
    const reading = parameters.read('student');
    await move(parameters, 1, gradientsOf(1));
    expect(await reading).toEqual(initial('student'));
    expect(await parameters.read('student')).not.toEqual(initial('student'));
    parameters.set('student', initial('student'));
    expect(await parameters.read('student')).toEqual(initial('student'));
    parameters.dispose();
  }));
}
