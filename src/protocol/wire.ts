/** The wire itself: what its two ends have in common, and what crosses it without a copy. */

/** What is needed of a Worker, a MessagePort or a worker's own scope. */
export interface Wire {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

/** A worker as the page uses it; tests hand in a MessagePort. */
export interface WorkerLike extends Wire {
  terminate(): void;
  addEventListener(type: 'message' | 'error', listener: (event: MessageEvent) => void): void;
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
