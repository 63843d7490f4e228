/** Asks once before a concept is gone for good. */
import type { ConceptSummary } from '../../protocol/concepts';
import { ConfirmDialog } from '../parts/ConfirmDialog';
import { useActions } from '../studio';
import { ids } from '../testIds';

export function DeleteDialog({ concept, onClose }: { concept: ConceptSummary; onClose(): void }) {
  const actions = useActions();
  return <ConfirmDialog question={`Delete “${concept.name}”?`} consequence="Its adapter, figures and pictures are removed from this device. Exported files stay." deed="Delete" testId={ids.confirmDelete} onConfirm={() => void actions.deleteConcept(concept.conceptId)} onClose={onClose} />;
}
