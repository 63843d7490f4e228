/** Puts what was learned on the Shelf; afterwards leads there. */
import { isOpen } from '../../state/run';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { usePrimary } from './primary';

export function KeepButton() {
  const actions = useActions();
  const run = useStudio((state) => state.run);
  const busy = useStudio((state) => state.runBusy);
  const kept = useStudio((state) => state.kept);
  const primary = usePrimary('keep');
  const elsewhere = useStudio((state) => state.elsewhere !== null);
  const held = (!isOpen(run) || run?.phase === 'paused') && !elsewhere;
  if (kept && run?.phase !== 'paused') return <button type="button" className="button" onClick={() => actions.setTab('shelf')}>Kept · show it</button>;
  const why = held ? 'Puts it on the Shelf with recipe, figures and pictures.' : elsewhere ? 'It is kept in the tab that learns it.' : 'Pause or stop first; a finished run can be kept at once.';
  return <button type="button" className={`button ${primary}`} data-testid={ids.keep} disabled={!held || busy || !run || run.step === 0} title={why} onClick={() => void actions.keep()}>Keep</button>;
}
