/** After Stop: continue. After the last step: learn so many more. */
import { useState } from 'react';
import type { RunInfo } from '../../protocol/run';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { NumberInput } from './NumberInput';

const moreRange = { label: 'more steps', min: 1, max: 4000, step: 1 };

export function GoOn({ run }: { run: RunInfo }) {
  const actions = useActions();
  const busy = useStudio((state) => state.runBusy);
  const [more, setMore] = useState(100);
  const [said, setSaid] = useState('');
  if (run.phase === 'failed') return <p className="note run-buttons">Everything up to the last checkpoint is kept.</p>;
  if (run.phase === 'stopped') return <div className="buttons run-buttons"><button type="button" className="button" data-testid={ids.goOn} disabled={busy} onClick={() => void actions.goOn()}>Continue</button></div>;
  return (
    <>
      <div className="buttons run-buttons go-on">
        <button type="button" className="button" data-testid={ids.learnMore} disabled={busy} title="Goes on from here with a longer recipe" onClick={() => void actions.goOn(more)}>Learn {more} more steps</button>
        <label className="visually-hidden" htmlFor="more-steps">How many more steps</label>
        <NumberInput id="more-steps" testId={ids.moreSteps} value={more} range={moreRange} onChange={setMore} onSay={setSaid} />
      </div>
      {said !== '' && <p className="note" role="status">{said}</p>}
    </>
  );
}
