import { expect, it } from 'vitest';
import type { MethodMeta } from './meta';
import { metas } from './metas';

it.each(Object.entries(metas as Record<string, MethodMeta>))('%s: its figures begin in stages that it has, and the unit is one of them', (_, { figures, stages, unit }) => {
  for (const { from, range: [low, high] } of figures) {
    expect(stages.map(({ id }) => id)).toContain(from);
    expect(high).toBeGreaterThan(low);
  }
  if (unit !== null) expect(figures.map(({ name }) => name)).toContain(unit);
});
