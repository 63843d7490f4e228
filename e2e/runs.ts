/** What the studio's database holds of the runs, read by the page itself. */
import type { Stage } from './studio';

/** Work between two checkpoints (worker/running.ts). */
export const CHECKPOINT_MS = 5000;

/** Everything in a store of the studio's database. */
export const stored = <T>({ page }: Pick<Stage, 'page'>, store: string): Promise<T[]> => page.evaluate(async (name) => {
  const opened = indexedDB.open('lamina');
  const db = await new Promise<IDBDatabase>((done) => { opened.onsuccess = () => done(opened.result); });
  const asked = db.transaction(name).objectStore(name).getAll();
  const found = await new Promise<unknown[]>((done) => { asked.onsuccess = () => done(asked.result); });
  db.close();
  // states and files are megabytes that no test looks at
  const bare = (value: unknown): unknown => (ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? value.byteLength : value instanceof Blob ? value.size
    : Array.isArray(value) ? value.map(bare) : typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, bare(inner)])) : value);
  return found.map(bare) as never[];
}, store);

/** Step of the newest checkpoint of this run, or of all; 0 without one. */
export const checkpointStep = async (stage: Pick<Stage, 'page'>, runId?: string) =>
  Math.max(0, ...(await stored<{ runId: string; step: number }>(stage, 'checkpoints')).filter((one) => runId === undefined || one.runId === runId).map(({ step }) => step));

/** SHA-256 over all weights and moments of a run's newest checkpoint, and its step. */
export const checkpointDigest = ({ page }: Stage, runId: string): Promise<{ step: number; digest: string; numbers: number }> => page.evaluate(async (id) => {
  const opened = indexedDB.open('lamina');
  const db = await new Promise<IDBDatabase>((done) => { opened.onsuccess = () => done(opened.result); });
  const asked = db.transaction('checkpoints').objectStore('checkpoints').getAll(IDBKeyRange.bound([id, 0], [id, Infinity]));
  const found = await new Promise<{ step: number; state: unknown }[]>((done) => { asked.onsuccess = () => done(asked.result as { step: number; state: unknown }[]); });
  db.close();
  const newest = found.sort((a, b) => b.step - a.step)[0]!;
  const arrays: Float32Array<ArrayBuffer>[] = [];
  const collect = (value: unknown): void => {
    if (value instanceof Float32Array) arrays.push(value as Float32Array<ArrayBuffer>);
    else if (typeof value === 'object' && value !== null) for (const key of Object.keys(value).sort()) collect((value as Record<string, unknown>)[key]);
  };
  collect(newest.state);
  const bytes = new Uint8Array(await new Blob(arrays).arrayBuffer());
  const digest = [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { step: newest.step, digest, numbers: bytes.length / 4 };
}, runId);
