/** Asks once before a concept is gone for good. */
import { AlertDialog } from 'radix-ui';
import type { ConceptSummary } from '../../protocol/concepts';
import { useActions } from '../studio';
import { ids } from '../testIds';

export function DeleteDialog({ concept, onClose }: { concept: ConceptSummary; onClose(): void }) {
  const actions = useActions();
  return (
    <AlertDialog.Root open onOpenChange={(open) => { if (!open) onClose(); }}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog centre">
          <AlertDialog.Title className="title">Delete “{concept.name}”?</AlertDialog.Title>
          <AlertDialog.Description className="muted">Its adapter, figures and pictures are removed from this device. Exported files stay.</AlertDialog.Description>
          <div className="actions">
            <AlertDialog.Cancel className="button">Cancel</AlertDialog.Cancel>
            <AlertDialog.Action className="button danger" data-testid={ids.confirmDelete} onClick={() => void actions.deleteConcept(concept.conceptId)}>Delete</AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
