/**
 * PureCC's parameters as pure data: what the panel renders, the worker validates, the checkpoint stores and the URL carries.
 * Each field has its default on the embedded base, range, unit, plain label, expert term and one line of why.
 * Source of the defaults: recipe/results.md, measured on the embedded base; the paper's own (arXiv 2603.07561 v2, Table 6): docs/methods.md.
 */
import { choice, flag, number, type Fields } from '../fields';
import type { MethodMeta } from '../meta';
import { adapterFields, conceptFields, runFields } from '../sharedFields';

const pureccFields = {
  ...conceptFields,
  seed: runFields.seed,
  stage1Steps: number({ default: 700, min: 1, max: 4000, integer: true, unit: 'steps', label: 'Know the concept', term: 'stage 1 steps', group: 'run', why: 'Too few and the extractor is vague; too many and it copies backgrounds.' }),
  stage2Steps: number({ default: 350, min: 0, max: 4000, integer: true, unit: 'steps', label: 'Add it, keep the rest', term: 'stage 2 steps', group: 'run', why: 'The student learns the concept while everything else is held.' }),
  batchSize: runFields.batchSize,
  rank: number({ default: 16, min: 1, max: 64, integer: true, label: 'Rank', term: 'LoRA rank, alpha = rank', group: 'adapter', why: 'Capacity of the adapter; 4 in the paper. Below 16 a concept of many parts comes out in pieces.' }),
  learningRate: number({ default: 1e-3, large: 1e-4, min: 1e-6, max: 1e-1, label: 'Learning rate', term: 'AdamW, LoRA, stage 1', group: 'optimizer', scale: 'log', why: '1e-3 suits the embedded base, 1e-4 large ones.' }),
  studentLearningRate: number({ default: 2e-3, large: 2e-4, min: 1e-6, max: 1e-1, absent: { sameAs: 'learningRate' }, label: 'Learning rate of the student', term: 'AdamW, LoRA, stage 2', group: 'optimizer', scale: 'log', why: 'The student has much to undo in few steps, and may move faster.' }),
  rowLearningRate: number({ default: 5e-3, min: 1e-6, max: 1e-1, label: 'Learning rate of the concept rows', term: 'layer-wise embeddings', group: 'optimizer', scale: 'log', why: 'Rows are few and may move faster than the adapter.' }),
  lrScheduler: adapterFields.lrScheduler,
  lrDecayRatio: adapterFields.lrDecayRatio,
  weightDecay: number({ default: 1e-4, min: 0, max: 1, label: 'Weight decay', group: 'optimizer', scale: 'log', why: 'On the adapter only, never on the rows.' }),
  gradientClip: adapterFields.gradientClip,
  zeroTokens: adapterFields.zeroTokens,
  flip: runFields.flip,
  shiftCells: runFields.shiftCells,
  pooledDelta: flag({ default: false, label: 'Learn the pooled vector too', term: 'pooled delta', group: 'adapter', why: 'Reaches the part of the text that acts through modulation.' }),
  rowFitSteps: number({ default: 0, min: 0, max: 200, integer: true, absent: 0, only: 'objects', unit: 'steps', label: 'Begin from the picture', term: 'concept rows fitted to the object encoder', group: 'adapter', why: 'Before stage 1 the rows are moved so far that they say what the encoder sees. 0 begins at the class word.' }),
  eta: number({ default: 0.25, min: 0, max: 10, label: 'Purity', term: 'η, weight of L_PureCC', group: 'purity', why: '0 is plain LoRA; 1 is best in the paper. Lower lets more of the concept in, and the hold does the keeping.' }),
  lambdaMode: choice(['adaptive', 'fixed'], { default: 'adaptive', label: 'Strength of the goal', term: 'λ* or fixed λ', group: 'purity', why: 'λ* grows as the student finds the concept.' }),
  fixedLambda: number({ default: 1, min: 0, max: 10, label: 'Fixed λ', group: 'purity', why: 'Used only when the strength is fixed.' }),
  lambdaClamp: choice(['on', 'off'], { default: 'on', label: 'Hold λ* in 0…10', term: 'clamp and floor', group: 'purity', why: 'Off reproduces the bare formula; a vanishing guidance then explodes it.' }),
  guidanceReference: choice(['class', 'null'], { default: 'class', label: 'Concept seen against', term: 'reference of g', group: 'purity', why: 'Against the class, g is the concept alone; against null, as in the paper, it also says that a thing is there.' }),
  anchor: number({ default: 4, min: 0, max: 20, label: 'Hold on the base', term: 'anchor', group: 'purity', why: 'Keeps the Base prompt where it was. 0 in the paper.' }),
  priorShare: number({ default: 0.5, min: 0, max: 1, absent: 0, label: 'Hold on other captions', term: 'prior captions', group: 'purity', why: 'Share of steps in which the hold reads captions of other things instead of Base. It keeps what no picture shows.' }),
  originalSource: choice(['frozen', 'trainable', 'trainable-detached'], { default: 'frozen', label: 'What counts as original', term: 'originalSource', group: 'purity', why: 'Trainable, as in the paper’s code, lets the original drift along.' }),
  sites: choice(adapterFields.sites.options, { ...adapterFields.sites, default: 'attention+mlp', large: 'attention', absent: 'attention' }),
  studentStart: choice(['fresh', 'extractor'], { default: 'extractor', absent: 'fresh', label: 'Student starts', term: 'studentStart', group: 'adapter', why: 'From the extractor it knows the concept at once, and has what the extractor did to everything else to undo.' }),
  studentRows: choice(['on', 'off', 'mixed'], { default: 'mixed', earlier: { true: 'on', false: 'off' }, label: 'Concept rows in the student', term: 'studentRows', group: 'adapter', why: 'On: other tools, which have no rows, draw much less of the concept. Mixed: it learns both ways.' }),
  rowDropout: number({ default: 0.5, min: 0, max: 1, label: 'Steps without rows', term: 'row dropout', group: 'adapter', why: 'Share of the student’s steps in which it sees no rows. Used only when they are mixed.' }),
  previewEvery: runFields.previewEvery,
} satisfies Fields;

