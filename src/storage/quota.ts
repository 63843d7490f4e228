/**
 * Room on the device: how much is used, whether it may be kept, and the one wording for a full disk.
 * Browsers report estimates, rounded on purpose; the figures here are what they say, never promises.
 */
import { Fault } from '../protocol/faults';
import type { CardRecord, Database } from './db';

/** The browser's storage manager, as far as this page needs it; absent in insecure contexts and in Node. */
export type StorageRoom = Partial<Pick<StorageManager, 'estimate' | 'persisted'>> & { persist?: () => Promise<boolean> };
const ownRoom = (): StorageRoom => globalThis.navigator?.storage ?? {};

const megabytes = (bytes: number) => `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: bytes < 1e7 ? 1 : 0 })} MB`;

/**
 * Asks that this page's storage survive a lack of disk space. True if it does. Browsers offer the question in windows only, so
 * a worker merely learns the answer; the page asks, once it is worth something to the user, since Firefox shows a prompt.
 */
export async function askPersistence(room = ownRoom()): Promise<boolean> {
  if (await room.persisted?.()) return true;
  return (await room.persist?.()) ?? false;
}

/** Whether a thrown value means that the disk is full or the quota used up, under any browser's name for it. */
export function isQuotaError(error: unknown): boolean {
  return error instanceof Error && (error.name === 'QuotaExceededError' || error.name === 'NS_ERROR_DOM_QUOTA_REACHED' || error.name === 'NS_ERROR_FILE_NO_DEVICE_SPACE');
}

/** Fault `storage-full`: what was to be stored, and what the browser says of used and allowed room. */
async function storageFull(what: string, cause: unknown, room = ownRoom()): Promise<Fault> {
  const { usage, quota } = (await room.estimate?.().catch(() => undefined)) ?? {};
  const figures = usage === undefined || quota === undefined ? 'It does not say how much it would allow.' : `It allows ${megabytes(quota)}, of which ${megabytes(usage)} are in use.`;
  return new Fault('storage-full', `The browser has no room left for ${what}. ${figures}`, 'Free some disk space, leave private browsing or delete concepts on the Shelf, then try again.', { cause });
}

/** Runs one write; a full disk becomes Fault `storage-full` naming `what`, every other error stays as it is. */
export async function withRoom<T>(what: string, write: () => Promise<T>, room?: StorageRoom): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw isQuotaError(error) ? await storageFull(what, error, room) : error;
  }
}

/** Used and allowed bytes as the browser says, and what base models and concepts take by our own count. */
export async function storageReport(db: Database, room = ownRoom()): Promise<{ usageBytes: number; quotaBytes: number; persisted: boolean; baseBytes: number; conceptBytes: number }> {
  const { usage = 0, quota = 0 } = (await room.estimate?.().catch(() => undefined)) ?? {};
  let baseBytes = 0;
  for (const { sizeBytes } of await db.getAll('manifests')) baseBytes += sizeBytes;
  let conceptBytes = 0;
  for (let cursor = await db.transaction('concepts').store.openCursor(); cursor; cursor = await cursor.continue()) conceptBytes += conceptSize(cursor.value);
  for (let cursor = await db.transaction('cards').store.openCursor(); cursor; cursor = await cursor.continue()) conceptBytes += cardSize(cursor.value);
  return { usageBytes: usage, quotaBytes: quota, persisted: (await room.persisted?.()) ?? false, baseBytes, conceptBytes };
}

/** Bytes a concept takes on this device: its tensors, its preview, and the pictures it was learned from. */
export function conceptSize({ tensors, preview, pictures = [] }: { tensors: Record<string, { data: Float32Array }>; preview: Blob | null; pictures?: readonly { file: Blob }[] }): number {
  return Object.values(tensors).reduce((total, { data }) => total + data.byteLength, preview?.size ?? 0) + pictures.reduce((total, { file }) => total + file.size, 0);
}

/** Bytes a card takes on this device: its tokens, its preview, and the pictures it was made of. */
function cardSize({ tokens, preview, pictures }: Pick<CardRecord, 'tokens' | 'preview' | 'pictures'>): number {
  return tokens.halves.byteLength + (preview?.size ?? 0) + pictures.reduce((total, { file, mask }) => total + file.size + mask.cells.byteLength, 0);
}
