/**
 * The data set that is being put together, among the settings: one record of words and numbers that changes often, and each picture's
 * file under a key of its own, written once. Several may lie above each other, by level; the lowest is 0.
 */
import type { Database } from './db';
import { withRoom } from './quota';

const KEY = 'dataSet';
const recordKey = (level: number) => (level === 0 ? KEY : `${KEY}@${level}`);
const levelOf = (key: string): number | null => (key === KEY ? 0 : key.startsWith(`${KEY}@`) && !key.includes('/') ? Number(key.slice(KEY.length + 1)) : null);
const fileKey = (level: number, pictureId: string) => `${recordKey(level)}/${pictureId}`;
const fileKeys = (level: number) => IDBKeyRange.bound(`${recordKey(level)}/`, `${recordKey(level)}/\uffff`);

export interface KeptFile { pictureId: string; name: string; file: Blob }

/** Replaces what was kept at this level; files that no picture needs any more go. Faults: `storage-full`. */
export async function putDataSet(db: Database, level: number, record: unknown, files: readonly KeptFile[]): Promise<void> {
  await withRoom('these pictures', async () => {
    const transaction = db.transaction('settings', 'readwrite');
    const stored = new Set((await transaction.store.getAllKeys(fileKeys(level))) as string[]);
    const needed = new Set(files.map(({ pictureId }) => fileKey(level, pictureId)));
    for (const key of stored) if (!needed.has(key)) await transaction.store.delete(key);
    for (const kept of files) if (!stored.has(fileKey(level, kept.pictureId))) await transaction.store.put(kept, fileKey(level, kept.pictureId));
    await transaction.store.put(record, recordKey(level));
    await transaction.done;
  });
}

/** The uppermost. */
export async function readDataSet(db: Database): Promise<{ level: number; record: unknown; files: KeptFile[] } | null> {
  const keys = (await db.getAllKeys('settings', IDBKeyRange.bound(KEY, `${KEY}@\uffff`))) as string[];
  const levels = keys.map(levelOf).filter((level) => level !== null);
  if (levels.length === 0) return null;
  const level = Math.max(...levels);
  return { level, record: await db.get('settings', recordKey(level)), files: (await db.getAll('settings', fileKeys(level))) as KeptFile[] };
}

export async function deleteDataSet(db: Database, level: number): Promise<void> {
  const transaction = db.transaction('settings', 'readwrite');
  await Promise.all([transaction.store.delete(recordKey(level)), transaction.store.delete(fileKeys(level)), transaction.done]);
}
