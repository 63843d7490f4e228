/**
 * Runs on the device: the run itself (recipe, pictures), its checkpoints, its metrics and what its pictures were encoded to.
 * Checkpoints alternate between two slots, each written in one strict transaction: if the tab dies while writing, the other slot
 * stands. Who may write is not decided here but by holdRun (locks.ts).
 */
import { Fault } from '../protocol/faults';
import { invariant } from '../engine/invariant';
import type { CheckpointRecord, Database, PreviewRecord, RunRecord } from './db';
import { withRoom } from './quota';

/** Finished runs kept for their charts; older ones go when a new run begins. */
const KEPT_FINISHED = 5;

/** Stores a run, or its changed name, prompt and so on. Faults: `storage-full`. */
export async function putRun(db: Database, run: RunRecord): Promise<void> {
  await withRoom('this run and its pictures', () => db.put('runs', run));
}

/** Faults: `run-missing`. */
export async function getRun(db: Database, runId: string): Promise<RunRecord> {
  const run = await db.get('runs', runId);
  if (!run) throw new Fault('run-missing', 'This run is no longer stored on this device.', 'Start it again.', { subject: runId });
  return run;
}

/** Changes some of a run's fields in one transaction; a run that is gone stays gone. */
export async function updateRun(db: Database, runId: string, change: Partial<Omit<RunRecord, 'runId'>>): Promise<void> {
  await withRoom('this run', async () => {
    const transaction = db.transaction('runs', 'readwrite');
    const run = await transaction.store.get(runId);
    if (run) await transaction.store.put({ ...run, ...change });
    await transaction.done;
  });
}

/** The run on that base that was worked on last and is not finished, or null. */
export async function newestUnfinished(db: Database, base = 'embedded'): Promise<RunRecord | null> {
  for (let cursor = await db.transaction('runs').store.index('updatedAt').openCursor(null, 'prev'); cursor; cursor = await cursor.continue()) {
    if (!cursor.value.finished && (cursor.value.base ?? 'embedded') === base) return cursor.value;
  }
  return null;
}

/** Marks a run finished and drops its checkpoints: what was learned is kept as a concept. */
export async function finishRun(db: Database, runId: string, now = new Date().toISOString()): Promise<void> {
  await putRun(db, { ...(await getRun(db, runId)), finished: true, updatedAt: now });
  await db.delete('checkpoints', runParts(runId));
}

const runParts = (runId: string) => IDBKeyRange.bound([runId, 0], [runId, Infinity]);

/**
 * The slot of each run's newest checkpoint, learned from the last reading or writing: states are megabytes, too much to read before
 * every write. Only the tab that holds a run writes it, and it reads before it resumes.
 */
const newestSlots = new WeakMap<Database, Map<string, 0 | 1>>();

function rememberNewest(db: Database, runId: string, slot: 0 | 1 | undefined): void {
  const slots = newestSlots.get(db) ?? new Map<string, 0 | 1>();
  newestSlots.set(db, slots);
  if (slot === undefined) slots.delete(runId);
  else slots.set(runId, slot);
}

/** Removes a run and all that belongs to it, at once. */
export async function deleteRun(db: Database, runId: string): Promise<void> {
  const transaction = db.transaction(['runs', 'checkpoints', 'latents', 'metrics', 'previews'], 'readwrite');
  await Promise.all([
    transaction.objectStore('runs').delete(runId),
    transaction.objectStore('checkpoints').delete(runParts(runId)),
    transaction.objectStore('latents').delete(runParts(runId)),
    transaction.objectStore('metrics').delete(runParts(runId)),
    transaction.objectStore('previews').delete(runParts(runId)),
    transaction.done,
  ]);
}

/** Removes the oldest finished runs beyond `keep`, and the latents of all but the newest. Unfinished ones are never touched. */
export async function removeOldRuns(db: Database, keep = KEPT_FINISHED): Promise<void> {
  const finished = (await db.getAllFromIndex('runs', 'updatedAt')).filter((run) => run.finished);
  for (const { runId } of finished.slice(0, Math.max(0, finished.length - keep))) await deleteRun(db, runId);
  for (const { runId } of finished.slice(0, -1)) await db.delete('latents', runParts(runId));
}

