/** The lower edge of a phone: Learn, or the way there from one picture; then how far it is with Pause and Stop; then going on, and Keep. Nothing before there are pictures. */
import { isOnePicture } from '../../state/objects';
import { isOpen } from '../../state/run';
import { FaultNote } from '../parts/FaultNote';
import { useStudio } from '../studio';
import { KeepButton } from './KeepButton';
import { LearnButton } from './LearnButton';
import { ProperlyButton } from './one/OneHappening';
import { RunButtons, Stages, statusText } from './Progress';

export function PhoneBar() {
  const run = useStudio((state) => state.run);
  const fault = useStudio((state) => state.runFault);
  const opened = useStudio((state) => state.opened);
  const one = useStudio(isOnePicture);
  const empty = useStudio((state) => state.cards.length === 0);
  if (opened || (!run && !one && empty)) return null;
  return (
    <section className="phone-bar" aria-label="Next">
      {one ? <ProperlyButton /> : !run && <LearnButton />}
      {run && (
        <>
          <FaultNote fault={fault} />
          {isOpen(run) && <><p className="row"><span className="count">{run.step} / {run.totalSteps}</span><span className="note">{statusText(run)}</span></p><Stages run={run} /></>}
          <RunButtons run={run} />
          {!isOpen(run) && <KeepButton />}
        </>
      )}
    </section>
  );
}
