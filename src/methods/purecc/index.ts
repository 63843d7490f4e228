/**
 * PureCC as the trainer sees it: which evaluations each stage needs under a recipe, and the loss over their velocities.
 * The equations are in loss.ts. Stage 1 trains the extractor and the concept rows; stage 2 a fresh student, both frozen.
 * The evaluations of stage 2 by name:
 *   complete    student on Complete                        trains
 *   target      extractor on Target                        g's first half
 *   reference   extractor on null, or base on the class    g's second half
 *   baseFrozen  base on Base                               vOriginal (frozen), and what the anchor holds to
 *   baseStudent student on Base                            vOriginal (trainable), and what the anchor holds
 */
import * as tf from '../../engine/tf';
import type { Tensor1D, Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { Recipe } from '../../protocol/recipe';
import type { Branch, LossParts, Method, StepInput } from '../method';
import { pureTerm, squaredDistance } from './loss';

type BranchName = 'complete' | 'target' | 'reference' | 'baseFrozen' | 'baseStudent';

const of = ({ velocities }: StepInput, name: BranchName): Tensor4D => {
  const velocity = velocities[name];
  invariant(velocity, `the loss needs the branch “${name}”`);
  return velocity;
};

const list = async (values: Tensor1D): Promise<number[]> => Array.from(await values.data());
const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function studentBranches(recipe: Recipe): Branch[] {
  const pure = recipe.eta > 0;
  const moving = recipe.originalSource !== 'frozen';
  const branches: Branch[] = [{ name: 'complete', caption: 'complete', adapter: 'student', rows: recipe.studentRows, trains: true }];
  if (recipe.anchor > 0 || (pure && moving)) {
    branches.push({ name: 'baseStudent', caption: 'base', adapter: 'student', rows: false, trains: recipe.anchor > 0 || recipe.originalSource === 'trainable' });
  }
  if (recipe.anchor > 0 || (pure && !moving)) branches.push({ name: 'baseFrozen', caption: 'base', adapter: 'none', rows: false, trains: false });
  if (pure) {
    branches.push({ name: 'target', caption: 'target', adapter: 'extractor', rows: true, trains: false });
    branches.push(
      recipe.guidanceReference === 'null'
        ? { name: 'reference', caption: 'null', adapter: 'extractor', rows: false, trains: false }
        : { name: 'reference', caption: 'class', adapter: 'none', rows: false, trains: false },
    );
  }
  return branches;
}

async function extractorLoss(input: StepInput): Promise<LossParts> {
  const flow = squaredDistance(of(input, 'complete'), input.target);
  const value = average(await list(flow.perSample));
  flow.perSample.dispose();
  return { losses: { flow: value, total: value }, gradients: { complete: flow.gradient }, perSample: {} };
}

async function studentLoss(input: StepInput, recipe: Recipe): Promise<LossParts> {
  const pure = recipe.eta > 0;
  const complete = of(input, 'complete');
  const gradients: Record<string, Tensor4D> = {};
  const figures: Record<string, Tensor1D> = {};
  /** Adds weight·gradient to a branch's gradient. */
  const pull = (name: BranchName, weight: number, gradient: Tensor4D) => {
    const weighted = tf.mul<Tensor4D>(gradient, weight);
    gradients[name] = gradients[name] ? tf.add<Tensor4D>(gradients[name], weighted) : weighted;
  };
  const kept = tf.tidy(() => {
    const flow = squaredDistance(complete, input.target);
    figures.flow = flow.perSample;
    pull('complete', 1, flow.gradient);
    if (pure) {
      const original = of(input, recipe.originalSource === 'frozen' ? 'baseFrozen' : 'baseStudent');
      const { pure: term, originalGradient, ...projection } = pureTerm(complete, original, of(input, 'target'), of(input, 'reference'), {
        fixed: recipe.lambdaMode === 'fixed' ? recipe.fixedLambda : null,
        held: recipe.lambdaClamp === 'on',
      });
      pull('complete', recipe.eta, term.gradient);
      if (recipe.originalSource === 'trainable') pull('baseStudent', recipe.eta, originalGradient);
      Object.assign(figures, { pure: term.perSample, lambdaStar: projection.lambda, cosine: projection.cosine, offsetRatio: projection.offsetRatio, guidanceRms: projection.guidanceRms, floorHit: projection.floorHit });
    }
    if (recipe.anchor > 0) {
      const anchor = squaredDistance(of(input, 'baseStudent'), of(input, 'baseFrozen'));
      figures.anchor = anchor.perSample;
      pull('baseStudent', recipe.anchor, anchor.gradient);
    }
    return { gradients, figures };
  });
  const values: Record<string, number[]> = {};
  for (const [name, figure] of Object.entries(kept.figures)) values[name] = await list(figure);
  tf.dispose(kept.figures);
  const { flow = [], pure: pureValues, anchor, ...perSample } = values;
  const losses: Record<string, number> = { flow: average(flow) };
  if (pureValues) losses.pure = average(pureValues);
  if (anchor) losses.anchor = average(anchor);
  losses.total = losses.flow! + recipe.eta * (losses.pure ?? 0) + recipe.anchor * (losses.anchor ?? 0);
  return { losses, gradients: kept.gradients, perSample };
}

export const purecc: Method = {
  stages: [
    {
      id: 'extractor',
      trains: { adapter: 'extractor', rows: true },
      branches: () => [{ name: 'complete', caption: 'complete', adapter: 'extractor', rows: true, trains: true }],
      loss: extractorLoss,
    },
    { id: 'student', trains: { adapter: 'student', rows: false }, branches: studentBranches, loss: studentLoss },
  ],
};
