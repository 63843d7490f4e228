/**
 * The data set that is being put together, among the settings: one record of words and numbers that changes often, and each picture's
 * file under a key of its own, written once.
 */
import type { Database } from './db';
import { withRoom } from './quota';

const KEY = 'dataSet';
const fileKey = (pictureId: string) => `${KEY}/${pictureId}`;
const fileKeys = () => IDBKeyRange.bound(`${KEY}/`, `${KEY}/\uffff`);

export interface KeptFile { pictureId: string; name: string; file: Blob }

/** Replaces what was kept; files that no picture needs any more go. Faults: `storage-full`. */
export async function putDataSet(db: Database, record: unknown, files: readonly KeptFile[]): Promise<void> {
  await withRoom('these pictures', async () => {
    const transaction = db.transaction('settings', 'readwrite');
    const stored = new Set((await transaction.store.getAllKeys(fileKeys())) as string[]);
    const needed = new Set(files.map(({ pictureId }) => fileKey(pictureId)));
    for (const key of stored) if (!needed.has(key)) await transaction.store.delete(key);
    for (const kept of files) if (!stored.has(fileKey(kept.pictureId))) await transaction.store.put(kept, fileKey(kept.pictureId));
    await transaction.store.put(record, KEY);
    await transaction.done;
  });
}

export async function readDataSet(db: Database): Promise<{ record: unknown; files: KeptFile[] } | null> {
  const record = (await db.get('settings', KEY)) ?? null;
  return record === null ? null : { record, files: (await db.getAll('settings', fileKeys())) as KeptFile[] };
}

export async function deleteDataSet(db: Database): Promise<void> {
  const transaction = db.transaction('settings', 'readwrite');
  await Promise.all([transaction.store.delete(KEY), transaction.store.delete(fileKeys()), transaction.done]);
}
