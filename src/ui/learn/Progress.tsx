/** Both stages: how far, how long, and the ways to hold, go on step by step, or stop. */
import type { RunInfo, RunPhase } from '../../protocol/run';
import { isMoving, isOpen } from '../../state/run';
import { duration } from '../format';
import { FaultNote } from '../parts/FaultNote';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

const phaseNames: Record<RunPhase, string> = {
  encoding: 'Encoding', extractor: 'Learning', student: 'Learning', paused: 'Paused', stopped: 'Stopped', finished: 'Learned', failed: 'Stopped by a fault',
};

function statusText(run: RunInfo): string {
  if (run.phase === 'stopped') return `Stopped at step ${run.step}. Everything up to here is kept.`;
  if (run.phase === 'finished') return 'All steps done.';
  if (run.phase === 'paused') return `Paused at step ${run.step}.`;
  return run.secondsLeft === null ? 'measuring the pace' : `${duration(run.secondsLeft)} left`;
}

export function Progress({ run }: { run: RunInfo }) {
  const encoding = useStudio((state) => state.encoding);
  const fault = useStudio((state) => state.runFault);
  const elsewhere = useStudio((state) => state.deviceFault?.code === 'run-elsewhere');
  const { stage1Steps, stage2Steps } = run.recipe;
  const [first, second] = [Math.min(run.step, stage1Steps), Math.max(0, run.step - stage1Steps)];
  const inline = isMoving(run);
  return (
    <div className="progress-block" data-testid={ids.phase} data-phase={run.phase}>
      <div className="row">
        <h2>{phaseNames[run.phase]}</h2>
        {inline && <span className="note" data-testid={ids.timeLeft}>{run.phase === 'encoding' ? `picture ${encoding?.done ?? 0} of ${encoding?.total ?? '–'}` : statusText(run)}</span>}
      </div>
      <div className="stages" role="progressbar" data-testid={ids.progress} aria-label="Learning" aria-valuemin={0} aria-valuemax={run.totalSteps} aria-valuenow={run.step}>
        <div className="bar" style={{ flexGrow: stage1Steps }}><div className="fill first" style={{ width: `${(100 * first) / stage1Steps}%` }} /></div>
        {stage2Steps > 0 && <div className="bar" style={{ flexGrow: stage2Steps }}><div className="fill concept" style={{ width: `${(100 * second) / stage2Steps}%` }} /></div>}
      </div>
      <p className="row stage-row"><span title="Stage 1, extractor">Know the concept</span><span className="count">{first} / {stage1Steps}</span></p>
      <p className="row stage-row"><span title="Stage 2, student">Add it, keep the rest</span><span className="count">{second} / {stage2Steps}</span></p>
      <span className="visually-hidden" data-testid={ids.stepText}>{run.step} / {run.totalSteps}</span>
      {!inline && <p className="note" role="status">{statusText(run)}</p>}
      {run.notIdentical !== '' && <p className="warning">{run.notIdentical}</p>}
      <FaultNote fault={fault} />
      {isOpen(run) && !elsewhere && <RunButtons run={run} />}
    </div>
  );
}

function RunButtons({ run }: { run: RunInfo }) {
  const actions = useActions();
  const busy = useStudio((state) => state.runBusy);
  const paused = run.phase === 'paused';
  return (
    <div className="buttons">
      {paused
        ? <button type="button" className="button" data-testid={ids.resume} disabled={busy} onClick={() => void actions.resume()}>Resume</button>
        : <button type="button" className="button" data-testid={ids.pause} disabled={busy} onClick={() => void actions.pause()}>Pause</button>}
      {paused && <button type="button" className="button" data-testid={ids.step} disabled={busy} title="One optimizer step, then pause again" onClick={() => void actions.singleStep()}>Step</button>}
      <button type="button" className="button" data-testid={ids.stop} disabled={busy} title="Ends learning; what has been learned is kept" onClick={() => void actions.stop()}>Stop</button>
    </div>
  );
}
