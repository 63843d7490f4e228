/** Both stages: how far, how long, and the ways to hold, go on step by step, or stop. What was pressed is said at once, also while a step is still being made. */
import { StepForward } from 'lucide-react';
import { stagesOfRecipe } from '../../protocol/recipe';
import { isMoving, type RunInfo, type RunPhase } from '../../protocol/run';
import { isOpen } from '../../state/run';
import { duration } from '../format';
import { useNarrow } from '../narrow';
import { FaultNote } from '../parts/FaultNote';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';
import { GoOn } from './GoOn';
import { usePrimary } from './primary';

const phaseNames: Record<RunPhase, string> = {
  encoding: 'Reading the pictures', learning: 'Learning', paused: 'Paused', stopped: 'Stopped', finished: 'All steps done', failed: 'Stopped by a fault',
};
const askedNames = { pause: 'Pausing', resume: 'Going on', stop: 'Stopping' } as const;

export function statusText(run: RunInfo): string {
  if (!isMoving(run)) return run.phase === 'finished' ? '' : `at step ${run.step}`;
  if (run.phase === 'encoding') return '';
  return run.secondsLeft === null ? 'measuring the pace' : `${duration(run.secondsLeft)} left`;
}

const stagesOf = (run: RunInfo) => stagesOfRecipe(run.recipe).map((stage) => ({ ...stage, done: Math.min(stage.count, Math.max(0, run.step - stage.begin)) }));

export function Progress({ run }: { run: RunInfo }) {
  const encoding = useStudio((state) => state.encoding);
  const fault = useStudio((state) => state.runFault);
  const asked = useStudio((state) => state.runAsked);
  const narrow = useNarrow();
  const inline = isMoving(run);
  return (
    <div className="progress-block" data-testid={ids.phase} data-phase={run.phase}>
      <div className="row">
        <div role="status"><h2>{asked ? askedNames[asked] : phaseNames[run.phase]}</h2></div>
        <span className="note" data-testid={inline ? ids.timeLeft : undefined}>{run.phase === 'encoding' ? `${encoding?.done ?? 0} of ${encoding?.total ?? '–'}` : statusText(run)}</span>
      </div>
      <Stages run={run} />
      {stagesOf(run).map(({ id, label, term, count, done }) => <p key={id} className="row stage-row"><span title={term}>{label}</span><span className="count">{done} / {count}</span></p>)}
      <span className="visually-hidden" data-testid={ids.stepText}>{run.step} / {run.totalSteps}</span>
      {!narrow && <RunButtons run={run} />}
      {run.notIdentical !== '' && <p className="warning">{run.notIdentical}</p>}
      {!narrow && <FaultNote fault={fault} />}
    </div>
  );
}

export function Stages({ run }: { run: RunInfo }) {
  return (
    <div className="stages" role="progressbar" data-testid={ids.progress} aria-label="Learning" aria-valuemin={0} aria-valuemax={run.totalSteps} aria-valuenow={run.step}>
      {stagesOf(run).map(({ id, count, done }, i) => <div key={id} className="bar" style={{ flexGrow: count }}><div className={i === 0 ? 'fill first' : 'fill concept'} style={{ width: `${(100 * done) / count}%` }} /></div>)}
    </div>
  );
}

/** The row keeps its height when the run has ended, and Stop its place while it is paused. */
export function RunButtons({ run }: { run: RunInfo }) {
  const actions = useActions();
  const busy = useStudio((state) => state.runBusy || state.runAsked !== null || state.run?.phase === 'encoding');
  const elsewhere = useStudio((state) => state.elsewhere !== null);
  const primary = usePrimary('resume');
  const paused = run.phase === 'paused';
  if (elsewhere) return <p className="note run-buttons">Another tab goes on with it.</p>;
  if (!isOpen(run)) return <GoOn run={run} />;
  return (
    <div className="buttons run-buttons">
      {paused
        ? <div className="resume-pair">
            <button type="button" className={`button ${primary}`} data-testid={ids.resume} disabled={busy} onClick={() => void actions.resume()}>Resume</button>
            <button type="button" className="button icon-only" data-testid={ids.step} disabled={busy} aria-label="One step" title="One optimizer step, then pause again" onClick={() => void actions.singleStep()}><StepForward className="icon" aria-hidden /></button>
          </div>
        : <button type="button" className="button" data-testid={ids.pause} disabled={busy} onClick={() => void actions.pause()}>Pause</button>}
      <button type="button" className="button" data-testid={ids.stop} disabled={busy} title="Ends learning; what has been learned is kept" onClick={() => void actions.stop()}>Stop learning</button>
    </div>
  );
}
