/**
 * One optimizer step of a trajectory: draws noise, words and references, walks (trajectory.ts), and beside it evaluates one noised point of
 * a picture where the stage has the flow term. Changes nothing and reads nothing back.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { LossFigures, Method, Stage, TrajectoryLosses, TrajectoryStep } from '../../methods/method';
import { REFERENCE_CHANCES, referenceFor } from '../../methods/taming/references';
import { velocityVjpAsync, type Between, type VelocityGradients } from '../../models/mmdit';
import type { Recipe } from '../../protocol/recipe';
import type { FlowBase } from '../base';
import type { Weights } from '../concept';
import { disposePrompts, pickPrompts } from '../prompts';
import { integers, normal, uniform } from '../random';
import type { Dataset } from './dataset';
import { disposeFigures } from './figures';
import { keepsTape, type Batch, type StepOutcome } from './trainingStep';
import { addSites, pathAdapter, walkGradients, type Sight } from './trajectory';

export type TrajectoryStage = Stage & { step: TrajectoryStep<Recipe> };
export const isTrajectory = (stage: Stage): stage is TrajectoryStage => stage.step.kind === 'trajectory';

/** Whether a method draws with references: its trainer then needs a Sight. */
export const needsSight = ({ stages }: Pick<Method, 'stages'>): boolean => Object.values(stages).some(isTrajectory);

interface StepInputs { base: FlowBase; sight: Sight; dataset: Dataset; stage: TrajectoryStage; recipe: Recipe; batch: Batch; step: number; weights: Weights; between: Between }

/** Rows of a table by index, in that order. */
const rowsOf = <T extends Tensor2D | Tensor3D>(table: T, rows: readonly number[]): T => tf.tidy(() => tf.gather(table, tf.tensor1d([...rows], 'int32'))) as T;

/** References of a batch's samples: another picture's than the one that is noised, where there are several. */
export function otherReferences(pictures: readonly number[], count: number, step: number, seed: number): number[] {
  const chances = [...uniform(REFERENCE_CHANCES * pictures.length, { seed, purpose: 'walkReference', step })];
  return pictures.map((picture, b) => referenceFor(picture % count, count, chances.slice(REFERENCE_CHANCES * b)).index);
}

/** Losses and gradients of one step, finite or not; `step` counts from 0. */
export async function trajectoryGradients({ base, sight, dataset, stage, recipe, batch, step, weights, between }: StepInputs): Promise<StepOutcome> {
  const { references, words } = dataset;
  const { batchSize, seed } = recipe;
  const { mmdit: model, shift } = base;
  const pairs = weights.adapters[stage.step.pairs];
  invariant(references && pairs, 'a trajectory needs references in its data set, and pairs that have begun');
  const rows = otherReferences(batch.pictures, dataset.pictures, step, seed);
  const [tokens, wanted] = [rowsOf(references.tokens, rows), rowsOf(references.vectors, rows)];
  const losses = stage.step.losses(recipe);
  const parts: LossFigures = { terms: {}, figures: {} };
  let sites: VelocityGradients['sites'] = {};

  const draw = async () => {
    invariant(words.scene, 'a trajectory needs scenes in its data set');
    const [, h, w, C] = dataset.latents.shape;
    const shape: [number, number, number, number] = [batchSize, h, w, C];
    const noise = tf.tensor4d(normal(shape, { seed, purpose: 'walkNoise', step }), shape);
    const scenes = pickPrompts(words.scene, integers(batchSize, words.scene.at.length, { seed, purpose: 'walkScene', step }));
    const walk = stage.step.walk(recipe, batch.chances);
    const recompute = !keepsTape(model, batchSize * walk.steps, noise, scenes.context.shape[1]);
    try {
      const walked = await walkGradients({ model, shift, sight, noise, words: scenes, tokens, wanted, pairs, walk, losses, recompute, between });
      Object.assign(parts.terms, walked.terms);
      Object.assign(parts.figures, walked.figures);
      sites = addSites(sites, walked.sites);
    } finally {
      disposePrompts(scenes);
      noise.dispose();
    }
  };

  const flow = async ({ weight, loss }: NonNullable<TrajectoryLosses['flow']>) => {
    const given = words.base;
    invariant(given, 'the flow term needs captions in its data set');
    const captions = pickPrompts(given, batch.pictures.map((picture) => picture % given.at.length));
    const path = pathAdapter({ ...sight, student: null }, pairs);
    const input = { x: batch.xSigma, sigma: batch.sigma, context: captions.context, pooled: captions.pooled, injection: { weights: sight.adapter.cross, tokens, weight: 1 } };
    const recompute = !keepsTape(model, batchSize, batch.xSigma, captions.context.shape[1]);
    try {
      const run = await velocityVjpAsync(model, input, path.adapter, null, { recompute, wantRows: false, wantSites: (name) => name in pairs }, between);
      const { perSample, gradient } = loss(run.velocity, batch.target);
      parts.terms.flow = { perSample, weight };
      const dv = tf.tidy(() => tf.mul<Tensor4D>(gradient, weight));
      try {
        sites = addSites(sites, (await run.pullback(dv)).sites);
      } finally {
        run.dispose();
        tf.dispose([run.velocity, gradient, dv]);
      }
    } finally {
      path.free();
      disposePrompts(captions);
    }
  };

  try {
    if (losses.flow) await flow(losses.flow);
    if (losses.identity || losses.alignment) await draw();
    return { parts, velocities: {}, gradients: { sites, rows: null, pooledDelta: null, inputs: null, x: null, injection: null } };
  } catch (error) {
    disposeFigures(parts);
    tf.dispose(Object.values(sites).flatMap(({ a, b }) => [a, b]));
    throw error;
  } finally {
    tf.dispose([tokens, wanted]);
  }
}
