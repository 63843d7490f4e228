/** The parameters in JavaScript's memory: gradients are read, and AdamW is the loop of optimizer.ts. For wasm and plain JavaScript. */
import { joinFlat, readFlat } from '../../engine/kernels/flatCopy';
import type { Tensor } from '../../engine/tf';
import { copyMoments, type Moments } from './checkpoint';
import { adamW, clipFactor, globalNorm } from './optimizer';
import { firstNotFinite, type Parameters } from './parameters';

/** A copy: a backend may hand out its own memory. */
const numbersOf = async (x: Tensor): Promise<Float32Array> => new Float32Array(await x.data<'float32'>());
const count = (tensors: readonly Tensor[]): number => tensors.reduce((sum, { size }) => sum + size, 0);

export function cpuParameters(): Parameters {
  const groups = new Map<string, Moments>();
  /** Where each group's gradient is read to, at every step. */
  const places = new Map<string, Float32Array>();
  return {
    set(name, moments) {
      groups.set(name, moments);
      places.set(name, new Float32Array(moments.values.length));
    },
    values: (name) => groups.get(name)!.values,
    async move(moves, losses, figures) {
      const report = joinFlat([...losses, ...figures]);
      const numbers = await numbersOf(report);
      report.dispose();
      const gradients: Float32Array[] = [];
      for (const { group, gradient } of moves) gradients.push(await readFlat(gradient, places.get(group)!));
      const norms = gradients.map(globalNorm);
      if (firstNotFinite(numbers.subarray(0, count(losses))) >= 0) return { refused: 'losses', norms, numbers };
      for (const [i, { group }] of moves.entries()) {
        // summed in double precision, where no square of a float32 is too large
        if (!Number.isFinite(norms[i])) return { refused: { group, index: firstNotFinite(gradients[i]!) }, norms, numbers };
      }
      moves.forEach(({ group, learningRate, weightDecay, step, clip }, i) =>
        adamW(groups.get(group)!, gradients[i]!, { learningRate, weightDecay, step, scale: clip === null ? 1 : clipFactor(norms[i]!, clip) }));
      return { refused: null, norms, numbers };
    },
    read: async (name) => copyMoments(groups.get(name)!),
    dispose() {
      groups.clear();
      places.clear();
    },
  };
}
