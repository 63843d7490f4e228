/**
 * The page's side of the wire: typed requests and events. A worker that crashes, ends in silence, gets stuck or loses its
 * device is replaced at once: the new one continues the run from its last checkpoint under the same run id (or opens the same
 * concept), then gets what the old one was asked and had not answered. Pictures on screen stay; nobody has to press anything.
 */
import { isAliveMessage, watchWorker } from './alive';
import { Asking } from './asking';
import { openDraftLane } from './draftLane';
import { Fault, rehydrateFault, serializeFault, type FaultCode } from './faults';
import type { WeightRoom } from './fit';
import { Holding } from './holding';
import type { BackendName, Compute } from './compute';
import type { EventName, Events, FromWorker, ParamsOf, RequestName, ResultOf } from './messages';
import type { Mix } from './mix';
import { isMoving, type RunInfo } from './run';
import { Restarts } from './restarts';
import type { WorkerLike } from './wire';

export interface ClientOptions {
  backend: BackendName | 'auto';
  threads: number | null;
  baseUrl: string;
  /** `embedded`, or an imported model's id. */
  base: string;
  /** Room for a large model's weights on the device. */
  room: WeightRoom;
  /** Makes the two workers; a new one replaces a dead one. */
  session(): WorkerLike;
  drafts(): WorkerLike;
}
export interface Client {
  request<N extends RequestName>(name: N, params: ParamsOf<N>, options?: { signal?: AbortSignal }): Promise<ResultOf<N>>;
  on<N extends EventName>(event: N, handler: (data: Events[N]) => void): () => void;
  balance(value: number): void;
  mix(mix: Mix): void;
  /** Opens the backend and begins loading the base. */
  open(): Promise<{ compute: Compute }>;
  close(): void;
}

/** Faults after which the worker is of no more use. */
const isDeath = (code: FaultCode) => isLoss(code) || code === 'worker-crashed';
const isLoss = (code: FaultCode) => code === 'device-lost' || code === 'out-of-memory';

export function openClient(options: ClientOptions): Client {
  const listeners = new Map<EventName, Set<(data: never) => void>>();
  const asking = new Asking();
  const restarts = new Restarts();
  const holding = new Holding();
  let stopWatching = () => {};
  let compute: Compute | null = null;
  /** Why WebGPU is no longer tried; empty while it may be. */
  let avoid = '';
  /** Of the room for weights; less each time that the device's memory was not enough. */
  let roomShare = 1;
  let generation = 0;
  let opened = { resolve: (_: { compute: Compute }) => {}, reject: (_: unknown) => {} };

  const emit = <N extends EventName>(event: N, data: Events[N]) => listeners.get(event)?.forEach((handler) => handler(data as never));
  /** Asks the present worker at once, also while it is taking up where another ended. */
  const ask = <N extends RequestName>(name: N, params: ParamsOf<N>) => asking.ask(name, params, { own: true });
  const lane = openDraftLane({
    make: options.drafts,
    onPicture: (picture) => emit('picture', picture),
    onOverlap: (overlap) => emit('overlap', overlap),
    onFault: (fault) => emit('fault', fault),
    onReplaced: (port) => { if (asking.worker) ask('attachDrafts', { port }).catch((error: unknown) => emit('fault', serializeFault(error))); },
  });

  function receive(message: FromWorker): void {
    if ('event' in message) {
      if (message.event === 'fault' && isDeath(message.data.code)) return restart(rehydrateFault(message.data));
      if (message.event === 'run') restarts.reached(message.data);
      holding.noteEvent(message);
      return emit(message.event, message.data as never);
    }
    // what failed with its device is asked again of the worker that comes next
    if ('fault' in message && isDeath(message.fault.code)) return;
    const asked = asking.take(message.id);
    if (!asked) return;
    if ('fault' in message) return asked.reject(rehydrateFault(message.fault));
    holding.noteAnswer(asked.name, asked.params, message.ok);
    asked.resolve(message.ok);
  }

  async function openWorker(): Promise<{ compute: Compute }> {
    const started = options.session();
    asking.worker = started;
    const died = (message: string) => { if (asking.worker === started) restart(new Fault('worker-crashed', message)); };
    started.addEventListener('message', ({ data }) => { if (asking.worker === started && !isAliveMessage(data)) receive(data as FromWorker); });
    started.addEventListener('error', (event) => {
      const text = (event as unknown as { message?: string }).message ?? '';
      died(`The worker stopped${text ? `: ${text}` : ''}.`);
    });
    stopWatching = watchWorker(started, (why) => died(why === 'ended' ? 'The browser ended the worker.' : 'The worker did not answer for a minute.'));
    const { backend, threads, baseUrl, base, room } = options;
    const found = await ask('open', { backend, threads, baseUrl, base, room: { weights: room, share: roomShare }, port: lane.connect(), before: compute, avoid });
    // once left, WebGPU is not taken up again by this page: every change costs the last digits
    if (compute?.backend === 'webgpu' && found.compute.backend !== 'webgpu') avoid = found.compute.reason;
    compute = found.compute;
    return found;
  }

  function endWorker(): void {
    stopWatching();
    asking.worker?.terminate();
    asking.worker = null;
  }

  function restart(why: Fault): void {
    generation++;
    endWorker();
    if (why.code === 'out-of-memory') roomShare /= 2;
    const moving = isMoving(holding.run);
    const verdict = restarts.judge({ atMs: performance.now(), device: isLoss(why.code), moving, backend: compute?.backend ?? null });
    asking.orphan((asked) => { if (!holding.begins(asked)) asked.reject(why); });
    if (verdict.then === 'never') return giveUp(new Fault('worker-crashed', `${why.message} That was ${verdict.deaths} times in a row without getting any further.`, 'Reload the page; everything up to the last checkpoint is kept.'));
    if (verdict.then === 'wasm') avoid = verdict.reason;
    emit('restarting', { message: why.message });
    void replace(generation);
  }

  function giveUp(fault: Fault): void {
    asking.rejectAll(fault);
    holding.giveUp(fault);
    opened.reject(fault);
    emit('fault', serializeFault(fault));
  }

  async function replace(mine: number): Promise<void> {
    asking.waiting = true;
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
    asking.passOn();
    emit('restarted', { run });
  }

  return {
    request: (name, params, options) => asking.ask(name, params, options),
    on(event, handler) {
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set);
      set.add(handler as (data: never) => void);
      return () => set.delete(handler as (data: never) => void);
    },
    balance: lane.balance,
    mix: lane.mix,
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