/** A slot can be damaged by a dying disk or an older app; one that is not whole does not count. */
const isComplete = (record: CheckpointRecord): boolean => record.complete === true && Number.isInteger(record.step) && record.state !== undefined && record.state !== null;

/**
 * All usable checkpoints, newest first: at most two. A caller that cannot use the first (its state is refused) tries the next.
 */
export async function readCheckpoints(db: Database, runId: string): Promise<CheckpointRecord[]> {
  const found = (await db.getAll('checkpoints', runParts(runId))).filter(isComplete).sort((a, b) => b.step - a.step);
  rememberNewest(db, runId, found[0]?.slot);
  return found;
}

/**
 * Writes a checkpoint into the slot that does not hold the newest one, and the run's time with it. Resolves once it is on disk.
 * Faults: `storage-full` (the earlier checkpoint stands), `run-missing`.
 */
export async function writeCheckpoint(db: Database, { runId, step, engine, state }: Pick<CheckpointRecord, 'runId' | 'step' | 'engine' | 'state'>, now = new Date().toISOString()): Promise<void> {
  invariant(state !== undefined && state !== null, 'a checkpoint has a state');
  const newest = newestSlots.get(db)?.get(runId) ?? (await readCheckpoints(db, runId))[0]?.slot;
  const slot = newest === 0 ? 1 : 0;
  await withRoom('a checkpoint of this run', async () => {
    const transaction = db.transaction(['checkpoints', 'runs'], 'readwrite', { durability: 'strict' });
    const store = transaction.objectStore('runs');
    const run = await store.get(runId);
    if (!run) throw new Fault('run-missing', 'This run was deleted, perhaps in another tab.', 'Start it again.', { subject: runId });
    const record: CheckpointRecord = { runId, slot, step, complete: true, engine, state, writtenAt: now };
    await Promise.all([transaction.objectStore('checkpoints').put(record), store.put({ ...run, updatedAt: now }), transaction.done]);
  });
  rememberNewest(db, runId, slot);
}

/** Stores the twins of a step; made again, they replace the earlier ones. Faults: `storage-full`. */
export async function putPreview(db: Database, preview: PreviewRecord): Promise<void> {
  await withRoom('this run’s previews', () => db.put('previews', preview));
}

/** In order of steps, those of `from` and later. */
export const readPreviews = (db: Database, runId: string, from = 0): Promise<PreviewRecord[]> => db.getAll('previews', IDBKeyRange.bound([runId, from], [runId, Infinity]));

/** Adds rows of consecutive steps, the first being `fromStep`; a batch from the same step replaces the earlier one. Faults: `storage-full`. */
export async function addMetrics(db: Database, runId: string, fromStep: number, rows: readonly unknown[]): Promise<void> {
  if (rows.length > 0) await withRoom('this run’s curves', () => db.put('metrics', { runId, fromStep, rows: [...rows] }));
}

/** All rows in order of steps. */
export async function readMetrics(db: Database, runId: string): Promise<unknown[]> {
  return (await db.getAll('metrics', runParts(runId))).flatMap(({ rows }) => rows);
}

/** Drops rows after `step`: a resumed run computes them again. */
export async function dropMetricsAfter(db: Database, runId: string, step: number): Promise<void> {
  const transaction = db.transaction('metrics', 'readwrite');
  for (let cursor = await transaction.store.openCursor(runParts(runId)); cursor; cursor = await cursor.continue()) {
    const { fromStep, rows } = cursor.value;
    const left = rows.slice(0, Math.max(0, step - fromStep + 1));
    if (left.length === 0) await cursor.delete();
    else if (left.length < rows.length) await cursor.update({ runId, fromStep, rows: left });
  }
  await transaction.done;
}
