/** Which one button of the page is filled: what most people do next. There is never more than one. */
import { picturesProblem } from '../../state/pictures';
import type { StudioState } from '../../state/slice';
import { useStudio } from '../studio';

export type Primary = 'continue' | 'learn' | 'resume' | 'keep' | 'draw' | null;
type Seen = Pick<StudioState, 'run' | 'opened' | 'kept' | 'unfinished' | 'cards' | 'recipe' | 'ready'>;

export function primaryOf({ run, opened, kept, unfinished, cards, recipe, ready }: Seen): Primary {
  if (run?.phase === 'paused') return 'resume';
  if (run && (run.phase === 'finished' || run.phase === 'stopped') && !kept) return 'keep';
  if (run || opened) return 'draw';
  if (unfinished) return 'continue';
  if (cards.length === 0) return null;
  return ready && picturesProblem({ cards, recipe }) === null ? 'learn' : null;
}

/** The class of a button that may be the filled one. */
export const usePrimary = (which: Primary): string => (useStudio(primaryOf) === which ? 'primary' : '');
