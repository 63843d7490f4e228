/**
 * Latents of the pictures that runs learn from, by what they were made of, so that a run that is taken up again, or another one on the same
 * pictures, need not encode them anew. They belong to a run and go with it.
 */
import type { Database, LatentsRecord } from './db';
import { withRoom } from './quota';

interface Latents { shape: readonly number[]; data: Float32Array }

/** Those of a picture, whichever run made them; null where there are none. */
export async function findLatents(db: Database, content: string): Promise<LatentsRecord | null> {
  return (await db.getFromIndex('latents', 'content', content)) ?? null;
}

/** Of a run's picture n; they take the place of earlier ones. Faults: `storage-full`. */
export async function putLatents(db: Database, runId: string, n: number, content: string, { shape, data }: Latents): Promise<void> {
  await withRoom('what the pictures were encoded to', () => db.put('latents', { runId, n, content, shape: [...shape], data }));
}
