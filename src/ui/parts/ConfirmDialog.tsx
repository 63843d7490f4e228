/** Asks once before something is gone for good: a question, what follows from it, Cancel, and the deed. Closable by Escape. */
import { AlertDialog } from 'radix-ui';

interface Props {
  question: string;
  consequence: string;
  /** The button that does it: one word, and how tests find it. */
  deed: string;
  testId: string;
  onConfirm(): void;
  onClose(): void;
}

export function ConfirmDialog({ question, consequence, deed, testId, onConfirm, onClose }: Props) {
  return (
    <AlertDialog.Root open onOpenChange={(open) => { if (!open) onClose(); }}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog centre">
          <AlertDialog.Title className="title">{question}</AlertDialog.Title>
          <AlertDialog.Description className="muted">{consequence}</AlertDialog.Description>
          <div className="actions">
            <AlertDialog.Cancel className="button">Cancel</AlertDialog.Cancel>
            <AlertDialog.Action className="button danger" data-testid={testId} onClick={onConfirm}>{deed}</AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
