/** A concept from the Shelf: what it is and what it was made of. */
import type { ConceptSummary } from '../../protocol/concepts';
import { useModelName } from '../models/useModelName';
import { day, kindText, megabytes } from '../format';

export function OpenedConcept({ concept }: { concept: ConceptSummary }) {
  const base = useModelName(concept.base);
  return (
    <>
      <h2>{concept.name}</h2>
      <dl className="facts">
        <dt>Kind</dt><dd>{kindText(concept)}</dd>
        <dt>{concept.imported ? 'Imported' : 'Learned'}</dt><dd>{day(concept.createdAt)}</dd>
        <dt>Fits</dt><dd>{concept.base === 'embedded' ? 'the embedded base only' : `${base} only`}</dd>
        <dt>Size</dt><dd>{megabytes(concept.sizeBytes)}</dd>
      </dl>
    </>
  );
}
