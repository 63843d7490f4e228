/**
 * The heart of one optimizer step: draw a batch, evaluate the branches the stage asks for at the same x0, noise and sigma,
 * let the method turn velocities into gradients, walk those back to the trained tensors. Changes nothing and reads nothing back.
 */
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { Branch, Chances, LossFigures, PointStep, Stage } from '../../methods/method';
import { velocityVjpAsync, type Between, type Mmdit, type VelocityGradients } from '../../models/mmdit';
import { Fault } from '../../protocol/faults';
import type { Recipe } from '../../protocol/recipe';
import type { FlowBase } from '../base';
import type { Weights } from '../concept';
import type { Dataset } from './dataset';
import { disposeStacked, evaluate, stack, type Evaluation } from '../evaluate';
import { disposeFigures } from './figures';
import { noised, trainingSigmas } from '../flow';
import { disposePrompts, pickPrompts } from '../prompts';
import { integers, normal, uniform } from '../random';

/** Activations above this are recomputed on the way back instead of kept: a quarter of what a tab may hold. */
const KEEP_ACTIVATIONS_BYTES = 512 * 2 ** 20;
/** Floats one token leaves on the tape of one block, in multiples of the model width (measured: 22 on the embedded base, 1.2 when recomputed). */
const TAPE_WIDTHS = 22;

export interface Batch {
  /** Rows of dataset.latents. */
  pictures: number[];
  sigma: number[];
  xSigma: Tensor4D;
  target: Tensor4D;
  /** In (0,1): the step's own, for evaluations made in a share of steps. */
  chances: Chances;
  /** Rows of the data set's prior captions, one for each sample; none where it has no such captions. */
  priors: number[];
}

/** The batch of a step (0-based), a pure function of (recipe.seed, step). The caller disposes xSigma and target. */
export function drawBatch(dataset: Dataset, recipe: Recipe, shift: number, step: number): Batch {
  const { batchSize, seed } = recipe;
  const [count, h, w, C] = dataset.latents.shape;
  const pictures = integers(batchSize, count, { seed, purpose: 'trainingBatch', step });
  const sigma = trainingSigmas(batchSize, shift, { seed, step });
  const shape: [number, number, number, number] = [batchSize, h, w, C];
  const { xSigma, target } = tf.tidy(() => {
    const x0 = tf.gather(dataset.latents, tf.tensor1d(pictures, 'int32'));
    return noised(x0, tf.tensor4d(normal(shape, { seed, purpose: 'trainingNoise', step }), shape), sigma);
  });
  const [first, second] = uniform(2, { seed, purpose: 'trainingChance', step });
  const captions = dataset.words.prior?.at.length ?? 0;
  const priors = captions === 0 ? [] : integers(batchSize, captions, { seed, purpose: 'priorCaption', step });
  return { pictures, sigma, xSigma, target, chances: [first!, second!], priors };
}

/** Nothing of it has been read. The caller disposes all of it (parts by disposeFigures). */
export interface StepOutcome {
  parts: LossFigures;
  gradients: VelocityGradients;
  /** By branch. */
  velocities: Record<string, Tensor4D>;
}

/** Whether the tapes of so many rows may stay in memory. */
export function keepsTape(mmdit: Mmdit, rows: number, picture: Tensor4D, text: number): boolean {
  const { hidden, depth, patch } = mmdit.config;
  const tokens = (picture.shape[1] * picture.shape[2]) / patch ** 2 + text;
  return rows * tokens * depth * hidden * TAPE_WIDTHS * 4 <= KEEP_ACTIVATIONS_BYTES;
}

/** Losses and gradients of one batch, finite or not. */
export async function stepGradients(
  { base, dataset, stage, recipe, batch, weights, between }: { base: FlowBase; dataset: Dataset; stage: Stage & { step: PointStep<Recipe> }; recipe: Recipe; batch: Batch; weights: Weights; between: Between },
): Promise<StepOutcome> {
  const branches = stage.step.branches(recipe, batch.chances);
  const evaluation = ({ caption, adapter, rows }: Branch): Evaluation => {
    const words = dataset.words[caption];
    invariant(words, `the data set holds no captions “${caption}”`);
    invariant(adapter === null || weights.adapters[adapter], `the adapter “${adapter}” has not begun`);
    return {
      words: pickPrompts(words, caption === 'prior' ? batch.priors : batch.pictures.map((picture) => picture % words.at.length)),
      adapter: adapter === null ? null : weights.adapters[adapter]!,
      rows: rows === null ? null : weights.rows[rows]!,
    };
  };
  const trained = branches.filter((branch) => branch.trains);
  const frozen = branches.filter((branch) => !branch.trains);
  const adapter = trained[0]?.adapter ?? null;
  invariant(trained.length > 0 && trained.every((branch) => branch.adapter === adapter), 'what trains in a step is evaluated with one adapter');
  const wantRows = trained.some(({ rows }) => rows !== null && stage.trains.includes(rows));

  const frozenEvaluations = frozen.map(evaluation);
  const frozenVelocities = await evaluate(base, batch.xSigma, batch.sigma, frozenEvaluations, between);
  const trainedEvaluations = trained.map(evaluation);
  const stacked = stack(batch.xSigma, batch.sigma, trainedEvaluations);
  for (const { words } of [...frozenEvaluations, ...trainedEvaluations]) disposePrompts(words);
  const recompute = !keepsTape(base.mmdit, stacked.input.sigma.length, batch.xSigma, stacked.input.context.shape[1]);
  const vjp = await velocityVjpAsync(base.mmdit, stacked.input, adapter === null ? null : weights.adapters[adapter]!, stacked.rows, { recompute, wantRows }, between);
  const trainedVelocities = tf.split<Tensor4D>(vjp.velocity, trained.length, 0);
  const velocities: Record<string, Tensor4D> = {};
  frozen.forEach(({ name }, i) => (velocities[name] = frozenVelocities[i]!));
  trained.forEach(({ name }, i) => (velocities[name] = trainedVelocities[i]!));
  const sigma = tf.tensor1d(batch.sigma);
  const { gradients, ...parts } = stage.step.loss({ target: batch.target, sigma, velocities }, recipe);
  const dv = tf.tidy(() => tf.concat4d(trained.map(({ name }) => gradients[name] ?? tf.zerosLike(velocities[name]!)), 0));
  try {
    return { parts, velocities, gradients: await vjp.pullback(dv) };
  } catch (error) {
    tf.dispose(velocities);
    disposeFigures(parts);
    throw error;
  } finally {
    vjp.dispose();
    tf.dispose([vjp.velocity, sigma, dv, gradients]);
    disposeStacked(stacked);
  }
}

/** Name of the first branch whose velocity is not finite; `loss` without one. */
export async function nameVelocity(velocities: Record<string, Tensor4D>): Promise<string> {
  for (const [name, v] of Object.entries(velocities)) if (!(await v.data()).every(Number.isFinite)) return `velocity of ${name}`;
  return 'loss';
}

export const notFinite = (tensor: string, step: number): Fault =>
  new Fault('not-finite', `Training met a number that is not finite in ${tensor} at step ${step}.`, 'What was learned up to the step before is kept; lower the learning rate and start again.', { subject: tensor });
