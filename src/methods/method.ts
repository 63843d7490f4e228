/**
 * What a method is to the trainer: parameter groups, stages, the evaluations each stage's step needs, and a loss over their
 * velocities. Methods never see models: the trainer evaluates (rows of equal adapter batched) and hands in velocities.
 * Ids of stages and groups are the method's own; checkpoints and records carry them as they are.
 */
import type { Tensor1D, Tensor2D, Tensor4D } from '../engine/tf';
import type { Recipe } from '../protocol/recipe';
import type { MethodMeta } from './meta';

/** Texts that belong to a picture; `null` is the empty prompt, `prior` one of the base's own captions and `scene` the class somewhere, both drawn for each sample: none needs a picture. */
export type CaptionRole = WrittenRole | 'prior' | 'scene';
/** Those that a prompt has, too. */
export type WrittenRole = 'complete' | 'base' | 'target' | 'class' | 'null';

/** The rate over a stage: full up to its last part (0…1 of its steps), then down to near 0 in a line or half a cosine, as diffusers' schedulers go. */
export interface RateSchedule { shape: 'constant' | 'linear' | 'cosine'; part: number }

export interface OptimizerSettings {
  learningRate: number;
  schedule: RateSchedule;
  weightDecay: number;
  /** Largest norm of the group's gradient; null leaves it as it is. */
  clip: number | null;
}

/**
 * LoRA pairs on the model's sites. `start` noise: A from the method's own stream of random numbers, B zero, so that it changes
 * nothing at first; group: the values that another group of the same shape has by then, with moments of its own.
 */
export interface AdapterGroup {
  kind: 'adapter';
  rank: number;
  sites: 'attention' | 'attention+mlp';
  start: { from: 'noise'; stream: number } | { from: 'group'; group: string };
  optimizer: OptimizerSettings;
}
/** Layer-wise embeddings of [V], one row a block, and the pooled delta where asked for. They start as what the base reads there. */
export interface RowsGroup {
  kind: 'rows';
  pooledDelta: boolean;
  /** Steps in which the rows are then fitted to what the object encoder sees in the pictures; none without. */
  fit?: number;
  optimizer: OptimizerSettings;
}
/** LoRA pairs on what a picture adapter injects: keys, queries and outputs of its cross-attention. `stream` as in AdapterGroup; they start by changing nothing. */
export interface InjectionGroup {
  kind: 'injection';
  rank: number;
  stream: number;
  optimizer: OptimizerSettings;
}
/** What the optimizer moves as one: what it is, how it starts, and its rates. A kind has its arithmetic in pipeline/training/groups.ts. */
export type ParameterGroup = AdapterGroup | RowsGroup | InjectionGroup;

/** One evaluation v(x_sigma | caption; adapter, rows), in names: ids of groups, or null for the base as it is. */
export interface Evaluated<C extends CaptionRole = CaptionRole> {
  caption: C;
  adapter: string | null;
  /** Group whose rows overwrite [V] (only where the caption has one). */
  rows: string | null;
  /** Whether it sees the concept's tokens through the picture adapter. */
  sees?: boolean;
}

/** An evaluation of a step. All of them share x0, noise and sigma. */
export interface Branch extends Evaluated {
  name: string;
  /** Whether gradient flows back through this evaluation. */
  trains: boolean;
}

export interface StepInput {
  /** velocity target u = noise − x0, [B,h,w,C] */
  target: Tensor4D;
  /** [B] */
  sigma: Tensor1D;
  /** One velocity [B,h,w,C] per branch name. */
  velocities: Record<string, Tensor4D>;
}

/** What a step tells of itself, still on the device: the trainer reads it once, when the step is done. */
export interface LossFigures {
  /** Losses by name for the charts: the mean over each sample [B], and the weight in the total. */
  terms: Record<string, { perSample: Tensor1D; weight: number }>;
  /** Per-sample figures by name, [B] each. */
  figures: Record<string, Tensor1D>;
}

