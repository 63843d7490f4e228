/** The lower edge of a phone: Learn, then how far it is with Pause and Stop, then Keep. Nothing before there are pictures. */
import { isOpen } from '../../state/run';
import { useStudio } from '../studio';
import { KeepButton } from './KeepButton';
import { LearnButton } from './LearnButton';
import { RunButtons, Stages, statusText } from './Progress';

export function PhoneBar() {
  const run = useStudio((state) => state.run);
  const opened = useStudio((state) => state.opened);
  const empty = useStudio((state) => state.cards.length === 0);
  if (opened || (!run && empty)) return null;
  return (
    <section className="phone-bar" aria-label="Next">
      {!run && <LearnButton />}
      {run && isOpen(run) && (
        <>
          <p className="row"><span className="count">{run.step} / {run.totalSteps}</span><span className="note">{statusText(run)}</span></p>
          <Stages run={run} />
          <RunButtons run={run} />
        </>
      )}
      {run && !isOpen(run) && <KeepButton />}
    </section>
  );
}
