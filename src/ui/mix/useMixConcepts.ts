/** The Shelf's concepts as a mix knows them, the same map while the Shelf is the same. */
import { useMemo } from 'react';
import type { MixConcept } from '../../protocol/mixPlan';
import { mixConcepts } from '../../state/mix';
import { useStudio } from '../studio';

export function useMixConcepts(): ReadonlyMap<string, MixConcept> {
  const concepts = useStudio((state) => state.concepts);
  return useMemo(() => mixConcepts(concepts), [concepts]);
}
