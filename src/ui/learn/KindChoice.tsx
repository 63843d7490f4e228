/** Whether it is a thing, a style, a world or, where the base has an adapter for that, somebody. */
import type { ConceptKind } from '../../protocol/captions';
import { Segmented } from '../parts/Segmented';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function KindChoice({ locked = false }: { locked?: boolean }) {
  const actions = useActions();
  const kind = useStudio((state) => state.recipe.kind);
  const faces = useStudio((state) => state.ready?.faces ?? false);
  // an adapter that sees pictures is what aligns with a person
  const persons = useStudio((state) => state.ready?.persons ?? false) || kind === 'person';
  const somebody: { value: ConceptKind; label: string; testId: string }[] = persons ? [{ value: 'person', label: faces ? 'Face' : 'Person', testId: ids.kindPerson }] : [];
  return (
    <Segmented<ConceptKind> label="Kind of concept" value={kind} disabled={locked} onChange={actions.setKind}
      options={[{ value: 'instance', label: 'Thing', testId: ids.kindInstance }, { value: 'style', label: 'Style', testId: ids.kindStyle }, ...somebody, { value: 'world', label: 'World', testId: ids.kindWorld }]} />
  );
}
