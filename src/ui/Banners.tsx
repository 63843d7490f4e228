/** What lies over the lower edge, so that nothing moves when it comes or goes: an unfinished run, a newer version, a link that cannot be read, a base that does not load. */
import { useState, type ReactNode } from 'react';
import { DiscardDialog } from './DiscardDialog';
import { isOpen } from '../state/run';
import { usePrimary } from './learn/primary';
import { useActions, useStudio } from './studio';
import { ids } from './testIds';

function Banner({ children, testId, tone }: { children: ReactNode; testId: string; tone?: 'bad' }) {
  return <div className={tone ? `banner ${tone}` : 'banner'} role={tone ? 'alert' : 'status'} data-testid={testId}>{children}</div>;
}

export function Banners() {
  const actions = useActions();
  const update = useStudio((state) => state.applyUpdate);
  const link = useStudio((state) => state.linkFault);
  const device = useStudio((state) => state.deviceFault);
  const restarting = useStudio((state) => state.restarting);
  const run = useStudio((state) => state.run);
  const elsewhere = useStudio((state) => state.elsewhere);
  const busy = useStudio((state) => state.runBusy);
  return (
    <div className="banners">
      {device && (
        <Banner testId={ids.fault} tone="bad">
          <p>{device.message} <span className="muted">{device.remedy}</span></p>
          <button type="button" className="button small" onClick={() => location.reload()}>Reload</button>
        </Banner>
      )}
      {elsewhere !== null && (
        <Banner testId={ids.runElsewhere}>
          <p>{elsewhere} <span className="muted">Here it can only be looked at.</span></p>
          <button type="button" className="button small" data-testid={ids.resumeTakeOver} disabled={busy} onClick={() => void actions.takeBack()}>Go on with it here</button>
        </Banner>
      )}
      {restarting !== null && (
        <Banner testId={ids.restarting}>
          <p>{restarting} <span className="muted">{isOpen(run) ? 'It is being replaced, and the run goes on from its last checkpoint.' : 'It is being replaced.'}</span></p>
        </Banner>
      )}
      {link && (
        <Banner testId={ids.fault} tone="bad">
          <p>{link.message}</p>
          <button type="button" className="button small" onClick={actions.dismissLink}>Use the defaults</button>
        </Banner>
      )}
      <ResumeBanner />
      {update && (
        <Banner testId={ids.updatePrompt}>
          <p>A newer version of Lamina is here. Learning goes on from its last checkpoint.</p>
          <button type="button" className="button small" onClick={update}>Update</button>
        </Banner>
      )}
    </div>
  );
}

function ResumeBanner() {
  const actions = useActions();
  const found = useStudio((state) => state.unfinished);
  const running = useStudio((state) => state.run !== null);
  const busy = useStudio((state) => state.runBusy);
  const primary = usePrimary('continue');
  const [asking, setAsking] = useState(false);
  if (!found || running) return null;
  const { run, ownedElsewhere } = found;
  const learned = run.step >= run.totalSteps;
  return (
    <Banner testId={ids.resumeBanner}>
      <p>
        {ownedElsewhere
          ? <>“{run.name}” is being learned in another tab, at step {run.step} of {run.totalSteps}.</>
          : learned ? <>“{run.name}” is learned and not kept yet.</>
          : <>“{run.name}” stopped at step {run.step} of {run.totalSteps}. Everything up to there is kept.</>}
      </p>
      <div className="buttons">
        {ownedElsewhere
          ? <button type="button" className="button small" data-testid={ids.resumeTakeOver} disabled={busy} onClick={() => void actions.continueRun()}>Take over</button>
          : <>
              <button type="button" className="button small" data-testid={ids.resumeDiscard} disabled={busy} onClick={() => setAsking(true)}>Discard</button>
              <button type="button" className={`button small ${primary}`} data-testid={ids.resumeContinue} disabled={busy} onClick={() => void actions.continueRun()}>{learned ? 'Open' : 'Continue'}</button>
            </>}
      </div>
      {asking && <DiscardDialog run={run} onClose={() => setAsking(false)} />}
    </Banner>
  );
}
