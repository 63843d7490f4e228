/**
 * How a page learns that a worker is gone although no error was reported: terminated, its thread killed by the browser, or
 * stuck for good. Each worker holds a Web Lock that the browser frees the moment it ends, and the page waits for that lock:
 * no timer, so neither a long step nor a background tab can raise a false alarm. A worker that lives but never comes back to
 * its messages (a wasm thread died under it, an endless loop) is found by questions it answers between its blocks.
 */
import type { Wire } from './wire';

type Said = { alive: 'ask' } | { alive: 'here' } | { alive: 'lock'; name: string };

/** Time between two questions. They cost one message each way. */
const ASK_MS = 5000;
/**
 * Questions in a row without an answer before a worker counts as stuck: a minute. The longest stretch without a breath is one
 * transformer block or one decoding, seconds on a slow machine. Questions are counted, not time: a throttled or frozen tab
 * asks less often and finds a stuck worker later, never a working one stuck.
 */
const UNANSWERED = 12;

export const isAliveMessage = (data: unknown): data is Said => typeof data === 'object' && data !== null && 'alive' in data;

/** The worker's side: holds its lock and answers. Without locks (insecure contexts) only the questions remain. */
export function stayAlive(wire: Wire, locks = globalThis.navigator?.locks): void {
  wire.addEventListener('message', ({ data }) => {
    if (isAliveMessage(data) && data.alive === 'ask') wire.postMessage({ alive: 'here' } satisfies Said);
  });
  const name = `lamina.worker.${crypto.randomUUID()}`;
  void locks?.request(name, () => {
    wire.postMessage({ alive: 'lock', name } satisfies Said);
    return new Promise(() => {});
  });
}

/** The page's side: calls `onGone` at most once. Returns the function that ends the watch, to be called before a `terminate` of one's own. */
export function watchWorker(worker: Wire, onGone: (why: 'ended' | 'stuck') => void, locks = globalThis.navigator?.locks): () => void {
  const watch = new AbortController();
  let unanswered = 0;
  const gone = (why: 'ended' | 'stuck') => {
    if (watch.signal.aborted) return;
    stop();
    onGone(why);
  };
  const timer = setInterval(() => {
    if (unanswered >= UNANSWERED) return gone('stuck');
    unanswered++;
    worker.postMessage({ alive: 'ask' } satisfies Said);
  }, ASK_MS);
  const stop = () => {
    clearInterval(timer);
    watch.abort();
  };
  worker.addEventListener('message', ({ data }) => {
    if (watch.signal.aborted) return;
    unanswered = 0;
    if (!isAliveMessage(data) || data.alive !== 'lock') return;
    locks?.request(data.name, { signal: watch.signal }, () => gone('ended')).catch((error: unknown) => {
      if (!watch.signal.aborted) throw error;
    });
  });
  return stop;
}
