import { describe, expect, it } from 'vitest';
import { alignedSteps, differentiated, hasTerm, stageTerms } from './schedule';

describe('PuLID’s stages and steps', () => {
  // I7
  it('each stage turns on exactly one thing more', () => {
    const stages: (readonly string[])[] = Object.values(stageTerms);
    const added = stages.map((terms, i) => terms.filter((term) => !(stages[i - 1] ?? []).includes(term)));
    expect(added).toEqual([['flow'], ['identity'], ['sem', 'layout']]);
    stages.slice(1).forEach((terms, i) => expect(terms.slice(0, stages[i]!.length)).toEqual(stages[i]));
    expect([hasTerm('likeness', 'identity'), hasTerm('identity', 'sem'), hasTerm('alignment', 'sem')]).toEqual([false, false, true]);
  });

  // I5
  it('differentiates the last steps of a walk alone', () => {
    const of = (window: number) => [0, 1, 2, 3].map((step) => differentiated(step, 4, window));
    expect(of(0)).toEqual([false, false, false, false]);
    expect(of(1)).toEqual([false, false, false, true]);
    expect(of(3)).toEqual([false, true, true, true]);
    expect(of(9)).toEqual([true, true, true, true]);
  });

  it('aligns all steps, or one by chance', () => {
    expect(alignedSteps(3, 'all', 0.1)).toEqual([0, 1, 2]);
    expect([0.01, 0.4, 0.999999].map((chance) => alignedSteps(4, 'one', chance))).toEqual([[0], [1], [3]]);
  });
});
