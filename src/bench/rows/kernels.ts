/**
 * Every kernel against its composed form, forward and gradient, at the sizes that training meets. A kernel that has a spec
 * in src/testing/kernels needs two lines here: its spec, and the shapes of its inputs. The models' shapes are those of the
 * embedded base at batch 2 and of SD3.5-Medium at 512².
 */
import { flashAttentionSpec } from '../../testing/kernels/flashAttention';
import { gatedResidualSpec } from '../../testing/kernels/gatedResidual';
import { guidanceFusionSpec } from '../../testing/kernels/guidanceFusion';
import { lambdaStarSpec } from '../../testing/kernels/lambdaStar';
import { layerNormSpec, normModulateSpec, rmsNormSpec } from '../../testing/kernels/normRows';
import { geluErf, geluErfComposed, geluTanh, geluTanhComposed } from '../../engine/ops/activations';
import type * as tf from '../../engine/tf';
import type { KernelSpec } from '../../testing/kernels/spec';
import { weightedLossSpec } from '../../testing/kernels/weightedLoss';
import { pullbackForm, someTensor, tensorForm } from '../forms';
import type { Form, Row } from '../row';

interface Count { forward: number; gradient: number }

export interface KernelBench {
  spec: Pick<KernelSpec, 'name' | 'run' | 'composed'>;
  cases: {
    /** Of each input that has a gradient, and of each that has none, as in the spec's own cases. */
    shapes: number[][];
    constants?: number[][];
    options?: unknown;
    /** What must move. Not given: forward reads the inputs and writes one result like the first; gradient reads inputs and dy and writes a gradient for each input. */
    /** It has no gradient, or is one. */
    forwardOnly?: boolean;
    bytes?: Count;
    flops?: Count;
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
  {
    spec: weightedLossSpec,
    cases: latents.map((shape) => ({ shapes: [shape, shape, shape, shape], options: { weights: [1, 2], keeps: [null, null] }, forwardOnly: true })),
  },
  {
    spec: flashAttentionSpec,
    // two products forward, four back; what flash attention computes again is not counted
    cases: [[2, 88, 4, 64], [1, 512, 8, 64], [1, 1178, 24, 64]].map((shape) => ({
      shapes: [shape, shape, shape], options: { causal: false, keyMask: null }, flops: { forward: 4 * size(shape) * shape[1]!, gradient: 8 * size(shape) * shape[1]! },
    })),
  },
  { spec: normModulateSpec, cases: [[2, 64, 256], [1, 1024, 1536]].map(([b, n, d]) => ({ shapes: [[b!, n!, d!], [b!, 1, d!], [b!, 1, d!]], options: {} })) },
  { spec: rmsNormSpec, cases: [[2, 64, 4, 64], [1, 1024, 24, 64]].map((shape) => ({ shapes: [shape], constants: [[64]], options: {} })) },
  { spec: layerNormSpec, cases: [[2, 24, 192], [1, 77, 768]].map((shape) => ({ shapes: [shape], constants: [[shape[2]!], [shape[2]!]], options: {} })) },
  elementwise('GeluTanh', geluTanh, geluTanhComposed, [[2, 64, 1024], [1, 1024, 6144]]),
  elementwise('GeluErf', geluErf, geluErfComposed, [[1, 77, 5120]]),
  { spec: gatedResidualSpec, cases: [[2, 64, 256], [1, 1024, 1536]].map(([b, n, d]) => ({ shapes: [[b!, n!, d!], [b!, 1, d!], [b!, n!, d!]] })) },
];

/** A function of one tensor; its spec in the suite scales the input, which would be timed too. */
function elementwise(name: string, run: (x: tf.Tensor) => tf.Tensor, composed: (x: tf.Tensor) => tf.Tensor, shapes: number[][]): KernelBench {
  return { spec: { name, run: ([x]) => [run(x!)], composed: ([x]) => [composed(x!)] }, cases: shapes.map((shape) => ({ shapes: [shape] })) };
}

function moved(shapes: number[][]): Count {
  const inputs = 4 * shapes.reduce((sum, shape) => sum + size(shape), 0);
  const first = 4 * size(shapes[0] ?? []);
  return { forward: inputs + first, gradient: 2 * inputs + first };
}

export function kernelRows(benches: KernelBench[] = kernelBenches): Row[] {
  return benches.flatMap(({ spec, cases }) => cases.flatMap(({ shapes, constants = [], options, forwardOnly, bytes = moved(shapes), flops = { forward: 0, gradient: 0 } }) => {
    const given = () => [...shapes, ...constants].map((shape, i) => someTensor(shape, 7 + i));
    const shape = shapes.map((one) => `[${one.join(',')}]`).join(' ');
    const over = (run: KernelSpec['run']) => (inputs: tf.Tensor[]) => run(inputs.slice(0, shapes.length), options, inputs.slice(shapes.length));
    const row = (part: 'forward' | 'gradient', open: (run: KernelSpec['run']) => Form): Row => ({
      name: `${spec.name} ${part}`, shape, flops: flops[part], bytes: bytes[part],
      ours: () => open(spec.run),
      rival: { name: 'composed', open: () => open(spec.composed) },
    });
    return [
      row('forward', (run) => tensorForm(given(), over(run))),
      ...(forwardOnly ? [] : [row('gradient', (run) => pullbackForm(given(), over(run), shapes.length) as Form)]),
    ];
  }));
}
