/**
 * Where the concept rows begin (initialRows), and how far they are moved towards an object encoder's guidance before learning, where the
 * recipe asks for it (fittedRows). They begin as the base's own text-stream states at [V] (it reads the class word there), one row per
 * block, averaged over all pictures (shifted copies left out) and three noise levels, as recipe/purecc.py does. So step 0 behaves as the class word.
 */
import { invariant } from '../../engine/invariant';
import * as tf from '../../engine/tf';
import { referenceFor } from '../../methods/taming/references';
import { textStates, velocityVjpAsync, type Between } from '../../models/mmdit';
import type { EncodedPrompts, FlowBase } from '../base';
import { evaluate } from '../evaluate';
import { noised, trainingSigmas } from '../flow';
import { disposePrompts, pickPrompts } from '../prompts';
import { normal } from '../random';
import { freshMoments } from './checkpoint';
import type { Dataset } from './dataset';
import { referenceChances, type SeenReferences } from './references';
import { adamW } from './optimizer';

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

/** Its noise levels and noise are those of no step of training, and of no other draw. */
const FIT_STEPS_FROM = 2 ** 30;
/** Pictures of one step of fitting. */
const FIT_BATCH = 2;

/**
 * The rows after some steps of AdamW towards the object encoder's guidance: v(Complete; rows) − v(Base) is to be v(Base, e) − v(Base), so
 * that the rows say what the tokens e of another picture say. Nothing of the encoder is needed afterwards. Works on a copy.
 */
export async function fittedRows(base: FlowBase, dataset: Dataset, seed: number, start: Float32Array, { steps, learningRate, between = async () => {} }: { steps: number; learningRate: number; between?: Between }): Promise<Float32Array> {
  const { complete, base: plain } = dataset.words;
  invariant(dataset.look && complete && plain, 'rows are fitted to what the object encoder sees, with Complete and Base captions');
  const { hidden, depth } = base.mmdit.config;
  const moments = freshMoments(start.slice());
  const looks = await dataset.look(between);
  try {
    for (let step = 1; step <= steps; step++) {
      const gradient = await fitGradient(base, dataset, { complete, plain }, looks, { seed, step }, tf.tensor2d(moments.values, [depth, hidden]), between);
      adamW(moments, gradient, { learningRate, weightDecay: 0, step, scale: 1 });
    }
    return moments.values;
  } finally {
    looks.release();
  }
}

/** d mean ‖v(Complete; rows) − v(Base, e)‖² / d rows, at noise levels of its own step. Frees the rows. */
async function fitGradient(base: FlowBase, dataset: Dataset, words: { complete: EncodedPrompts; plain: EncodedPrompts }, looks: SeenReferences, { seed, step }: { seed: number; step: number }, rows: tf.Tensor2D, between: Between): Promise<Float32Array> {
  const pictures = Array.from({ length: FIT_BATCH }, (_, i) => ((step - 1) * FIT_BATCH + i) % dataset.pictures);
  const sigma = trainingSigmas(FIT_BATCH, base.shift, { seed, step: FIT_STEPS_FROM + step });
  const tokens = tf.tidy(() => tf.concat3d(pictures.map((picture, i) => looks.tokens[looks.single ? (step + i) % looks.tokens.length : referenceFor(picture, dataset.pictures, referenceChances(seed, step, i)).index]!), 0));
  const [complete, plain] = [pickPrompts(words.complete, pictures), pickPrompts(words.plain, pictures)];
  const x = tf.tidy(() => {
    const x0 = tf.gather(dataset.latents, tf.tensor1d(pictures, 'int32')) as tf.Tensor4D;
    return noised(x0, tf.tensor4d(normal(x0.shape, { seed, purpose: 'rowFit', step: FIT_STEPS_FROM + step }), x0.shape), sigma).xSigma;
  });
  const [target] = await evaluate(base, x, sigma, [{ words: plain, adapter: null, rows: null, seen: { adapter: looks.adapter, tokens, weight: 1 } }], between);
  const run = await velocityVjpAsync(base.mmdit, { x, sigma, context: complete.context, pooled: complete.pooled }, null, { rows, at: complete.at, pooledDelta: null }, { recompute: true, wantRows: true }, between);
  const dv = tf.tidy(() => tf.mul<tf.Tensor4D>(tf.sub(run.velocity, target!), 2 / run.velocity.size));
  const gradients = await run.pullback(dv);
  const values = await gradients.rows!.data<'float32'>();
  disposePrompts(complete);
  disposePrompts(plain);
  tf.dispose([tokens, x, target!, run.velocity, dv, rows, gradients.rows!]);
  return values;
}
