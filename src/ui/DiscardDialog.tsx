/** Asks once before a run that was not kept is gone for good. */
import { AlertDialog } from 'radix-ui';
import type { RunInfo } from '../protocol/run';
import { useActions } from './studio';
import { ids } from './testIds';

export function DiscardDialog({ run, onClose }: { run: RunInfo; onClose(): void }) {
  const actions = useActions();
  return (
    <AlertDialog.Root open onOpenChange={(open) => { if (!open) onClose(); }}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog centre">
          <AlertDialog.Title className="title">Discard “{run.name}”?</AlertDialog.Title>
          <AlertDialog.Description className="muted">{run.step === 1 ? 'One step' : `${run.step} steps`} of learning, its pictures and captions are removed from this device.</AlertDialog.Description>
          <div className="actions">
            <AlertDialog.Cancel className="button">Cancel</AlertDialog.Cancel>
            <AlertDialog.Action className="button danger" data-testid={ids.confirmDiscard} onClick={() => void actions.discardRun()}>Discard</AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
