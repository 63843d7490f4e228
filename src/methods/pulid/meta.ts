/**
 * PuLID's parameters as pure data (arXiv 2404.16022 v2): an identity adapter is aligned with one person or character, on the pictures at hand.
 * What trains is a small LoRA on the adapter's cross-attention; the base, the encoder and the text towers stay as they are.
 */
import { choice, number, type Fields } from '../fields';
import type { MethodMeta } from '../meta';
import { adapterFields, conceptFields, runFields } from '../sharedFields';

const pulidFields = {
  kind: choice(['person'], { default: 'person', label: 'What is learned', group: 'concept', why: 'Somebody whom the adapter is to draw without changing anything else.' }),
  classWord: { ...conceptFields.classWord, why: 'What they are in general: woman, man, girl, boy, monster. It is what the trajectories draw.' },
  seed: runFields.seed,
  likenessSteps: number({ default: 0, min: 0, max: 4000, integer: true, unit: 'steps', label: 'Know the person', term: 'stage 1, L_diff', group: 'run', why: 'The adapter knows people already; steps here make it know this one, background and light along.' }),
  identitySteps: number({ default: 0, min: 0, max: 2000, integer: true, unit: 'steps', label: 'Look like the person', term: 'stage 2, + L_id', group: 'run', why: 'Most alike, and most contaminated.' }),
  alignmentSteps: number({ default: 60, min: 0, max: 2000, integer: true, unit: 'steps', label: 'Change nothing else', term: 'stage 3, + L_align', group: 'run', why: 'Every step draws a picture with the person and one without, and holds the one to the other.' }),
  batchSize: { ...runFields.batchSize, default: 1 },
  rank: number({ default: 8, min: 1, max: 64, integer: true, label: 'Rank', term: 'LoRA rank on cross-attention, alpha = rank', group: 'adapter', why: 'Capacity of what is learned beside the adapter’s own weights.' }),
  learningRate: number({ default: 5e-4, min: 1e-6, max: 1e-1, label: 'Learning rate', term: 'AdamW, LoRA', group: 'optimizer', scale: 'log', why: 'The gradient comes through a whole picture and is noisy.' }),
  lrScheduler: adapterFields.lrScheduler,
  lrDecayRatio: adapterFields.lrDecayRatio,
  weightDecay: number({ default: 1e-4, min: 0, max: 1, label: 'Weight decay', group: 'optimizer', scale: 'log', why: 'Pulls back to the adapter as it was.' }),
  gradientClip: adapterFields.gradientClip,
  identityWeight: number({ default: 1, min: 0, max: 10, label: 'Likeness', term: 'λ_id, weight of L_id', group: 'purity', why: '1 in the paper. Much more makes faces soft: the network is pleased, people are not.' }),
  semWeight: number({ default: 0.6, min: 0, max: 100, label: 'Hold on what each word draws', term: 'weight of L_sem', group: 'purity', why: 'What every word finds in the picture stays as it is without the person. 0.6 in the paper.' }),
  layoutWeight: number({ default: 0.1, min: 0, max: 100, label: 'Hold on the layout', term: 'weight of L_layout', group: 'purity', why: 'Small, for a face must be able to move: 0.1 in the paper.' }),
  reduction: choice(['mse', 'paper-l2'], { default: 'mse', label: 'How the holds are measured', term: '‖·‖ in L_sem and L_layout', group: 'purity', why: 'The plain norm grows with the model and outweighs everything else; the mean square does not.' }),
  walkSteps: number({ default: 4, min: 1, max: 30, integer: true, unit: 'steps', label: 'Steps of a trajectory', term: 'Euler steps from pure noise', group: 'run', why: '4 with a base that draws in few steps; 8 to 12 with one that doesn’t.' }),
  window: number({ default: 2, min: 0, max: 30, integer: true, unit: 'steps', label: 'Steps that likeness learns through', term: 'backpropagated steps', group: 'run', why: 'The last ones of a trajectory. More costs time and memory.' }),
  alignedSteps: choice(['all', 'one'], { default: 'all', label: 'Steps that are held', term: 'L_align at', group: 'run', why: 'All of a few; of many, one drawn for each picture.' }),
  zeroTokens: adapterFields.zeroTokens,
  flip: { ...runFields.flip, why: 'Doubles few pictures. Leave it off for a face with a mole.' },
  previewEvery: { ...runFields.previewEvery, default: 20 },
} satisfies Fields;

export const pulidMeta = {
  name: 'PuLID',
  fields: pulidFields,
  presets: {
    align: { label: 'Align', why: 'The third stage alone, on an adapter that knows people: cleaner, hardly less alike.', values: { likenessSteps: 0, identitySteps: 0, alignmentSteps: 60, identityWeight: 1, semWeight: 0.6, layoutWeight: 0.1 } },
    paper: { label: 'Paper', why: 'All three stages in turn, with the published weights and plain norms. Steps and rates are this base’s.', values: { likenessSteps: 100, identitySteps: 60, alignmentSteps: 60, identityWeight: 1, semWeight: 0.6, layoutWeight: 0.1, reduction: 'paper-l2', alignedSteps: 'all' } },
  },
  // costs measured on wasm with one thread, batch 1, four steps of which two are differentiated
  stages: [
    { id: 'likeness', label: 'Know the person', term: 'Stage 1, L_diff', steps: 'likenessSteps', cost: 2.4 },
    { id: 'identity', label: 'Look like the person', term: 'Stage 2, + L_id', steps: 'identitySteps', cost: 10.3 },
    { id: 'alignment', label: 'Change nothing else', term: 'Stage 3, + L_align', steps: 'alignmentSteps', cost: 16 },
  ],
  losses: [{ name: 'flow', label: 'flow', term: 'L_diff' }, { name: 'identity', label: 'likeness', term: 'L_id' }, { name: 'sem', label: 'words', term: 'L_sem' }, { name: 'layout', label: 'layout', term: 'L_layout' }],
  figures: [{ name: 'likeness', label: 'likeness', term: 'cos(φ(C_id), φ(picture))', range: [0, 1], from: 'identity' }],
  unit: null,
  pictures: { least: 1, most: 8, captioned: true },
} as const satisfies MethodMeta;
