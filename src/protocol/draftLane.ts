/**
 * The slider's own lane: moves go to the draft worker, past the session, and only the newest answer is shown. A draft worker
 * that dies is replaced without a word: the session gives the new one its decoder and probe, and the last move is asked again.
 */
import { watchWorker, isAliveMessage } from './alive';
import { Fault, serializeFault, type FaultData } from './faults';
import type { FromDrafts, ToDrafts } from './drafts';
import type { PictureEvent } from './pictures';
import { Restarts } from './restarts';
import type { WorkerLike } from './wire';

export interface DraftLane {
  balance(value: number): void;
  /** A new channel to the draft worker; the other end is for the session. */
  connect(): MessagePort;
  close(): void;
}
export interface DraftLaneOptions {
  make(): WorkerLike;
  onPicture(picture: PictureEvent): void;
  onFault(fault: FaultData): void;
  /** A new draft worker needs the session to feed it through this end. */
  onReplaced(port: MessagePort): void;
}

export function openDraftLane({ make, onPicture, onFault, onReplaced }: DraftLaneOptions): DraftLane {
  const restarts = new Restarts();
  let worker: WorkerLike | null = null;
  let stopWatching = () => {};
  let revision = 0;
  /** The newest move while it has no decoded answer. */
  let unanswered: (ToDrafts & { kind: 'balance' }) | null = null;

  function receive(message: FromDrafts): void {
    if (message.kind === 'fault') return onFault(message.fault);
    // a draft that a newer move of the slider has overtaken is not worth a flash
    if (message.revision !== revision) return message.bitmap.close();
    const { bitmap, state, balance, elapsedMs, of } = message;
    if (state === 'draft') unanswered = null;
    onPicture({ slot: { kind: 'concept' }, revision, bitmap, state, step: 0, steps: 0, elapsedMs, balance, ...of });
  }

  function start(): WorkerLike {
    const started = make();
    worker = started;
    started.addEventListener('message', ({ data }) => { if (worker === started && !isAliveMessage(data)) receive(data as FromDrafts); });
    const died = () => { if (worker === started) replace(); };
    started.addEventListener('error', died);
    stopWatching = watchWorker(started, died);
    return started;
  }

  function end(): void {
    stopWatching();
    worker?.terminate();
    worker = null;
  }

  function replace(): void {
    end();
    if (restarts.judge({ atMs: performance.now(), device: false, moving: false, backend: null }).then === 'never') {
      return onFault(serializeFault(new Fault('worker-crashed', 'The drafts under the slider stopped.', 'Reload the page to slide again; learning goes on.')));
    }
    onReplaced(connect());
    if (unanswered) worker!.postMessage(unanswered);
  }

  function connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    (worker ?? start()).postMessage({ kind: 'open', port: port2 } satisfies ToDrafts, [port2]);
    return port1;
  }

  return {
    balance(balance) {
      unanswered = { kind: 'balance', balance, revision: ++revision };
      worker?.postMessage(unanswered);
    },
    connect,
    close: end,
  };
}
