/**
 * The null-text specialist's parameters as pure data: a world of many pictures, learned without a word (GCFG, arXiv 2312.08195).
 * It has no class word and no trigger; what it is called to draw is written in prompts that the untouched base reads.
 */
import { choice, number, type Fields } from '../fields';
import type { MethodMeta } from '../meta';
import { adapterFields, runFields } from '../sharedFields';

const specialistFields = {
  kind: choice(['world'], { default: 'world', label: 'What is learned', group: 'concept', why: 'What many pictures have in common, without a word for it.' }),
  seed: runFields.seed,
  steps: number({ default: 1000, min: 1, max: 20000, integer: true, unit: 'steps', label: 'Learn the world', term: 'steps under the empty prompt', group: 'run', why: 'Too few and the base’s own look stays; too many for few pictures and they are learned by heart.' }),
  batchSize: { ...runFields.batchSize, default: 4 },
  rank: number({ default: 16, min: 1, max: 64, integer: true, label: 'Rank', term: 'LoRA rank, alpha = rank', group: 'adapter', why: 'Capacity of the adapter. A world of much variety takes more.' }),
  sites: adapterFields.sites,
  learningRate: number({ default: 1e-3, large: 1e-4, min: 1e-6, max: 1e-1, label: 'Learning rate', term: 'AdamW, LoRA', group: 'optimizer', scale: 'log', why: '1e-3 suits the embedded base, 1e-4 large ones.' }),
  lrScheduler: adapterFields.lrScheduler,
  lrDecayRatio: adapterFields.lrDecayRatio,
  weightDecay: number({ default: 1e-4, min: 0, max: 1, label: 'Weight decay', group: 'optimizer', scale: 'log', why: 'Pulls the adapter back to nothing.' }),
  gradientClip: adapterFields.gradientClip,
  zeroTokens: adapterFields.zeroTokens,
  flip: { ...runFields.flip, default: true, why: 'Doubles the pictures. Leave it off for what has a side.' },
  previewEvery: { ...runFields.previewEvery, default: 100 },
} satisfies Fields;

export const specialistMeta = {
  name: 'Null-text specialist',
  fields: specialistFields,
  presets: {
    world: { label: 'World', why: 'A LoRA of rank 16 under the empty prompt: what a hundred pictures have in common.', values: { rank: 16, sites: 'attention' } },
  },
  stages: [{ id: 'specialist', label: 'Learn the world', term: 'Null-text specialist', steps: 'steps', cost: 2.7 }],
  losses: [{ name: 'flow', label: 'flow', term: 'flow matching under the empty prompt' }],
  figures: [],
  unit: null,
  pictures: { least: 20, most: 2000, captioned: false },
} as const satisfies MethodMeta;
