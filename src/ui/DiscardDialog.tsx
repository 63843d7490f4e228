/** Asks once before a run that was not kept is gone for good. */
import type { RunInfo } from '../protocol/run';
import { ConfirmDialog } from './parts/ConfirmDialog';
import { useActions } from './studio';
import { ids } from './testIds';

export function DiscardDialog({ run, onClose }: { run: RunInfo; onClose(): void }) {
  const actions = useActions();
  const steps = run.step === 1 ? 'One step' : `${run.step} steps`;
  return <ConfirmDialog question={`Discard “${run.name}”?`} consequence={`${steps} of learning, its pictures and captions are removed from this device.`} deed="Discard" testId={ids.confirmDiscard} onConfirm={() => void actions.discardRun()} onClose={onClose} />;
}
