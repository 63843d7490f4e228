import { expect, it } from 'vitest';
import { defaultRecipe, parseRecipe } from '../protocol/recipe';
import type { MethodMeta } from './meta';
import { metas } from './metas';

it.each(Object.entries(metas as Record<string, MethodMeta>))('%s: its figures begin in stages that it has, and the unit is one of them', (_, { figures, stages, unit }) => {
  for (const { from, range: [low, high] } of figures) {
    expect(stages.map(({ id }) => id)).toContain(from);
    expect(high).toBeGreaterThan(low);
  }
  if (unit !== null) expect(figures.map(({ name }) => name)).toContain(unit);
});

it.each([
  // arXiv 2603.07561 v2: g against nothing (Eq. 8), the original from the network that learns, λ* as solved (Eq. 12), L_CC + L_PureCC and nothing else (Eq. 15), a student of its own with the rows on
  ['purecc', { guidanceReference: 'null', anchor: 0, priorShare: 0, eta: 1, originalSource: 'trainable', lambdaClamp: 'off', studentStart: 'fresh', studentRows: 'on' }],
  // arXiv 2404.16022: three stages, L_id at 1, L_sem at .6 and L_layout at .1 in the plain norm over all steps of the walk
  ['pulid', { identityWeight: 1, semWeight: 0.6, layoutWeight: 0.1, reduction: 'paper-l2', alignedSteps: 'all' }],
] as const)('%s: the preset “Paper” says all that was published, whatever the default is', (method, published) => {
  expect(parseRecipe(defaultRecipe('paper', 'embedded', method))).toMatchObject(published);
});
