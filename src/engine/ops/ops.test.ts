import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../tf';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '../tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { vjp } from '../vjp';
import { attention, disposeLinear, frozenLinear, gatedResidual, geluErf, geluTanh, joinTokens, layerNorm, linear, normModulate, quickGelu, rmsNorm, takeRows, type FrozenLinear } from './index';

/** Fixed pseudo-random numbers in −1…1. */
function noise(shape: number[], seed: number): Tensor {
  let state = seed * 2654435761;
  return tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  }), shape);
}

interface Case {
  name: string;
  shapes: number[][];
  op: (...x: Tensor[]) => Tensor;
  /** The same by tfjs' own ops, whose gradients the tape knows. */
  plain: (...x: Tensor[]) => Tensor;
}

const frozen: FrozenLinear[] = [];
const layer = (i: number, o: number, seed: number) => {
  const made = frozenLinear(noise([i, o], seed).dataSync<'float32'>(), i, o, noise([o], seed + 1) as Tensor1D);
  frozen.push(made);
  return made;
};
const standardised = (x: Tensor, epsilon: number) => {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  return tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon)));
};
const plainAttention = (causal: boolean) => (...given: Tensor[]) => {
  const [q, k, v] = given.map((x) => tf.transpose(x, [0, 2, 1, 3]));
  let scores = tf.mul(tf.matMul(q!, k!, false, true), 1 / Math.sqrt(q!.shape.at(-1)!));
  if (causal) {
    const n = q!.shape[2]!;
    scores = tf.add(scores, tf.tensor2d(Float32Array.from({ length: n * n }, (_, i) => (i % n > Math.floor(i / n) ? -1e9 : 0)), [n, n]));
  }
  return tf.transpose(tf.matMul(tf.softmax(scores), v!), [0, 2, 1, 3]);
};

const cases = (): Case[] => {
  const w = layer(5, 7, 40);
  const flat = (x: Tensor) => tf.reshape(x, [-1, 5]) as Tensor2D;
  const base = (x: Tensor) => tf.add(tf.matMul(flat(x), w.weight!), w.bias!);
  const [d, gain, shift] = [6, noise([6], 50) as Tensor1D, noise([6], 51) as Tensor1D];
  return [
    { name: 'linear', shapes: [[2, 3, 5]], op: (x) => linear(x!, w), plain: (x) => tf.reshape(base(x!), [2, 3, 7]) },
    {
      name: 'linear with LoRA', shapes: [[2, 3, 5], [5, 2], [2, 7]],
      op: (x, a, b) => linear(x!, w, { a: a as Tensor2D, b: b as Tensor2D, scale: 0.5 }),
      plain: (x, a, b) => tf.reshape(tf.add(base(x!), tf.mul(tf.matMul(tf.matMul(flat(x!), a as Tensor2D), b as Tensor2D), 0.5)), [2, 3, 7]),
    },
    {
      name: 'normModulate', shapes: [[2, 3, d], [2, 1, d], [2, 1, d]],
      op: (x, s, c) => normModulate(x as Tensor3D, s as Tensor3D, c as Tensor3D),
      plain: (x, s, c) => tf.add(tf.mul(standardised(x!, 1e-6), tf.add(tf.tile(c!, [1, 3, 1]), 1)), tf.tile(s!, [1, 3, 1])),
    },
    {
      name: 'rmsNorm', shapes: [[2, 3, 2, d]], op: (x) => rmsNorm(x!, gain),
      plain: (x) => tf.mul(tf.mul(x!, tf.rsqrt(tf.add(tf.mean(tf.square(x!), -1, true), 1e-6))), gain),
    },
    { name: 'layerNorm', shapes: [[2, 3, d]], op: (x) => layerNorm(x!, gain, shift), plain: (x) => tf.add(tf.mul(standardised(x!, 1e-5), gain), shift) },
    { name: 'attention', shapes: [[2, 3, 2, 4], [2, 5, 2, 4], [2, 5, 2, 4]], op: (q, k, v) => attention(q as Tensor4D, k as Tensor4D, v as Tensor4D), plain: plainAttention(false) },
    { name: 'causal attention', shapes: [[1, 5, 2, 4], [1, 5, 2, 4], [1, 5, 2, 4]], op: (q, k, v) => attention(q as Tensor4D, k as Tensor4D, v as Tensor4D, { causal: true }), plain: plainAttention(true) },
    {
      name: 'geluTanh', shapes: [[3, 65]], op: (x) => geluTanh(tf.mul(x!, 6)),
      plain: (x) => {
        const y = tf.mul(x!, 6);
        return tf.mul(tf.mul(y, 0.5), tf.add(tf.tanh(tf.mul(tf.add(y, tf.mul(tf.pow(y, 3), 0.044715)), Math.sqrt(2 / Math.PI))), 1));
      },
    },
    { name: 'geluErf', shapes: [[3, 65]], op: (x) => geluErf(tf.mul(x!, 4)), plain: (x) => { const y = tf.mul(x!, 4); return tf.mul(tf.mul(y, 0.5), tf.add(tf.erf(tf.mul(y, Math.SQRT1_2)), 1)); } },
    { name: 'quickGelu', shapes: [[3, 65]], op: (x) => quickGelu(x!), plain: (x) => tf.mul(x!, tf.sigmoid(tf.mul(x!, 1.702))) },
    {
      name: 'gatedResidual', shapes: [[2, 3, 4], [2, 1, 4], [2, 3, 4]], op: (x, g, y) => gatedResidual(x as Tensor3D, g as Tensor3D, y as Tensor3D),
      plain: (x, g, y) => tf.add(x!, tf.mul(tf.tile(g!, [1, 3, 1]), y!)),
    },
    { name: 'takeRows', shapes: [[4, 3]], op: (x) => takeRows(x as Tensor2D, [2, 0, 2]), plain: (x) => tf.matMul(tf.tensor2d([0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0], [3, 4]), x as Tensor2D) },
    { name: 'joinTokens', shapes: [[2, 4, 3, 5], [2, 1, 3, 5]], op: (a, b) => joinTokens(a as Tensor4D, b as Tensor4D), plain: (a, b) => tf.concat([a!, b!], 1) },
  ];
};

