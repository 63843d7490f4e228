/** Fields that every method has: what is learned, on what, with which random numbers, and how often it is shown. */
import { choice, flag, number, type Fields } from './fields';

export const conceptFields = {
  kind: choice(['instance', 'style'], { default: 'instance', label: 'What is learned', group: 'concept', why: 'A thing has a class word; a style changes everything in the picture.' }),
  classWord: { type: 'text', default: '', maxLength: 40, label: 'Class word', group: 'concept', why: 'What the thing is called in general. The concept starts from what the base knows about it.' },
  trigger: {
    type: 'text', default: 'zq', maxLength: 40, absent: '', label: 'Trigger word', term: 'what encoders read at [V]', group: 'concept',
    why: 'A word the base does not know keeps “a [V] dog” apart from “a dog”. Other tools need it in the prompt. Empty: the class word.',
  },
} satisfies Fields;

export const runFields = {
  seed: number({ default: 0, min: 0, max: 4294967295, integer: true, label: 'Seed', group: 'run', why: 'Same recipe and seed on the same backend give the same weights.' }),
  batchSize: number({ default: 2, min: 1, max: 8, integer: true, unit: 'pictures', label: 'Batch', group: 'run', why: 'More is smoother and slower.' }),
  flip: flag({ default: false, label: 'Mirror pictures', group: 'run', why: 'Doubles few pictures. Leave it off for what has a side: mirrored pictures teach a dog with a head at both ends.' }),
  shiftCells: number({ default: 0, min: 0, max: 2, integer: true, unit: 'cells', label: 'Shift pictures', group: 'run', why: 'Also learns from copies shifted by up to so many cells of 16 pixels, edges drawn out, so that places are not learned by heart.' }),
  previewEvery: number({ default: 50, min: 5, max: 1000, integer: true, unit: 'steps', label: 'Preview every', group: 'run', why: 'Each preview costs a few seconds.' }),
} satisfies Fields;

/** Of every method that trains LoRA pairs by AdamW. */
export const adapterFields = {
  sites: choice(['attention', 'attention+mlp'], { default: 'attention', label: 'Layers that learn', term: 'target modules', group: 'adapter', why: 'With the MLPs the adapter holds about twice as much, and a step takes longer.' }),
  lrScheduler: choice(['constant', 'linear', 'cosine'], { default: 'linear', absent: 'constant', label: 'Rates at the end of a stage', term: 'lr_scheduler', group: 'optimizer', why: 'Going down lets the last steps settle.' }),
  lrDecayRatio: number({ default: 0.4, min: 0, max: 1, label: 'Part in which rates go down', term: 'lr_decay_steps', group: 'optimizer', why: 'Share of each stage’s steps. Used unless rates are constant.' }),
  zeroTokens: choice(['77', '256', 'none'], {
    default: '77', label: 'Zero tokens in place of T5', term: 'max_sequence_length', group: 'adapter', only: 'withoutT5',
    why: 'A LoRA has to be drawn with as many as it was learned with: training scripts have 77, diffusers 256 unless told otherwise, other programs none.',
  }),
  gradientClip: number({ default: 1, min: 0.001, max: 1000, label: 'Gradient clip', term: 'global norm, LoRA', group: 'optimizer', scale: 'log', why: 'Holds a single bad batch back.' }),
} satisfies Fields;
