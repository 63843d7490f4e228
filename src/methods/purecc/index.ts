/**
 * PureCC as the trainer sees it: which evaluations each stage needs under a recipe, and the loss over their velocities.
 * The equations are in loss.ts. Stage 1 trains the extractor and the concept rows; stage 2 the student, with both frozen.
 * The evaluations of stage 2 by name:
 *   complete    student on Complete                        trains
 *   target      extractor on Target                        g's first half
 *   reference   extractor on null, or base on the class    g's second half
 *   baseFrozen  base on Base                               vOriginal (frozen), and what the anchor holds to
 *   baseStudent student on Base                            vOriginal (trainable), and what the anchor holds
 *   priorStudent, priorFrozen   the same two on other captions, which the anchor holds instead in a share of steps
 */
import { weightedLoss } from '../../engine/kernels/weightedLoss';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { RecipeOf } from '../../protocol/recipe';
import type { Branch, Chances, Evaluated, LossParts, Method, Stage, StepInput, WrittenRole } from '../method';
import { pureTerm, squaredDistance } from './loss';
import { pureccMeta } from './meta';

type Recipe = RecipeOf<'purecc'>;
/** Whether the student sees the concept rows in a step. */
const readsRows = ({ studentRows, rowDropout }: Recipe, [chance]: Chances): boolean => studentRows === 'on' || (studentRows === 'mixed' && chance >= rowDropout);
/** Whether the anchor holds another caption than Base in a step. */
const holdsPrior = ({ anchor, priorShare }: Recipe, [, chance]: Chances): boolean => anchor > 0 && chance < priorShare;
/** Streams of random numbers that adapters start from. Never renumber: a recipe and seed give the same weights by them. */
export const streams = { extractor: 4, student: 5 } as const;

type BranchName = 'complete' | 'target' | 'reference' | 'baseFrozen' | 'baseStudent' | 'priorFrozen' | 'priorStudent';

const of = ({ velocities }: StepInput, name: BranchName): Tensor4D => {
  const velocity = velocities[name];
  invariant(velocity, `the loss needs the branch “${name}”`);
  return velocity;
};

/** g (Eq. 8): what is taught, and what the slider shows while it is. */
const conceptGoal = ({ guidanceReference }: Recipe): { positive: Evaluated<WrittenRole>; negative: Evaluated<WrittenRole> } => ({
  positive: { caption: 'target', adapter: 'extractor', rows: 'rows' },
  negative: guidanceReference === 'null' ? { caption: 'null', adapter: 'extractor', rows: null } : { caption: 'class', adapter: null, rows: null },
});

function studentBranches(recipe: Recipe, chances: Chances): Branch[] {
  const pure = recipe.eta > 0;
  const prior = holdsPrior(recipe, chances);
  const held = recipe.anchor > 0 && !prior;
  const moving = recipe.originalSource !== 'frozen';
  const branches: Branch[] = [{ name: 'complete', caption: 'complete', adapter: 'student', rows: readsRows(recipe, chances) ? 'rows' : null, trains: true }];
  if (held || (pure && moving)) branches.push({ name: 'baseStudent', caption: 'base', adapter: 'student', rows: null, trains: held || recipe.originalSource === 'trainable' });
  if (prior) {
    branches.push({ name: 'priorStudent', caption: 'prior', adapter: 'student', rows: null, trains: true }, { name: 'priorFrozen', caption: 'prior', adapter: null, rows: null, trains: false });
  }
  if (held || (pure && !moving)) branches.push({ name: 'baseFrozen', caption: 'base', adapter: null, rows: null, trains: false });
  if (pure) {
    const { positive, negative } = conceptGoal(recipe);
    branches.push({ name: 'target', ...positive, trains: false }, { name: 'reference', ...negative, trains: false });
  }
  return branches;
}

function extractorLoss(input: StepInput): LossParts {
  const { means: [flow], gradient } = weightedLoss([{ ...squaredDistance(of(input, 'complete'), input.target), weight: 1 }]);
  return { terms: { flow: { perSample: flow!, weight: 1 } }, gradients: { complete: gradient }, figures: {} };
}

