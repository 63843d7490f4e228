/**
 * The end of a training step on WebGPU: gradient norm and AdamW over one flat tensor of parameters, as many as a LoRA of rank
 * 4 has on the embedded base and on SD3.5-Medium, against the same from tfjs' ops.
 */
import { adamWInPlace, type AdamWStep } from '../../engine/kernels/adamW';
import { globalNorm } from '../../engine/kernels/globalNorm';
import * as tf from '../../engine/tf';
import { settled, someTensor, tensorForm } from '../forms';
import type { Form, Row } from '../row';

/** Eight projections a block, seven in the last, each with A and B of rank 4. */
const COUNTS = [2 * 4 * 256 * (8 * 6 - 1), 2 * 4 * 1536 * (8 * 24 - 1)];

const STEP: AdamWStep = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 1e-2, step: 10, clip: 1 };

const normComposed = (x: tf.Tensor): tf.Tensor => tf.sqrt(tf.sum(tf.square(x)));

/** New values and moments from tfjs' ops; the old ones stay, so that every repetition starts from the same. */
function adamWComposed(values: tf.Tensor, m: tf.Tensor, v: tf.Tensor, gradient: tf.Tensor): tf.Tensor[] {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, clip } = STEP;
  const g = tf.mul(gradient, tf.minimum(1, tf.div(clip!, tf.add(normComposed(gradient), 1e-6))));
  const newM = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
  const newV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
  const change = tf.div(tf.mul(newM, learningRate / (1 - beta1 ** step)), tf.add(tf.mul(tf.sqrt(newV), 1 / Math.sqrt(1 - beta2 ** step)), epsilon));
  return [tf.sub(tf.mul(values, 1 - learningRate * weightDecay), change), newM, newV];
}

function adamWForm(count: number): Form {
  const [values, m, gradient] = [1, 2, 3].map((seed) => someTensor<tf.Tensor1D>([count], seed)) as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
  const v = tf.ones<tf.Rank.R1>([count]);
  return {
    run: () => tf.tidy(() => { adamWInPlace({ values, m, v }, gradient, tf.reshape(globalNorm(gradient), [1, 2]), 0, STEP); }),
    sync: settled,
    dispose: () => tf.dispose([values, m, v, gradient]),
  };
}

export function optimizerRows(): Row[] {
  const flat = (count: number, many: number) => Array.from({ length: many }, (_, i) => (i === 2 ? tf.ones([count]) : someTensor([count], 1 + i)));
  return COUNTS.flatMap((count): Row[] => [
    {
      name: 'GlobalNorm', shape: `[${count}]`, flops: 0, bytes: 4 * count,
      ours: () => tensorForm(flat(count, 1), ([x]) => globalNorm(x!)),
      rival: { name: 'composed', open: () => tensorForm(flat(count, 1), ([x]) => normComposed(x!)) },
    },
    {
      // reads the gradient twice, once for its norm, and values and moments; writes those three
      name: 'AdamW with its norm', shape: `[${count}]`, flops: 0, bytes: 32 * count,
      ours: () => adamWForm(count),
      rival: { name: 'composed', open: () => tensorForm(flat(count, 4), ([values, m, v, gradient]) => adamWComposed(values!, m!, v!, gradient!)) },
    },
  ]);
}
