/**
 * Requests on their way: each has an id and is answered once, by the worker it was sent to or by that one's successor.
 * Which requests a second worker may be asked, and when, is decided here; why a worker is replaced is not.
 */
import { Fault } from './faults';
import type { ParamsOf, RequestName, ResultOf } from './messages';
import { transferables, type WorkerLike } from './wire';

export interface Asked {
  name: RequestName;
  params: unknown;
  resolve(value: unknown): void;
  reject(fault: Fault): void;
  /** Which worker was asked last, and how many there were. */
  of: WorkerLike | null;
  sent: number;
  /** The client's own, begun anew by each restart. */
  own: boolean;
}
export interface AskOptions { signal?: AbortSignal; own?: boolean }

/** Asking these of a second worker could do a thing twice; all others are repeated after a restart, once. */
const onceOnly: ReadonlySet<RequestName> = new Set<RequestName>(['learn', 'continueRun', 'singleStep', 'keep']);

const aborted = () => new Fault('aborted', 'Stopped.');

export class Asking {
  worker: WorkerLike | null = null;
  /** While a new worker takes up where the old one ended, only the client's own requests go through. */
  waiting = false;
  private readonly pending = new Map<number, Asked>();
  private nextId = 1;

  ask<N extends RequestName>(name: N, params: ParamsOf<N>, { signal, own = false }: AskOptions = {}): Promise<ResultOf<N>> {
    if (!this.worker) return Promise.reject(new Fault('worker-crashed', 'The worker of this page is not running.', 'Reload the page.'));
    if (signal?.aborted) return Promise.reject(aborted());
    const id = this.nextId++;
    return new Promise<ResultOf<N>>((resolve, reject) => {
      const abort = () => {
        if (asked.of === this.worker) this.worker?.postMessage({ abort: id });
        else if (this.pending.delete(id)) asked.reject(aborted());
      };
      const settled = <T>(settle: (value: T) => void) => (value: T) => {
        signal?.removeEventListener('abort', abort);
        settle(value);
      };
      const asked: Asked = { name, params, own, of: null, sent: 0, resolve: settled(resolve as (value: unknown) => void), reject: settled(reject) };
      this.pending.set(id, asked);
      signal?.addEventListener('abort', abort, { once: true });
      if (own || !this.waiting) this.send(id, asked);
    });
  }

  /** What an answer belongs to; it is then no longer pending. */
  take(id: number): Asked | undefined {
    const asked = this.pending.get(id);
    this.pending.delete(id);
    return asked;
  }

  /** The worker is dead: what it was asked waits for the next, or goes to `drop`. The client's own are simply forgotten. */
  orphan(drop: (asked: Asked) => void): void {
    for (const [id, asked] of this.pending) {
      if (asked.sent === 0 || (asked.sent === 1 && !asked.own && !onceOnly.has(asked.name))) continue;
      this.pending.delete(id);
      if (!asked.own) drop(asked);
    }
  }

  /** Asks the present worker what no worker, or only a dead one, has been asked. */
  passOn(): void {
    this.waiting = false;
    for (const [id, asked] of this.pending) if (asked.of !== this.worker) this.send(id, asked);
  }

  rejectAll(fault: Fault): void {
    this.waiting = false;
    for (const { reject } of this.pending.values()) reject(fault);
    this.pending.clear();
  }

  private send(id: number, asked: Asked): void {
    const { name, params } = asked;
    asked.of = this.worker;
    asked.sent++;
    this.worker!.postMessage({ id, name, params }, transferables(params));
  }
}
