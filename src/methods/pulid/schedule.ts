/** Which terms a stage of PuLID has, and which steps of a trajectory are differentiated. */

/** flow: L_diff on the pictures. identity: L_id on finished pictures. sem, layout: L_align along the same trajectory. */
export type Term = 'flow' | 'identity' | 'sem' | 'layout';

/** The paper's three stages, each with all of the one before. */
export const stageTerms = {
  likeness: ['flow'],
  identity: ['flow', 'identity'],
  alignment: ['flow', 'identity', 'sem', 'layout'],
} as const satisfies Record<string, readonly Term[]>;

export type PulidStage = keyof typeof stageTerms;

export const hasTerm = (stage: PulidStage, term: Term): boolean => (stageTerms[stage] as readonly Term[]).includes(term);

/** Whether gradient passes through step `step` (0 is the one that begins at pure noise): the last `window` of `steps` are differentiated. */
export const differentiated = (step: number, steps: number, window: number): boolean => step >= steps - window;

/**
 * Which steps have L_align: all of a few-step walk, or one drawn by `chance` in (0,1), which costs less where there are many.
 * A step before the window has its own gradient alone: what it gets from later steps is cut.
 */
export const alignedSteps = (steps: number, which: 'all' | 'one', chance: number): number[] =>
  which === 'all' ? Array.from({ length: steps }, (_, i) => i) : [Math.min(steps - 1, Math.floor(chance * steps))];
