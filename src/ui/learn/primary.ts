/** Which one button of the page is filled: what most people do next. There is never more than one. */
import { isOnePicture } from '../../state/objects';
import { picturesProblem } from '../../state/pictures';
import type { StudioState } from '../../state/slice';
import { useStudio } from '../studio';

export type Primary = 'continue' | 'learn' | 'resume' | 'keep' | 'draw' | 'learn-properly' | null;
type Seen = Pick<StudioState, 'run' | 'opened' | 'kept' | 'unfinished' | 'cards' | 'recipe' | 'ready' | 'object' | 'card' | 'learningProperly'>;

export function primaryOf(state: Seen): Primary {
  const { run, opened, kept, unfinished, cards, recipe, ready } = state;
  if (isOnePicture(state)) return state.object ? 'learn-properly' : null;
  if (run?.phase === 'paused') return 'resume';
  if (run && (run.phase === 'finished' || run.phase === 'stopped') && !kept) return 'keep';
  if (run || opened) return 'draw';
  if (unfinished) return 'continue';
  if (cards.length === 0) return null;
  return ready && picturesProblem({ cards, recipe }) === null ? 'learn' : null;
}

/** The class of a button that may be the filled one. */
export const usePrimary = (which: Primary): string => (useStudio(primaryOf) === which ? 'primary' : '');
