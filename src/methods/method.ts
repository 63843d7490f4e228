/**
 * What a method is to the trainer: stages, the branches each stage needs, and a loss over their velocities.
 * Methods never see models: the trainer evaluates the branches (rows of equal adapter batched) and hands in velocities.
 */
import type { Tensor1D, Tensor4D } from '../engine/tf';
import type { Recipe } from '../protocol/recipe';

export type CaptionRole = 'complete' | 'base' | 'target' | 'class' | 'null';
export type AdapterRole = 'none' | 'extractor' | 'student';

/** One evaluation v(x_sigma | caption; adapter). All branches of a step share x0, noise and sigma. */
export interface Branch {
  name: string;
  caption: CaptionRole;
  adapter: AdapterRole;
  /** Whether the concept rows overwrite [V] (only where the caption has one). */
  rows: boolean;
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
  /** Losses by name for the charts, `flow`, `pure`, `anchor`: the mean over each sample [B], and the weight in the total. */
  terms: Record<string, { perSample: Tensor1D; weight: number }>;
  /** Per-sample figures, [B] each: `lambdaStar`, `cosine`, `offsetRatio` (|r|/|g|), `guidanceRms`, `floorHit` (0/1). Empty in stage 1. */
  figures: Record<string, Tensor1D>;
}

/** The caller disposes every tensor. */
export interface LossParts extends LossFigures {
  /** d total / d velocity for each branch with `trains`, same shapes. */
  gradients: Record<string, Tensor4D>;
}

export interface Stage {
  id: 'extractor' | 'student';
  /** What the optimizer moves in this stage. */
  trains: { adapter: AdapterRole; rows: boolean };
  branches(recipe: Recipe): Branch[];
  /** Reads nothing back. */
  loss(input: StepInput, recipe: Recipe): LossParts;
}

export interface Method {
  stages: readonly Stage[];
}
