/**
 * The page's side of the wire: typed requests, events, and the slider's own lane to the draft worker (latest wins).
 * A worker that crashes or loses its device is replaced at once: pending requests fail with `worker-crashed`, and the run
 * that was going on is continued from its last checkpoint under the same run id. Pictures on screen stay.
 */
import { Fault, rehydrateFault, serializeFault } from './faults';
import { transferables, type Wire } from './host';
import type { BackendName, Compute, EventName, Events, FromDrafts, FromWorker, ParamsOf, RequestName, ResultOf, RunInfo, ToDrafts } from './messages';

/** A worker as the client uses it; tests hand in a MessagePort. */
export interface WorkerLike extends Wire {
  terminate(): void;
  addEventListener(type: 'message' | 'error', listener: (event: MessageEvent) => void): void;
}
export interface ClientOptions {
  backend: BackendName | 'auto';
  threads: number | null;
  baseUrl: string;
  /** Makes the two workers; a new session worker replaces a dead one. */
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

interface Pending { resolve(value: unknown): void; reject(fault: Fault): void }

/** A worker that dies this often within a minute is left dead. */
const MAX_RESTARTS = 3;

export function openClient(options: ClientOptions): Client {
  const listeners = new Map<EventName, Set<(data: never) => void>>();
  const pending = new Map<number, Pending>();
  const clientId = crypto.randomUUID();
  let nextId = 1;
  let worker: WorkerLike | null = null;
  let drafts: WorkerLike | null = null;
  let activeRun: RunInfo | null = null;
  let restarts: number[] = [];
  let revision = 0;

  const emit = <N extends EventName>(event: N, data: Events[N]) => listeners.get(event)?.forEach((handler) => handler(data as never));

  function request<N extends RequestName>(name: N, params: ParamsOf<N>, { signal }: { signal?: AbortSignal } = {}): Promise<ResultOf<N>> {
    const target = worker;
    if (!target) return Promise.reject(new Fault('worker-crashed', 'The worker of this page is not running.', 'Reload the page.'));
    if (signal?.aborted) return Promise.reject(new Fault('aborted', 'Stopped.'));
    const id = nextId++;
    return new Promise<ResultOf<N>>((resolve, reject) => {
      const abort = () => target.postMessage({ abort: id });
      const settled = <T>(settle: (value: T) => void) => (value: T) => {
        signal?.removeEventListener('abort', abort);
        settle(value);
      };
      pending.set(id, { resolve: settled(resolve as (value: unknown) => void), reject: settled(reject) });
      signal?.addEventListener('abort', abort, { once: true });
      target.postMessage({ id, name, params }, transferables(params));
    });
  }

  function receive(message: FromWorker): void {
    if ('event' in message) {
      if (message.event === 'run') activeRun = message.data;
      if (message.event === 'fault' && message.data.code === 'device-lost') return void restart(rehydrateFault(message.data));
      return emit(message.event, message.data as never);
    }
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if ('ok' in message) waiting?.resolve(message.ok);
    else waiting?.reject(rehydrateFault(message.fault));
  }

  function receiveDraft(message: FromDrafts): void {
    if (message.kind === 'fault') return emit('fault', message.fault);
    // a draft that a newer move of the slider has overtaken is not worth a flash
    if (message.revision !== revision) return message.bitmap.close();
    const { bitmap, state, balance, elapsedMs } = message;
    emit('picture', { slot: { kind: 'concept' }, revision: message.revision, bitmap, state, step: 0, steps: 0, elapsedMs, prompt: '', seed: 0, balance });
  }

  function openWorker(): Promise<{ compute: Compute }> {
    const { port1, port2 } = new MessageChannel();
    const started = options.session();
    worker = started;
    started.addEventListener('message', ({ data }) => { if (worker === started) receive(data as FromWorker); });
    started.addEventListener('error', (event) => {
      if (worker !== started) return;
      const text = (event as unknown as { message?: string }).message ?? '';
      void restart(new Fault('worker-crashed', `The worker stopped${text ? `: ${text}` : ''}.`, 'It is being restarted; everything up to the last checkpoint is kept.'));
    });
    drafts ??= startDrafts();
    drafts.postMessage({ kind: 'open', port: port2 } satisfies ToDrafts, [port2]);
    return request('open', { backend: options.backend, threads: options.threads, baseUrl: options.baseUrl, clientId, port: port1 });
  }

  function startDrafts(): WorkerLike {
    const started = options.drafts();
    started.addEventListener('message', ({ data }) => receiveDraft(data as FromDrafts));
    started.addEventListener('error', () => emit('fault', serializeFault(new Fault('worker-crashed', 'The drafts under the slider stopped.', 'Reload the page to slide again; learning goes on.'))));
    return started;
  }

  async function restart(why: Fault): Promise<void> {
    const run = activeRun;
    worker?.terminate();
    worker = null;
    for (const { reject } of pending.values()) reject(why);
    pending.clear();
    emit('fault', serializeFault(why));
    restarts = [...restarts.filter((at) => performance.now() - at < 60_000), performance.now()];
    if (restarts.length > MAX_RESTARTS) return;
    try {
      emit('compute', (await openWorker()).compute);
      if (!run || run.phase === 'failed') return;
      await request('continueRun', { runId: run.runId, takeOver: true });
      if (run.phase === 'paused' || run.phase === 'stopped') await request('pause', undefined);
    } catch (error) {
      emit('fault', serializeFault(error));
    }
  }

  return {
    request,
    on(event, handler) {
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set);
      set.add(handler as (data: never) => void);
      return () => set.delete(handler as (data: never) => void);
    },
    balance(value) {
      drafts?.postMessage({ kind: 'balance', balance: value, revision: ++revision } satisfies ToDrafts);
    },
    open: openWorker,
    close() {
      worker?.terminate();
      drafts?.terminate();
      worker = drafts = null;
    },
  };
}
