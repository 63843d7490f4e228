/**
 * The page's side of the wire: typed requests and events. A worker that crashes, ends in silence, gets stuck or loses its
 * device is replaced at once: the new one continues the run from its last checkpoint under the same run id (or opens the same
 * concept), then gets what the old one was asked and had not answered. Pictures on screen stay; nobody has to press anything.
 */
import { isAliveMessage, watchWorker } from './alive';
import { openDraftLane } from './draftLane';
import { Fault, rehydrateFault, serializeFault, type FaultCode } from './faults';
import { Holding } from './holding';
import type { BackendName, Compute, EventName, Events, FromWorker, ParamsOf, RequestName, ResultOf, RunInfo } from './messages';
import { Restarts } from './restarts';
import { transferables, type WorkerLike } from './wire';

export interface ClientOptions {
  backend: BackendName | 'auto';
  threads: number | null;
  baseUrl: string;
  /** Makes the two workers; a new one replaces a dead one. */
  session(): WorkerLike;
  drafts(): WorkerLike;
}
export interface Client {
  request<N extends RequestName>(name: N, params: ParamsOf<N>, options?: { signal?: AbortSignal }): Promise<ResultOf<N>>;
  on<N extends EventName>(event: N, handler: (data: Events[N]) => void): () => void;
  balance(value: number): void;
  /** Opens the backend and begins loading the base. */
  open(): Promise<{ compute: Compute }>;
  close(): void;
}