const read = (x: Tensor) => x.dataSync<'float32'>();
const worst = (a: Tensor, b: Tensor) => read(tf.max(tf.abs(tf.sub(a, b))))[0]!;

describe.each(['wasm', 'cpu'] as const)('ops on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it('equal tfjs’ own ops, forward and backward', () => {
    for (const { name, shapes, op, plain } of cases()) {
      const inputs = shapes.map((shape, i) => noise(shape, i + 1));
      const value = op(...inputs);
      expect(worst(value, plain(...inputs)), `${name} forward`).toBeLessThan(3e-6); // values of a few units in float32
      const dy = noise(value.shape, 9);
      const wanted = tf.grads(plain as (...x: Tensor[]) => Tensor)(inputs, dy);
      vjp((...x) => [op(...x)], inputs).pullback([dy]).forEach((found, i) => expect(worst(found!, wanted[i]!), `${name} gradient ${i}`).toBeLessThan(1e-5));
      tf.grads(op as (...x: Tensor[]) => Tensor)(inputs, dy).forEach((found, i) => expect(worst(found, wanted[i]!), `${name} by tf.grads ${i}`).toBeLessThan(1e-5));
    }
  });

  it('agree with central differences', () => {
    const step = 1e-2; // truncation and float32 rounding are then both near 1e-3
    for (const { name, shapes, op } of cases()) {
      const inputs = shapes.map((shape, i) => noise(shape, i + 1));
      const dy = noise(op(...inputs).shape, 9);
      const gradients = vjp((...x) => [op(...x)], inputs).pullback([dy]);
      inputs.forEach((input, i) => {
        const direction = noise(input.shape, 20 + i);
        const at = (sign: number) => read(tf.sum(tf.mul(op(...inputs.with(i, tf.add(input, tf.mul(direction, sign * step)))), dy)))[0]!;
        const found = read(tf.sum(tf.mul(gradients[i]!, direction)))[0]!;
        const numeric = (at(1) - at(-1)) / (2 * step);
        expect(Math.abs(found - numeric), `${name} ${i}: ${found} against ${numeric}`).toBeLessThan(2e-2 * Math.max(1, Math.abs(numeric)));
      });
    }
  });

  it('compute only the gradients asked for, and leave no tensor behind', async () => {
    frozen.splice(0).forEach(disposeLinear);
    const all = cases();
    all[0]!.op(noise([2, 3, 5], 1));
    vjp((x) => [all[0]!.op(x!)], [noise([2, 3, 5], 1)]).pullback([noise([2, 3, 7], 2)]); // makes the kept transpose
    for (const { shapes, op } of all) {
      await expectNoLeak(() => tf.tidy(() => {
        const inputs = shapes.map((shape, i) => noise(shape, i + 1));
        const run = vjp((x) => [op(x!, ...inputs.slice(1))], inputs.slice(0, 1));
        run.pullback([noise(run.outputs[0]!.shape, 9)]);
        vjp((...x) => [op(...x)], inputs).dispose();
      }));
    }
  });
});
