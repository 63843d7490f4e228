/**
 * Whether a worker that died is replaced, and by what. A run that gets further between two deaths may die as often as it
 * likes; deaths that gain nothing are counted, and so are losses of the graphics device: each disturbs the whole browser.
 * Enough of them on WebGPU and the app goes on in wasm; enough of them there and it is left dead.
 */
import type { BackendName } from './compute';
import type { RunInfo } from './run';

/** Deaths in a row without a step gained, or within a minute while no run is going on. */
const FUTILE = 3;
/** Losses of the device within a minute. */
const LOSSES = 3;
const MINUTE_MS = 60_000;

export interface Death {
  atMs: number;
  /** The device was lost or out of memory, rather than the worker ended. */
  device: boolean;
  /** Whether steps were being made. */
  moving: boolean;
  /** What it computed on; null before that was known. */
  backend: BackendName | null;
}
export type Verdict = { then: 'again' } | { then: 'wasm'; reason: string } | { then: 'never'; deaths: number };

export class Restarts {
  private deaths: number[] = [];
  private losses: number[] = [];
  private furthest: { runId: string; step: number } = { runId: '', step: 0 };

  /** Notes how far a run is. Getting further than ever forgives the deaths before. */
  reached({ runId, step }: Pick<RunInfo, 'runId' | 'step'>): void {
    if (runId === this.furthest.runId && step <= this.furthest.step) return;
    if (runId === this.furthest.runId) this.deaths = [];
    this.furthest = { runId, step };
  }

  judge({ atMs, device, moving, backend }: Death): Verdict {
    const lately = (times: number[]) => times.filter((time) => atMs - time < MINUTE_MS);
    this.deaths = [...(moving ? this.deaths : lately(this.deaths)), atMs];
    if (device) this.losses = [...lately(this.losses), atMs];
    const deaths = this.deaths.length;
    if (backend === 'webgpu' && (deaths > FUTILE || this.losses.length >= LOSSES)) {
      const reason = this.losses.length >= LOSSES ? `The graphics device failed ${this.losses.length} times within a minute` : `The worker stopped ${deaths} times in a row on WebGPU`;
      this.deaths = [];
      return { then: 'wasm', reason: `${reason}. Reload the page to try WebGPU again.` };
    }
    return deaths > FUTILE ? { then: 'never', deaths } : { then: 'again' };
  }
}
