/**
 * JavaScript heaps of a page and of its workers, over the browser's own protocol: garbage is collected first, then each heap is
 * asked for what it still holds, array buffers and objects of the browser included. Workers are reached through the page's session.
 */

/** @param {import('playwright-core').Page} page @returns {Promise<{ read(): Promise<Record<string, number>> }>} */
export async function watchHeaps(page) {
  const cdp = await page.context().newCDPSession(page);
  const workers = new Map();
  const waiting = new Map();
  let nextId = 1;
  cdp.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => { if (targetInfo.type === 'worker') workers.set(sessionId, targetInfo.title || 'worker'); });
  cdp.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId));
  cdp.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result, error } = JSON.parse(message);
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
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await send('Runtime.getHeapUsage');
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  }

  return {
    /** Bytes by thread: `page`, and each worker by its name. */
    async read() {
      const bytes = { page: await heap((method) => cdp.send(method)) };
      for (const [sessionId, name] of workers) bytes[name] = await heap(inWorker(sessionId));
      return bytes;
    },
  };
}