interface Asked {
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

/** Asking these of a second worker could do a thing twice; all others are repeated after a restart, once. */
const onceOnly: ReadonlySet<RequestName> = new Set<RequestName>(['learn', 'continueRun', 'singleStep', 'keep']);
/** Faults after which the worker is of no more use. */
const isDeath = (code: FaultCode) => isLoss(code) || code === 'worker-crashed';
const isLoss = (code: FaultCode) => code === 'device-lost' || code === 'out-of-memory';
const isMoving = (run: RunInfo | null) => run !== null && ['encoding', 'extractor', 'student'].includes(run.phase);

export function openClient(options: ClientOptions): Client {
  const listeners = new Map<EventName, Set<(data: never) => void>>();
  const pending = new Map<number, Asked>();
  const clientId = crypto.randomUUID();
  const restarts = new Restarts();
  const holding = new Holding();
  let nextId = 1;
  let worker: WorkerLike | null = null;
  let stopWatching = () => {};
  let compute: Compute | null = null;
  /** Why WebGPU is no longer tried; empty while it may be. */
  let avoid = '';
  /** While a new worker takes up where the old one ended, what is asked waits. */
  let restoring = false;
  let generation = 0;
  let opened = { resolve: (_: { compute: Compute }) => {}, reject: (_: unknown) => {} };

  const emit = <N extends EventName>(event: N, data: Events[N]) => listeners.get(event)?.forEach((handler) => handler(data as never));
  const lane = openDraftLane({
    make: options.drafts,
    onPicture: (picture) => emit('picture', picture),
    onFault: (fault) => emit('fault', fault),
    onReplaced: (port) => { if (worker) ask('attachDrafts', { port }).catch((error: unknown) => emit('fault', serializeFault(error))); },
  });

  function send(id: number, asked: Asked): void {
    const { name, params } = asked;
    asked.of = worker;
    asked.sent++;
    worker!.postMessage({ id, name, params }, transferables(params));
  }

  function request<N extends RequestName>(name: N, params: ParamsOf<N>, { signal, own = false }: { signal?: AbortSignal; own?: boolean } = {}): Promise<ResultOf<N>> {
    if (!worker) return Promise.reject(new Fault('worker-crashed', 'The worker of this page is not running.', 'Reload the page.'));
    if (signal?.aborted) return Promise.reject(new Fault('aborted', 'Stopped.'));
    const id = nextId++;
    return new Promise<ResultOf<N>>((resolve, reject) => {
      const abort = () => {
        if (asked.of === worker) worker?.postMessage({ abort: id });
        else if (pending.delete(id)) asked.reject(new Fault('aborted', 'Stopped.'));
      };
      const settled = <T>(settle: (value: T) => void) => (value: T) => {
        signal?.removeEventListener('abort', abort);
        settle(value);
      };
      const asked: Asked = { name, params, own, of: null, sent: 0, resolve: settled(resolve as (value: unknown) => void), reject: settled(reject) };
      pending.set(id, asked);
      signal?.addEventListener('abort', abort, { once: true });
      if (own || !restoring) send(id, asked);
    });
  }

  function receive(message: FromWorker): void {
    if ('event' in message) {
      if (message.event === 'fault' && isDeath(message.data.code)) return restart(rehydrateFault(message.data));
      if (message.event === 'run') restarts.reached(message.data);
      holding.noteEvent(message);
      return emit(message.event, message.data as never);
    }
    const asked = pending.get(message.id);
    if (!asked) return;
    // what failed with its device is asked again of the worker that comes next
    if ('fault' in message && isDeath(message.fault.code)) return;
    pending.delete(message.id);
    if ('fault' in message) return asked.reject(rehydrateFault(message.fault));
    holding.noteAnswer(asked.name, asked.params, message.ok);
    asked.resolve(message.ok);
  }

  /** Asks the present worker at once, also while it is taking up where another ended. */
  const ask = <N extends RequestName>(name: N, params: ParamsOf<N>) => request(name, params, { own: true });

  async function openWorker(): Promise<{ compute: Compute }> {
    const started = options.session();
    worker = started;
    const died = (message: string) => { if (worker === started) restart(new Fault('worker-crashed', message)); };
    started.addEventListener('message', ({ data }) => { if (worker === started && !isAliveMessage(data)) receive(data as FromWorker); });
    started.addEventListener('error', (event) => {
      const text = (event as unknown as { message?: string }).message ?? '';
      died(`The worker stopped${text ? `: ${text}` : ''}.`);
    });
    stopWatching = watchWorker(started, (why) => died(why === 'ended' ? 'The browser ended the worker.' : 'The worker did not answer for a minute.'));
    const { backend, threads, baseUrl } = options;
    const found = await ask('open', { backend, threads, baseUrl, clientId, port: lane.connect(), before: compute, avoid });
    // once left, WebGPU is not taken up again by this page: every change costs the last digits
    if (compute?.backend === 'webgpu' && found.compute.backend !== 'webgpu') avoid = found.compute.reason;
    compute = found.compute;
    return found;
  }

  function endWorker(): void {
    stopWatching();
    worker?.terminate();
    worker = null;
  }

  function restart(why: Fault): void {
    generation++;
    endWorker();
    const moving = isMoving(holding.run);
    const verdict = restarts.judge({ atMs: performance.now(), device: isLoss(why.code), moving, backend: compute?.backend ?? null });
    for (const [id, asked] of pending) {
      if (asked.sent === 0 || (asked.sent === 1 && !asked.own && !onceOnly.has(asked.name))) continue;
      pending.delete(id);
      if (!asked.own && !holding.begins(asked)) asked.reject(why);
    }
    if (verdict.then === 'never') return giveUp(new Fault('worker-crashed', `${why.message} That was ${verdict.deaths} times in a row without getting any further.`, 'Reload the page; everything up to the last checkpoint is kept.'));
    if (verdict.then === 'wasm') avoid = verdict.reason;
    emit('restarting', { message: why.message });
    void replace(generation);
  }

  function giveUp(fault: Fault): void {
    restoring = false;
    for (const { reject } of pending.values()) reject(fault);
    pending.clear();
    holding.giveUp(fault);
    opened.reject(fault);
    emit('fault', serializeFault(fault));
  }

  async function replace(mine: number): Promise<void> {
    restoring = true;
    let run: RunInfo | null = null;
    try {
      const found = await openWorker();
      opened.resolve(found);
      emit('compute', found.compute);
      run = await holding.restore(ask);
    } catch (error) {
      if (mine === generation) emit('fault', serializeFault(error));
    }
    if (mine !== generation) return;
    restoring = false;
    for (const [id, asked] of pending) if (asked.of !== worker) send(id, asked);
    emit('restarted', { run });
  }

  return {
    request: (name, params, asking) => request(name, params, asking),
    on(event, handler) {
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set);
      set.add(handler as (data: never) => void);
      return () => set.delete(handler as (data: never) => void);
    },
    balance: lane.balance,
    open: () => new Promise((resolve, reject) => {
      opened = { resolve, reject };
      openWorker().then(resolve, (error: unknown) => { if (generation === 0) reject(error); });
    }),
    close() {
      generation++;
      endWorker();
      lane.close();
    },
  };
}