/** What each value does was measured in recipe/results.md. */
export const pureccMeta = {
  name: 'PureCC',
  fields: pureccFields,
  presets: {
    lamina: { label: 'Lamina', why: 'Seen against the class, with a hold on the base: as like, with less drift.', values: { guidanceReference: 'class', anchor: 4, priorShare: 0.5, eta: 0.25, originalSource: 'frozen', lambdaClamp: 'on', studentStart: 'extractor', studentRows: 'mixed' } },
    paper: { label: 'Paper', why: 'The published loss: seen against nothing, no hold, the original learning along, bare λ*, a fresh student. Steps and rates are this base’s.', values: { guidanceReference: 'null', anchor: 0, priorShare: 0, eta: 1, originalSource: 'trainable', lambdaClamp: 'off', studentStart: 'fresh', studentRows: 'on' } },
  },
  // costs measured on wasm with one thread, batch 2
  stages: [
    { id: 'extractor', label: 'Know the concept', term: 'Stage 1, extractor', steps: 'stage1Steps', cost: 2.7 },
    { id: 'student', label: 'Add it, keep the rest', term: 'Stage 2, student', steps: 'stage2Steps', cost: 7.9 },
  ],
  losses: [{ name: 'flow', label: 'flow', term: 'L_CC' }, { name: 'pure', label: 'concept', term: 'L_PureCC' }, { name: 'anchor', label: 'hold', term: 'anchor' }],
  figures: [
    { name: 'lambdaStar', label: 'λ*', term: 'λ*', range: [0, 1], from: 'student' },
    { name: 'cosine', label: 'agreement', term: 'cos(r, g)', range: [0, 1], from: 'student' },
  ],
  unit: 'lambdaStar',
  pictures: { least: 1, most: 20, captioned: true },
} as const satisfies MethodMeta;
