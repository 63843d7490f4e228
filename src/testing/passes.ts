/**
 * Counts what goes through the transformer: `vi.mock('…/models/mmdit', async (original) => (await import('…/testing/passes')).counted(await original()))`
 * puts the rows of each pass into `seen`.
 */
import type * as Mmdit from '../models/mmdit';

/** Rows of each pass of the transformer, in order. */
export const seen: number[] = [];

export function counted(real: typeof Mmdit): typeof Mmdit {
  const velocityAsync: typeof real.velocityAsync = (model, input, ...rest) => {
    seen.push(input.x.shape[0]);
    return real.velocityAsync(model, input, ...rest);
  };
  return { ...real, velocityAsync };
}
