/** The Shelf's concepts of the base in use as a mix knows them, the same map while the Shelf is the same. */
import { useMemo } from 'react';
import type { MixConcept } from '../../protocol/mixPlan';
import { mixConcepts } from '../../state/mix';
import { ofBase } from '../../state/models';
import { useStudio } from '../studio';

export function useMixConcepts(): ReadonlyMap<string, MixConcept> {
  const concepts = useStudio((state) => state.concepts);
  const used = useStudio((state) => state.usedBase);
  return useMemo(() => mixConcepts(ofBase(concepts, { usedBase: used })), [concepts, used]);
}
