/** The mix as it is drawn here, the same object while nothing of it changes. */
import { useMemo } from 'react';
import type { Mix } from '../../protocol/mix';
import { drawnMix } from '../../state/mixCards';
import { useStudio } from '../studio';

export function useDrawnMix(): Mix {
  const mix = useStudio((state) => state.mix);
  const objectCards = useStudio((state) => state.objectCards);
  const cardsRead = useStudio((state) => state.cardsRead);
  const usedBase = useStudio((state) => state.usedBase);
  const ready = useStudio((state) => state.ready);
  return useMemo(() => drawnMix(mix, { objectCards, cardsRead, usedBase, ready }), [mix, objectCards, cardsRead, usedBase, ready]);
}
