/**
 * PuLID as the trainer sees it (equations: loss.ts, which stage has which: schedule.ts). Each step draws a picture from pure noise in few
 * steps, once with the person's tokens and once without. Trained: LoRA pairs on the adapter's cross-attention. The base is frozen, so are
 * the encoder and the network that says who it is. Flow reads Base captions: who it is, the tokens say, and no word does.
 */
import type { RecipeOf } from '../../protocol/recipe';
import type { Method, Stage, TrajectoryLosses, TrajectoryStep } from '../method';
import { alignmentLoss, distance, identityLoss } from './loss';
import { pulidMeta } from './meta';
import { alignedSteps, hasTerm, type PulidStage } from './schedule';

type Recipe = RecipeOf<'pulid'>;
/** Of random numbers that the pairs start from. Never renumber. */
export const stream = 21;
const PAIRS = 'injection';

/** The losses of a stage; those that are weighted 0 throughout are not made. */
export function lossesOf(stage: PulidStage, { identityWeight, semWeight: sem, layoutWeight: layout, reduction }: Recipe): TrajectoryLosses {
  const aligns = hasTerm(stage, 'sem') && sem + layout > 0;
  return {
    ...(hasTerm(stage, 'flow') && { flow: { weight: 1, loss: (velocity, target) => distance(velocity, target, 'mse') } }),
    ...(hasTerm(stage, 'identity') && { identity: { weight: identityWeight, loss: identityLoss } }),
    ...(aligns && {
      alignment: {
        weights: { sem, layout },
        loss: (withId, without) => {
          const { gradients, ...terms } = alignmentLoss(withId, without, { sem, layout, reduction });
          return { terms, gradients };
        },
      },
    }),
  };
}

const step = (stage: PulidStage): TrajectoryStep<Recipe> => ({
  kind: 'trajectory',
  pairs: PAIRS,
  walk: ({ walkSteps: steps, window, alignedSteps: which }, [chance]) => ({ steps, window: Math.min(window, steps), aligned: alignedSteps(steps, which, chance) }),
  losses: (recipe) => lossesOf(stage, recipe),
});

const stageOf = (stage: PulidStage): Stage<Recipe> => ({ trains: [PAIRS], step: step(stage), result: () => ({ adapter: PAIRS, rows: null }) });
const person = { caption: 'base', adapter: PAIRS, rows: null } as const;

export const pulid = {
  meta: pulidMeta,
  captions: ['base', 'null', 'scene'],
  groups: ({ rank, learningRate, lrScheduler, lrDecayRatio, weightDecay, gradientClip }) => ({
    [PAIRS]: { kind: 'injection', rank, stream, optimizer: { learningRate, schedule: { shape: lrScheduler, part: lrDecayRatio }, weightDecay, clip: gradientClip } },
  }),
  direction: () => ({ positive: { ...person, sees: true }, negative: { ...person, adapter: null } }),
  stages: { likeness: stageOf('likeness'), identity: stageOf('identity'), alignment: stageOf('alignment') } satisfies Record<(typeof pulidMeta.stages)[number]['id'], Stage<Recipe>>,
} satisfies Method<Recipe>;
