/**
 * The engine's figures for the page, and steps and pictures as tracks of the performance panel. It listens to what the
 * session emits and sends a report twice a second at most, only when something has changed. Off, it does nothing at all.
 */
import { memoryNow, startTracing, trackEntry, type KernelTime, type Trace } from '../engine/tracing';
import type { Host } from '../protocol/host';
import type { KernelShare, TraceReport } from '../protocol/compute';
import type { EventName, Events } from '../protocol/messages';
import type { StepMetrics } from '../protocol/run';
import type { Turns, Urgency } from './turns';

const EVERY_MS = 500;
/** Kernel names in a report. */
const LONGEST = 5;

type Kernel = KernelTime<Urgency | null>;

/** Kernels by name, longest first. */
export function kernelShares(kernels: readonly { name: string; ms: number }[]): KernelShare[] {
  const shares = new Map<string, KernelShare>();
  for (const { name, ms } of kernels) {
    const share = shares.get(name) ?? { name, calls: 0, ms: 0 };
    shares.set(name, { name, calls: share.calls + 1, ms: share.ms + ms });
  }
  return [...shares.values()].sort((a, b) => b.ms - a.ms);
}

export class Tracing {
  /** For everyone of the session to emit by. */
  readonly host: Host = {
    emit: (event, data) => {
      // a step ends before it is told of
      const now = performance.now();
      this.wire.emit(event, data);
      if (this.trace) this.hear(this.trace, event, data, now);
    },
  };
  private trace: Trace | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private kernels: Kernel[] = [];
  private step: TraceReport['step'] = null;
  private sent = '';

  constructor(private readonly wire: Host, private readonly turns: Turns) {}

  /** Needs an open backend. */
  turn(on: boolean): void {
    if (on === (this.trace !== null)) return;
    this.trace?.stop();
    clearInterval(this.timer);
    this.trace = null;
    this.kernels = [];
    this.step = null;
    this.sent = '';
    if (!on) return;
    const trace = startTracing({
      tag: () => this.turns.foremost,
      // what a step is made of is told of steps alone; the panel's tracks have everything
      onKernel: (kernel) => { if (kernel.tag === 'training') this.kernels.push(kernel); },
    });
    this.trace = trace;
    this.timer = setInterval(() => this.report(trace), EVERY_MS);
  }

  private hear<N extends EventName>(trace: Trace, event: N, data: Events[N], now: number): void {
    if (event === 'metrics') {
      const row = data as StepMetrics;
      trackEntry('Steps', `${row.stage} ${row.step}`, now - row.stepMs, now, 'primary-dark', Object.entries(row.losses).map(([name, value]) => [name, value.toPrecision(4)]));
      void this.count(trace, row, now);
    } else if (event === 'picture') {
      const { slot, state, elapsedMs, prompt } = data as Events['picture'];
      if (state === 'full') trackEntry('Sampling', slot.kind, now - elapsedMs, now, 'tertiary-dark', [['prompt', prompt]]);
    }
  }

  /** The kernels recorded within the step; a GPU tells of them a little later. */
  private async count(trace: Trace, { step, stepMs }: StepMetrics, end: number): Promise<void> {
    await trace.settled();
    const mine = this.kernels.filter(({ recordedAt }) => recordedAt >= end - stepMs && recordedAt <= end);
    this.kernels = this.kernels.filter(({ recordedAt }) => recordedAt > end);
    if (this.trace !== trace) return;
    this.step = { step, stepMs, kernelMs: mine.reduce((sum, { ms }) => sum + ms, 0), kernels: kernelShares(mine).slice(0, LONGEST) };
  }

  private report({ clock, peakBytes }: Trace): void {
    const report: TraceReport = { clock, step: this.step, memory: memoryNow(), peakBytes };
    const text = JSON.stringify(report);
    if (text === this.sent) return;
    this.sent = text;
    this.wire.emit('trace', report);
  }
}
