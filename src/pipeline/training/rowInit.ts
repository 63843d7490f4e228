/**
 * Where the concept rows begin: the base's own text-stream states at [V] (it reads the class word there), one row per
 * block, averaged over all pictures (shifted copies left out) and three noise levels, as recipe/purecc.py does. So step 0 behaves as the class word.
 */
import { invariant } from '../../engine/invariant';
import * as tf from '../../engine/tf';
import { textStates } from '../../models/mmdit';
import type { FlowBase } from '../base';
import type { Dataset } from './dataset';
import { noised } from '../flow';
import { disposePrompts, pickPrompts } from '../prompts';
import { normal } from '../random';

const SIGMAS = [0.2, 0.5, 0.8];

/** [depth·hidden], row after row. */
export async function initialRows(base: FlowBase, dataset: Dataset, seed: number): Promise<Float32Array> {
  const count = dataset.unshifted;
  const latents = tf.slice(dataset.latents, 0, count);
  invariant(dataset.words.complete, 'concept rows start from Complete captions');
  const words = pickPrompts(dataset.words.complete, Array.from({ length: count }, (_, i) => i % dataset.pictures));
  const { hidden, depth } = base.mmdit.config;
  const sum = new Float64Array(depth * hidden);
  for (const [level, sigma] of SIGMAS.entries()) {
    const levels = new Array<number>(count).fill(sigma);
    const x = tf.tidy(() => noised(latents, tf.tensor4d(normal(latents.shape, { seed, purpose: 'rowInit', step: level }), latents.shape), levels).xSigma);
    const states = await textStates(base.mmdit, { x, sigma: levels, context: words.context, pooled: words.pooled });
    const rows = tf.tidy(() => {
      const here = tf.expandDims(tf.oneHot(tf.tensor1d(words.at, 'int32'), words.context.shape[1]), -1);
      return tf.concat1d(states.map((state) => tf.mean<tf.Tensor1D>(tf.sum(tf.mul(state, tf.cast(here, 'float32')), 1), 0)));
    });
    (await rows.data()).forEach((value, i) => (sum[i]! += value / SIGMAS.length));
    tf.dispose([rows, x, ...states]);
  }
  disposePrompts(words);
  latents.dispose();
  return Float32Array.from(sum);
}
