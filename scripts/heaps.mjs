/**
 * JavaScript heaps of a page and of its workers, over the browser's own protocol: garbage is collected first, then each heap is
 * asked for what it still holds, array buffers and objects of the browser included. Compiled code is left out: V8 compiles, and
 * keeps notes on what it saw, for as long as a program runs. Workers are reached through the page's session.
 */

/** In a heap snapshot: bytecode, machine code and feedback, the shapes that objects have had, and V8's lists of these. */
const KINDS = ['code', 'object shape'];
const LISTS = 'system / WeakArrayList';

/** Bytes of compiled code, and of what belongs to it, in a snapshot. */
export function codeBytes(snapshot) {
  const { snapshot: { meta: { node_fields: fields, node_types: [kinds] } }, nodes, strings } = JSON.parse(snapshot);
  const [kind, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field));
  let bytes = 0;
  for (let at = 0; at < nodes.length; at += fields.length) {
    if (KINDS.includes(kinds[nodes[at + kind]]) || strings[nodes[at + name]] === LISTS) bytes += nodes[at + size];
  }
  return bytes;
}

/** @param {import('playwright-core').Page} page @returns {Promise<{ read(): Promise<Record<string, number>>, now(): Promise<Record<string, number>> }>} */
export async function watchHeaps(page) {
  const cdp = await page.context().newCDPSession(page);
  const workers = new Map();
  const waiting = new Map();
  let nextId = 1;
  cdp.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => { if (targetInfo.type === 'worker') workers.set(sessionId, targetInfo.title || 'worker'); });
  cdp.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId));
  // one heap is read at a time, so all pieces are of one snapshot
  let pieces = [];
  cdp.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => pieces.push(chunk));
  cdp.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result, error, method, params } = JSON.parse(message);
    if (method === 'HeapProfiler.addHeapSnapshotChunk') pieces.push(params.chunk);
    const { done, failed } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error) failed?.(new Error(error.message));
    else done?.(result);
  });
  await cdp.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });

  const inWorker = (sessionId) => (method) => new Promise((done, failed) => {
    const id = nextId++;
    waiting.set(id, { done, failed });
    cdp.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) }).catch(failed);
  });

  async function heap(send) {
    // The first collection lets finalizers run, the second takes what they let go.
    await send('HeapProfiler.collectGarbage');
    await send('HeapProfiler.collectGarbage');
    pieces = [];
    await send('HeapProfiler.takeHeapSnapshot');
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await send('Runtime.getHeapUsage');
    return usedSize - codeBytes(pieces.join('')) + embedderHeapUsedSize + backingStorageSize;
  }

  return {
    /** Bytes in use now by thread, what could be collected included: cheap enough to be asked while something runs. */
    async now() {
      const used = ({ usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 }) => usedSize + embedderHeapUsedSize + backingStorageSize;
      const bytes = { page: used(await cdp.send('Runtime.getHeapUsage')) };
      for (const [sessionId, name] of workers) bytes[name] = used(await inWorker(sessionId)('Runtime.getHeapUsage'));
      return bytes;
    },
    /** Bytes by thread: `page`, and each worker by its name. */
    async read() {
      const bytes = { page: await heap((method) => cdp.send(method)) };
      for (const [sessionId, name] of workers) bytes[name] = await heap(inWorker(sessionId));
      return bytes;
    },
  };
}