/** The caller disposes every tensor. */
export interface LossParts extends LossFigures {
  /** d total / d velocity for each branch with `trains`, same shapes. */
  gradients: Record<string, Tensor4D>;
}

/** Independent of each other and of the step's noise. */
export type Chances = readonly [number, number];

/** A step whose evaluations all stand at one noised point: branches, then a loss over their velocities. */
export interface PointStep<R> {
  kind: 'point';
  /** `chances`: numbers in (0,1) of this step's own, for evaluations that are made in a share of steps only. */
  branches(recipe: R, chances: Chances): Branch[];
  /** Reads nothing back. */
  loss(input: StepInput, recipe: R): LossParts;
}

/** A loss per sample [B], and the gradient of its mean over the batch. The caller disposes. */
export interface Graded<T> { perSample: Tensor1D; gradient: T }

/** How a picture is drawn for a loss: Euler steps from pure noise, each evaluated once, without guidance. */
export interface Walk {
  steps: number;
  /** The last so many are differentiated. */
  window: number;
  /** Steps, counted from 0, at which the path that sees the reference is compared with the one that doesn't. */
  aligned: readonly number[];
}

/** What one joint attention saw: queries of the picture stream [B,N,H,d], keys of the text stream [B,T,H,d]. */
export interface AttentionFeatures { q: Tensor4D; k: Tensor4D }

/** By the names of the charts. A loss that is absent is not made, nor is what only it needs. */
export interface TrajectoryLosses {
  /** Of the velocity that sees the reference at a noised point of a picture, against its target. */
  flow?: { weight: number; loss(velocity: Tensor4D, target: Tensor4D): Graded<Tensor4D> };
  /** Of the finished picture's vector [B,w] against the reference's. */
  identity?: { weight: number; loss(found: Tensor2D, wanted: Tensor2D): Graded<Tensor2D> };
  /** Of one step: each term's mean over the layers [B], and the gradient of their weighted sum in each layer's queries with the reference. */
  alignment?: { weights: Record<string, number>; loss(withReference: readonly Tensor4D[], without: readonly AttentionFeatures[]): { terms: Record<string, Tensor1D>; gradients: Tensor4D[] } };
}

/**
 * A step that draws pictures as they will be drawn: two paths from the same noise under the same words, one of which sees the reference,
 * and losses along the way and on the finished picture. The one without is the base's, and a constant.
 */
export interface TrajectoryStep<R> {
  kind: 'trajectory';
  /** Group of the pairs that the path with the reference is evaluated with. */
  pairs: string;
  walk(recipe: R, chances: Chances): Walk;
  losses(recipe: R): TrajectoryLosses;
}

export interface Stage<R = Recipe> {
  /** Groups that the optimizer moves, in this order; the first one's gradient norm is shown. A group starts with the first stage that trains it. */
  trains: readonly string[];
  /** Another kind of step has its arithmetic beside trainingStep.ts. */
  step: PointStep<R> | TrajectoryStep<R>;
  /** What stands for the concept from this stage on: what is drawn, kept and exported. */
  result(recipe: R): Pick<Evaluated, 'adapter' | 'rows'>;
  /** The recipe that says the truth about that result, where learning ends in this stage. */
  keptAs?(recipe: R): R;
}

/** A difference of two evaluations. */
export interface Direction { positive: Evaluated<WrittenRole>; negative: Evaluated<WrittenRole> }

export interface Method<R = Recipe> {
  meta: MethodMeta;
  /** Captions that any step reads; a method that reads none of a picture's own learns from pictures without captions. */
  captions: readonly CaptionRole[];
  groups(recipe: R): Record<string, ParameterGroup>;
  /** What is shown as the concept's direction while it is being learned, in units of `meta.unit`; without one it is the direction. */
  goal?(recipe: R): Direction;
  /** The concept's direction: what the balance adds to the base, and what is drawn, once. Without one it is the result on Complete against the base on Base. */
  direction?(recipe: R): Direction;
  /** By the ids of meta.stages. */
  stages: Record<string, Stage<R>>;
}
