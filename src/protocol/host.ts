/**
 * The worker's side of the wire: runs handlers, answers each request once, turns whatever is thrown into a Fault on the
 * wire, and aborts a request's signal when the client says so. It knows no handler by name.
 */
import { serializeFault } from './faults';
import type { EventName, Events, FromWorker, Handlers, RequestName, ToWorker } from './messages';

/** What host and client need of a Worker, a MessagePort or a worker's own scope. */
export interface Wire {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

export interface Host {
  emit<N extends EventName>(event: N, data: Events[N]): void;
}

/** ImageBitmaps and ports cross without a copy; everything else is cloned. */
export function transferables(value: unknown, found: Transferable[] = []): Transferable[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Blob) return found;
  if ((typeof ImageBitmap !== 'undefined' && value instanceof ImageBitmap) || (typeof MessagePort !== 'undefined' && value instanceof MessagePort)) {
    found.push(value);
    return found;
  }
  for (const inner of Object.values(value)) transferables(inner, found);
  return found;
}

/** Starts answering. `make` gets the host to emit events with and returns the handlers. */
export function serve(wire: Wire, make: (host: Host) => Handlers): Host {
  const running = new Map<number, AbortController>();
  const post = (message: FromWorker) => wire.postMessage(message, transferables(message));
  const host: Host = { emit: (event, data) => post({ event, data } as FromWorker) };
  const handlers = make(host);

  async function answer(id: number, name: RequestName, params: unknown): Promise<void> {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const handler = handlers[name] as (params: unknown, signal: AbortSignal) => Promise<unknown>;
      post({ id, ok: await handler(params, controller.signal) });
    } catch (error) {
      post({ id, fault: serializeFault(error) });
    } finally {
      running.delete(id);
    }
  }

  wire.addEventListener('message', ({ data }: MessageEvent) => {
    const message = data as ToWorker;
    if ('abort' in message) running.get(message.abort)?.abort();
    else void answer(message.id, message.name, message.params);
  });
  return host;
}