/** Eq. 15, with the anchor. What pulls at Complete and what at the student on Base: each a weighted sum of distances. */
function studentLoss(input: StepInput, recipe: Recipe): LossParts {
  const { eta, anchor, originalSource, lambdaMode, fixedLambda, lambdaClamp } = recipe;
  return tf.tidy(() => {
    const complete = of(input, 'complete');
    const atComplete = [{ ...squaredDistance(complete, input.target), weight: 1 }];
    const atBase: typeof atComplete = [];
    let figures: LossParts['figures'] = {};
    if (eta > 0) {
      const original = of(input, originalSource === 'frozen' ? 'baseFrozen' : 'baseStudent');
      const { pure, lambda, cosine, floorHit } = pureTerm(complete, original, of(input, 'target'), of(input, 'reference'), {
        fixed: lambdaMode === 'fixed' ? fixedLambda : null,
        held: lambdaClamp === 'on',
      });
      atComplete.push({ ...pure, weight: eta });
      if (originalSource === 'trainable') atBase.push({ ...pure, weight: -eta });
      figures = { lambdaStar: lambda, cosine, floorHit };
    }
    const prior = input.velocities.priorStudent;
    if (anchor > 0 && !prior) atBase.push({ ...squaredDistance(of(input, 'baseStudent'), of(input, 'baseFrozen')), weight: anchor });

    const { means: [flow, pure], gradient } = weightedLoss(atComplete);
    const terms: LossParts['terms'] = { flow: { perSample: flow!, weight: 1 }, ...(pure && { pure: { perSample: pure, weight: eta } }) };
    const gradients: LossParts['gradients'] = { complete: gradient };
    if (atBase.length > 0) {
      const base = weightedLoss(atBase);
      gradients.baseStudent = base.gradient;
      if (anchor > 0 && !prior) terms.anchor = { perSample: base.means.at(-1)!, weight: anchor };
    }
    if (prior) {
      const { means: [held], gradient: atPrior } = weightedLoss([{ ...squaredDistance(prior, of(input, 'priorFrozen')), weight: anchor }]);
      gradients.priorStudent = atPrior;
      terms.anchor = { perSample: held!, weight: anchor };
    }
    return { terms, figures, gradients };
  });
}

export const purecc = {
  meta: pureccMeta,
  captions: ['complete', 'base', 'target', 'class', 'null', 'prior'],
  groups({ rank, sites, studentStart, pooledDelta, learningRate, studentLearningRate, rowLearningRate, rowFitSteps, lrScheduler, lrDecayRatio, weightDecay, gradientClip }) {
    const schedule = { shape: lrScheduler, part: lrDecayRatio };
    const optimizer = { learningRate, schedule, weightDecay, clip: gradientClip };
    return {
      extractor: { kind: 'adapter', rank, sites, start: { from: 'noise', stream: streams.extractor }, optimizer },
      student: { kind: 'adapter', rank, sites, start: studentStart === 'extractor' ? { from: 'group', group: 'extractor' } : { from: 'noise', stream: streams.student }, optimizer: { ...optimizer, learningRate: studentLearningRate } },
      rows: { kind: 'rows', pooledDelta, fit: rowFitSteps, optimizer: { learningRate: rowLearningRate, schedule, weightDecay: 0, clip: null } },
    };
  },
  goal: conceptGoal,
  stages: {
    extractor: {
      trains: ['extractor', 'rows'],
      step: { kind: 'point', branches: () => [{ name: 'complete', caption: 'complete', adapter: 'extractor', rows: 'rows', trains: true }], loss: extractorLoss },
      result: () => ({ adapter: 'extractor', rows: 'rows' }),
      // It is trained with rows, whatever the student would have been.
      keptAs: (recipe) => ({ ...recipe, studentRows: 'on' }),
    },
    student: {
      trains: ['student'],
      step: { kind: 'point', branches: studentBranches, loss: studentLoss },
      result: ({ studentRows }) => ({ adapter: 'student', rows: studentRows === 'off' ? null : 'rows' }),
    },
  } satisfies Record<(typeof pureccMeta.stages)[number]['id'], Stage<Recipe>>,
} satisfies Method<Recipe>;
