/**
 * Every kernel against its composed form, forward and gradient, at the sizes that training meets. A kernel that has a spec
 * in src/testing/kernels needs two lines here: its spec, and the shapes of its inputs.
 */
import { guidanceFusionSpec } from '../../testing/kernels/guidanceFusion';
import { lambdaStarSpec } from '../../testing/kernels/lambdaStar';
import * as tf from '../../engine/tf';
import type { KernelSpec } from '../../testing/kernels/spec';
import { pullbackForm, someTensor, tensorForm } from '../forms';
import type { Form, Row } from '../row';

export interface KernelBench {
  spec: KernelSpec;
  cases: {
    /** Of each input that has a gradient, and of each that has none, as in the spec's own cases. */
    shapes: number[][];
    constants?: number[][];
    options?: unknown;
    /** What must move. Not given: forward reads the inputs and writes one result like the first; gradient reads inputs and dy and writes a gradient for each input. */
    bytes?: { forward: number; gradient: number };
  }[];
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Latents of a batch: the embedded base's, SD3.5's at 512² and at 1024². */
const latents: number[][] = [[2, 16 * 16 * 16], [1, 64 * 64 * 16], [4, 128 * 128 * 16]];

export const kernelBenches: KernelBench[] = [
  {
    spec: guidanceFusionSpec,
    cases: latents.map((shape) => ({ shapes: [[size(shape)], [size(shape)], [size(shape)]], options: { weights: [3, -1] } })),
  },
  {
    spec: lambdaStarSpec,
    // reads r and g once; the five results are a few numbers. Back: reads both again and writes two gradients.
    cases: latents.map((shape) => ({ shapes: [shape, shape], options: { floor: 1e-3, low: 0, high: 10 }, bytes: { forward: 8 * size(shape), gradient: 16 * size(shape) } })),
  },
];

function moved(shapes: number[][]): { forward: number; gradient: number } {
  const inputs = 4 * shapes.reduce((sum, shape) => sum + size(shape), 0);
  const first = 4 * size(shapes[0] ?? []);
  return { forward: inputs + first, gradient: 2 * inputs + first };
}

export function kernelRows(benches: KernelBench[] = kernelBenches): Row[] {
  return benches.flatMap(({ spec, cases }) => cases.flatMap(({ shapes, constants = [], options, bytes = moved(shapes) }) => {
    const given = () => [...shapes, ...constants].map((shape, i) => someTensor(shape, 7 + i));
    const shape = shapes.map((one) => `[${one.join(',')}]`).join(' ');
    const over = (run: KernelSpec['run']) => (inputs: tf.Tensor[]) => run(inputs.slice(0, shapes.length), options, inputs.slice(shapes.length));
    const row = (part: 'forward' | 'gradient', open: (run: KernelSpec['run']) => Form): Row => ({
      name: `${spec.name} ${part}`, shape, flops: 0, bytes: bytes[part],
      ours: () => open(spec.run),
      // where there is no kernel, ours is the composed form
      rival: tf.getKernel(spec.name, tf.getBackend()) ? { name: 'composed', open: () => open(spec.composed) } : null,
    });
    return [
      row('forward', (run) => tensorForm(given(), over(run))),
      row('gradient', (run) => pullbackForm(given(), over(run), shapes.length) as Form),
    ];
  }));
}
