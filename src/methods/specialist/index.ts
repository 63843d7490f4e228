/**
 * The null-text specialist (GCFG, arXiv 2312.08195), here an adapter that is trained under the empty prompt alone:
 *   L = mean ‖(noise − x0) − v_specialist(x_σ, ∅)‖²
 * No caption is read, in training or after. Drawn, it is a guidance beside the text's, with v0 and text from the untouched base:
 *   v = v0 + w_t·[v_base(c) − v_base(∅)] + w_c·[v_specialist(∅) − v_base(∅)]
 * so that what the adapter does to the empty prompt never reaches the text's own guidance.
 */
import { weightedLoss } from '../../engine/kernels/weightedLoss';
import { invariant } from '../../engine/invariant';
import type { RecipeOf } from '../../protocol/recipe';
import type { LossParts, Method, Stage, StepInput } from '../method';
import { specialistMeta } from './meta';

type Recipe = RecipeOf<'specialist'>;
/** Of random numbers that the adapter starts from. Never renumber. */
export const stream = 20;
const alone = { caption: 'null', adapter: 'specialist', rows: null } as const;

function flowLoss({ target, velocities: { specialist: velocity } }: StepInput): LossParts {
  invariant(velocity, 'the loss needs the branch “specialist”');
  const { means: [flow], gradient } = weightedLoss([{ left: velocity, right: target, weight: 1 }]);
  return { terms: { flow: { perSample: flow!, weight: 1 } }, figures: {}, gradients: { specialist: gradient } };
}

export const specialist = {
  meta: specialistMeta,
  captions: ['null'],
  groups: ({ rank, sites, learningRate, lrScheduler, lrDecayRatio, weightDecay, gradientClip }) => ({
    specialist: { kind: 'adapter', rank, sites, start: { from: 'noise', stream }, optimizer: { learningRate, schedule: { shape: lrScheduler, part: lrDecayRatio }, weightDecay, clip: gradientClip } },
  }),
  direction: () => ({ positive: alone, negative: { ...alone, adapter: null } }),
  stages: {
    specialist: {
      trains: ['specialist'],
      step: { kind: 'point', branches: () => [{ name: 'specialist', ...alone, trains: true }], loss: flowLoss },
      result: () => ({ adapter: 'specialist', rows: null }),
    },
  } satisfies Record<(typeof specialistMeta.stages)[number]['id'], Stage<Recipe>>,
} satisfies Method<Recipe>;
