/**
 * What the page, the link and the records know of a method: its fields, presets and stages as pure data. The equations stand
 * beside it (method.ts says what the trainer needs) and are never imported by the page.
 */
import type { Fields } from './fields';

export interface StageMeta {
  /** Checkpoints, metrics and run records name the stage by it. */
  id: string;
  /** What the stage does, in the user's words, and in the expert's. */
  label: string;
  term: string;
  /** Key of the field that says how many steps it takes. */
  steps: string;
  /** A step's time in evaluations of the model, backward passes included, to reckon with before any was made. */
  cost: number;
}

export interface PresetMeta {
  label: string;
  /** What it stands for, in one sentence. */
  why: string;
  /** Fields that it sets; every other keeps its value. */
  values: Record<string, unknown>;
}

export interface FigureMeta {
  /** Rows of figures and `unit` name it by it. */
  name: string;
  /** In the user's words, and in the expert's. */
  label: string;
  term: string;
  /** Where it usually stands; a chart of it grows only where it leaves this. */
  range: readonly [number, number];
  /** Id of the first stage that has it. */
  from: string;
}

export interface MethodMeta {
  name: string;
  fields: Fields;
  /** The first is where a new recipe begins. */
  presets: Record<string, PresetMeta>;
  /** In the order in which they follow each other. */
  stages: readonly StageMeta[];
  /** Losses for the charts, by the names the equations give them. */
  losses: readonly { name: string; label: string; term: string }[];
  /** Figures of each sample that are shown, in the order of their lines; there may be others. */
  figures: readonly FigureMeta[];
  /** The one of these whose running median is the unit of the balance; null where the method has none. */
  unit: string | null;
  /** How many it takes, and whether they need captions. */
  pictures: { least: number; most: number; captioned: boolean };
}

/** A recipe as far as its stages go. */
type Steps = Record<string, unknown>;

/** Stages with their numbers of steps and the step before which each begins; those of no steps are left out. */
export function stagesOf({ stages }: Pick<MethodMeta, 'stages'>, recipe: object): (StageMeta & { count: number; begin: number; end: number })[] {
  let end = 0;
  return stages.flatMap((stage) => {
    const count = (recipe as Steps)[stage.steps] as number;
    return count > 0 ? [{ ...stage, count, begin: end, end: (end += count) }] : [];
  });
}

export const totalStepsOf = (meta: Pick<MethodMeta, 'stages'>, recipe: object): number => stagesOf(meta, recipe).at(-1)?.end ?? 0;

/** The stage that the step after `done` steps belongs to; the last one when all are done. */
export const stageAfter = (meta: Pick<MethodMeta, 'stages'>, recipe: object, done: number): ReturnType<typeof stagesOf>[number] => {
  const stages = stagesOf(meta, recipe);
  return stages.find(({ end }) => end > done) ?? stages.at(-1)!;
};
