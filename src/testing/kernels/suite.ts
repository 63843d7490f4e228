/**
 * One suite for every kernel, fused or composed: forward against a plain float64 reference over ragged sizes, gradient
 * against central differences of that reference and against the composed form, nothing leaked. A kernel describes itself
 * by a KernelSpec beside this file; its *.wgsl.test.ts and *.test.ts run the same spec on different backends.
 */
import { describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { vjp } from '../../engine/vjp';
import { expectNoLeak } from '../backend';
import { noise, type KernelSpec, type Values } from './spec';

export { noise, type KernelCase, type KernelSpec, type Values } from './spec';

const largest = (values: ArrayLike<number>): number => {
  let top = 0;
  for (let i = 0; i < values.length; i++) top = Math.max(top, Math.abs(values[i]!));
  return top;
};

/** Largest difference over largest wanted value; NaN anywhere gives NaN, which no expectation accepts. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i]! - want[i]!);
    if (!(error <= worst)) worst = error;
  }
  return worst / (largest(want) || 1);
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
};
const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
const tensors = (values: Float32Array[], shapes: number[][]) => values.map((v, i) => tf.tensor(v, shapes[i]!, 'float32'));
const read = (xs: (tf.Tensor | null)[], sizes: number[]): Promise<ArrayLike<number>[]> =>
  Promise.all(xs.map((x, i) => x?.data() ?? Promise.resolve(new Float32Array(sizes[i]!))));

async function gradients(f: KernelSpec['run'], inputs: tf.Tensor[], options: unknown, constants: tf.Tensor[], dys: Float32Array[]): Promise<ArrayLike<number>[]> {
  const taped = vjp((...xs) => f(xs, options, constants), inputs);
  const weights = taped.outputs.map((y, i) => tf.tensor(dys[i]!, y.shape, 'float32'));
  const dxs = taped.pullback(weights);
  const values = await read(dxs, inputs.map((x) => x.size));
  tf.dispose([taped.outputs, weights, dxs.filter((dx) => dx !== null)]);
  return values;
}

/** Registers the tests; the backend must be current when they run. */
export function describeKernel(spec: KernelSpec): void {
  describe(spec.name, () => {
    for (const { title, shapes, constants = [], forwardOnly, options } of spec.cases) {
      const values = () => shapes.map((shape, i) => noise(size(shape), 7 + i));
      const constantValues = constants.map((shape, i) => noise(size(shape), 71 + i));

      it(`${title}: forward`, () => expectNoLeak(async () => {
        const inputs = tensors(values(), shapes);
        const given = tensors(constantValues, constants);
        const outputs = spec.run(inputs, options, given);
        const got = await read(outputs, []);
        spec.reference(values(), shapes, options, constantValues).forEach((want, i) => {
          expect(relativeError(got[i]!, want), `output ${i}`).toBeLessThan(spec.tolerance.forward);
        });
        tf.dispose([inputs, given, outputs]);
        spec.release?.();
      }));
      if (forwardOnly) continue;

      it(`${title}: gradient`, () => expectNoLeak(async () => {
        const xs = values();
        const inputs = tensors(xs, shapes);
        const given = tensors(constantValues, constants);
        const dys = spec.reference(xs, shapes, options, constantValues).map((y, i) => noise(y.length, 31 + i));
        const got = await gradients(spec.run, inputs, options, given, dys);
        const composed = await gradients(spec.composed, inputs, options, given, dys);
        tf.dispose([inputs, given]);
        spec.release?.();
        const loss = (moved: Values[]) => spec.reference(moved, shapes, options, constantValues).reduce((total, y, i) => total + dot(y, dys[i]!), 0);
        xs.forEach((_, i) => {
          expect(relativeError(got[i]!, composed[i]!), `input ${i} against the composed form`).toBeLessThan(spec.tolerance.gradient);
          const direction = noise(xs[i]!.length, 53 + i);
          const step = 1e-5;
          const moved = (sign: number) => loss(xs.map((x, j) => (j === i ? Float64Array.from(x, (value, at) => value + sign * step * direction[at]!) : x)));
          const slope = (moved(1) - moved(-1)) / (2 * step);
          const scale = Math.sqrt(dot(got[i]!, got[i]!) * dot(direction, direction)) + 1e-12;
          expect(Math.abs(dot(got[i]!, direction) - slope) / scale, `input ${i} against central differences`).toBeLessThan(spec.tolerance.gradient);
        });
      }));
    }
  });
}
