/**
 * The parameters on the device, WebGPU only: values and moments are flat tensors that AdamW steps in place, behind the norms
 * of losses and gradients, whose flags hold the step back. One read of a few hundred bytes tells how it went.
 */
import { adamWInPlace, type AdamWTensors } from '../../engine/kernels/adamW';
import { cutFlat, joinFlat } from '../../engine/kernels/flatCopy';
import { globalNorm } from '../../engine/kernels/globalNorm';
import * as tf from '../../engine/tf';
import type { Tensor1D, Tensor2D } from '../../engine/tf';
import { BETA1, BETA2, EPSILON } from './optimizer';
import { firstNotFinite, type Parameters } from './parameters';

export function gpuParameters(): Parameters {
  const groups = new Map<string, AdamWTensors>();
  const forget = ({ values, m, v }: AdamWTensors) => tf.dispose([values, m, v]);
  return {
    set(name, { values, m, v }) {
      const old = groups.get(name);
      if (old) forget(old);
      groups.set(name, { values: tf.tensor1d(values), m: tf.tensor1d(m), v: tf.tensor1d(v) });
    },
    values: (name) => groups.get(name)!.values,
    async move(moves, losses, figures) {
      // norm and flag of each gradient, then of the losses
      const report = tf.tidy(() => {
        const norms = joinFlat([...moves.map(({ gradient }) => globalNorm(gradient)), globalNorm(joinFlat(losses))]);
        const table = tf.reshape<Tensor2D['rankType']>(norms, [moves.length + 1, 2]);
        moves.forEach(({ group, gradient, learningRate, weightDecay, step, clip }, i) =>
          adamWInPlace(groups.get(group)!, gradient, table as Tensor2D, i, { learningRate, beta1: BETA1, beta2: BETA2, epsilon: EPSILON, weightDecay, step, clip }));
        return joinFlat([norms, ...losses, ...figures]);
      });
      const all = await report.data<'float32'>();
      report.dispose();
      const norms = moves.map((_, i) => all[2 * i]!);
      const flagged = (i: number) => all[2 * i + 1] !== 0;
      const numbers = all.slice(2 * (moves.length + 1));
      if (flagged(moves.length)) return { refused: 'losses', norms, numbers };
      for (const [i, { group, gradient }] of moves.entries()) {
        if (flagged(i)) return { refused: { group, index: firstNotFinite(await gradient.data<'float32'>()) }, norms, numbers };
      }
      return { refused: null, norms, numbers };
    },
    async read(name) {
      const { values, m, v } = groups.get(name)!;
      // Copies on the device, made before anything is awaited: a step may follow, and what is once read of a tensor tfjs keeps.
      const copies = [values, m, v].map((x) => cutFlat(x, [x.shape])[0] as Tensor1D);
      const [first, second, third] = await Promise.all(copies.map((copy) => copy.data<'float32'>()));
      tf.dispose(copies);
      return { values: first!, m: second!, v: third! };
    },
    dispose() {
      groups.forEach(forget);
      groups.clear();
    },
  };
}
