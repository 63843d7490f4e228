/** Takes back the last change to pictures, masks and captions; its title says which. Ctrl+Z does the same outside of fields. */
import { Undo2 } from 'lucide-react';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function UndoButton() {
  const actions = useActions();
  const last = useStudio((state) => state.history.at(-1)?.label ?? null);
  if (last === null) return null;
  return <button type="button" className="bare" data-testid={ids.undo} title={`Undo: ${last}`} aria-label={`Undo: ${last}`} onClick={actions.undo}><Undo2 className="icon" aria-hidden /></button>;
}
