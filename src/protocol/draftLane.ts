/**
 * The slider's own lane: moves go to the draft worker, past the session, and only the newest answer is shown. A draft worker
 * that dies is replaced without a word: the session gives the new one its decoder and probe, and the last move is asked again.
 */
import { watchWorker, isAliveMessage } from './alive';
import { Fault, serializeFault, type FaultData } from './faults';
import type { FromDrafts, MixOverlap, ToDrafts } from './drafts';
import { mixPicture, type Mix } from './mix';
import { NO_STEPS, type PictureEvent } from './pictures';
import { Restarts } from './restarts';
import type { WorkerLike } from './wire';

export interface DraftLane {
  balance(value: number): void;
  mix(mix: Mix): void;
  /** A new channel to the draft worker; the other end is for the session. */
  connect(): MessagePort;
  close(): void;
}
export interface DraftLaneOptions {
  make(): WorkerLike;
  onPicture(picture: PictureEvent): void;
  onOverlap(overlap: MixOverlap): void;
  onFault(fault: FaultData): void;
  /** A new draft worker needs the session to feed it through this end. */
  onReplaced(port: MessagePort): void;
}

export function openDraftLane({ make, onPicture, onOverlap, onFault, onReplaced }: DraftLaneOptions): DraftLane {
  const restarts = new Restarts();
  let worker: WorkerLike | null = null;
  let stopWatching = () => {};
  let revision = 0;
  /** The newest move while it has no decoded answer. */
  let unanswered: Exclude<ToDrafts, { kind: 'open' }> | null = null;

  function receive(message: FromDrafts): void {
    if (message.kind === 'fault') return onFault(message.fault);
    // a draft that a newer move of the slider has overtaken is not worth a flash
    if (message.revision !== revision) return message.bitmap.close();
    const { bitmap, state, elapsedMs } = message;
    if (state === 'draft') unanswered = null;
    const drawn = { revision, bitmap, state, step: 0, ...NO_STEPS, elapsedMs };
    if (message.kind === 'draft') return onPicture({ slot: { kind: 'concept' }, ...drawn, balance: message.balance, ...message.of });
    onPicture({ slot: { kind: 'mix', merged: false }, ...drawn, ...mixPicture(message.mix) });
    onOverlap({ ids: message.ids, overlap: message.overlap });
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

  const move = (next: Exclude<ToDrafts, { kind: 'open' }>) => {
    unanswered = next;
    worker?.postMessage(next);
  };

  return {
    balance: (balance) => move({ kind: 'balance', balance, revision: ++revision }),
    mix: (mix) => move({ kind: 'mix', mix, revision: ++revision }),
    connect,
    close: end,
  };
}
