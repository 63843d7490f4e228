/**
 * The worker's side of the wire: runs handlers, answers each request once, turns whatever is thrown into a Fault on the
 * wire, and aborts a request's signal when the client says so. It knows no handler by name.
 */
import { serializeFault } from './faults';
import { isAliveMessage } from './alive';
import type { EventName, Events, FromWorker, Handlers, RequestName, ToWorker } from './messages';
import { transferables, type Wire } from './wire';

export interface Host {
  emit<N extends EventName>(event: N, data: Events[N]): void;
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
    if (isAliveMessage(data)) return;
    const message = data as ToWorker;
    if ('abort' in message) running.get(message.abort)?.abort();
    else void answer(message.id, message.name, message.params);
  });
  return host;
}
