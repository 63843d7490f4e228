/**
 * What the session worker has in its hands, as far as the page must know it to put the same into the hands of the next one:
 * a run with its phase, or an opened concept, or a run that was about to begin.
 */
import { Fault } from './faults';
import type { FromWorker, ParamsOf, RequestName, ResultOf } from './messages';
import type { RunInfo } from './run';

type Ask = <N extends RequestName>(name: N, params: ParamsOf<N>) => Promise<ResultOf<N>>;
interface Beginning { name: RequestName; params: unknown; resolve(value: unknown): void; reject(fault: Fault): void }

export class Holding {
  run: RunInfo | null = null;
  private conceptId: string | null = null;
  /** A `learn` or `continueRun` whose worker died before it answered; the restored run answers it. */
  private beginning: Beginning | null = null;
  /** A run that another tab has taken over is not taken back by a crash here. */
  private elsewhere: string | null = null;

  noteEvent(message: Extract<FromWorker, { event: unknown }>): void {
    if (message.event === 'run' && message.data.runId !== this.elsewhere) this.hold(message.data, null);
    if (message.event === 'fault' && message.data.code === 'run-elsewhere') {
      this.elsewhere = this.run?.runId ?? null;
      this.run = null;
    }
  }

  noteAnswer(name: RequestName, params: unknown, result: unknown): void {
    if (name === 'learn' || name === 'continueRun') {
      this.elsewhere = null;
      this.hold(result as RunInfo, null);
    }
    if (name === 'openConcept') this.hold(null, (params as ParamsOf<'openConcept'>).conceptId);
    // a card's object is not held here: the page asks for it again
    if (name === 'leave' || name === 'openCard') this.hold(null, null);
    // a kept run is finished: from here on it is a concept
    if (name === 'keep' && this.run?.phase === 'finished') this.hold(null, (result as ResultOf<'keep'>).conceptId);
  }

  /** Takes over a request that begins a run, to be answered by `restore`. */
  begins(asked: Beginning): boolean {
    if (asked.name !== 'learn' && asked.name !== 'continueRun') return false;
    this.beginning = asked;
    return true;
  }

  giveUp(fault: Fault): void {
    this.beginning?.reject(fault);
    this.beginning = null;
  }

  /** Gives a new worker what the old one had; the run it continues, if any. Throws what the worker answers. */
  async restore(ask: Ask): Promise<RunInfo | null> {
    const { beginning, run } = this;
    const runId = beginning ? (beginning.params as ParamsOf<'learn'>).runId : run?.phase === 'failed' ? null : run?.runId;
    if (!runId) {
      if (this.conceptId) await ask('openConcept', { conceptId: this.conceptId });
      return null;
    }
    const wish = beginning ? 'go' : run?.phase === 'paused' ? 'pause' : run?.phase === 'stopped' ? 'stop' : 'go';
    try {
      const restored = await ask('continueRun', { runId, takeOver: true, wish });
      beginning?.resolve(restored);
      this.beginning = null;
      return restored;
    } catch (error) {
      if (!beginning) throw error;
      // it had not been stored yet: whoever asked is told, nobody else
      this.giveUp(error instanceof Fault ? error : new Fault('internal', String(error)));
      return null;
    }
  }

  private hold(run: RunInfo | null, conceptId: string | null): void {
    this.run = run;
    this.conceptId = conceptId;
  }
}
