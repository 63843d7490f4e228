import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase, type CheckpointRecord, type Database, type RunRecord } from './db';
import { holdRun, isRunHeld, withLock } from './locks';
import { addMetrics, deleteRun, dropMetricsAfter, finishRun, getRun, newestUnfinished, putRun, readCheckpoints, readMetrics, removeOldRuns, writeCheckpoint } from './runStore';

let db: Database;
let count = 0;
beforeEach(async () => {
  db = await openDatabase(`runs-${count++}`);
});
afterEach(() => vi.unstubAllGlobals());

const run = (runId: string, updatedAt: string, finished = false): RunRecord => ({ runId, name: runId, createdAt: updatedAt, updatedAt, finished, recipe: { rank: 4 }, prompt: 'a [V] dog', seed: 1, engine: 'wasm', pictures: [] });
const save = (step: number, now?: string) => writeCheckpoint(db, { runId: 'r', step, engine: 'wasm', state: { step, values: new Float32Array([step, -step]) } }, now);
const steps = async () => (await readCheckpoints(db, 'r')).map(({ step }) => step);
/** The same database, in which transactions over checkpoints fail from now on. */
const failing = (error: Error) =>
  new Proxy(db, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result = Reflect.apply(value as (...args: unknown[]) => unknown, target, args);
        if (name !== 'transaction' || !Array.isArray(args[0])) return result;
        return new Proxy(result as object, {
          get: (transaction, part) => {
            const inner = Reflect.get(transaction, part) as unknown;
            if (part !== 'objectStore') return inner;
            return (store: string) => {
              const real = Reflect.apply(inner as (name: string) => object, transaction, [store]);
              // Torn: the new slot is put, then the tab dies before the transaction is committed.
              if (store !== 'runs') return real;
              return { get: (key: string) => Reflect.apply(Reflect.get(real, 'get') as (key: string) => unknown, real, [key]), put: () => { (transaction as IDBTransaction).abort(); return Promise.reject(error); } };
            };
          },
        });
      };
    },
  });

describe('checkpoints', () => {
  it('alternate between two slots, the newer first, typed arrays whole', async () => {
    await putRun(db, run('r', '2026-01-01'));
    for (const step of [10, 20, 30, 40, 50]) {
      await save(step);
      expect(await steps()).toEqual(step === 10 ? [10] : [step, step - 10]);
    }
    const [newest, older] = await readCheckpoints(db, 'r');
    expect(newest!.state).toEqual({ step: 50, values: new Float32Array([50, -50]) });
    expect(new Set([newest!.slot, older!.slot])).toEqual(new Set([0, 1]));
  });

  it('keep the earlier one when a write is torn, and go on in the other slot', async () => {
    await putRun(db, run('r', '2026-01-01'));
    await save(10);
    await save(20);
    await expect(writeCheckpoint(failing(new Error('torn')), { runId: 'r', step: 30, engine: 'wasm', state: {} })).rejects.toThrow();
    expect(await steps()).toEqual([20, 10]);
    await save(30);
    expect(await steps()).toEqual([30, 20]);
  });

  it('skip a slot that is not whole and write over it', async () => {
    await putRun(db, run('r', '2026-01-01'));
    await save(10);
    await save(20);
    const [newest] = await readCheckpoints(db, 'r');
    await db.put('checkpoints', { ...newest!, complete: false } as unknown as CheckpointRecord);
    expect(await steps()).toEqual([10]);
    await save(30);
    expect(await steps()).toEqual([30, 10]);
  });

  it('say when the disk is full, and when the run is gone', async () => {
    await putRun(db, run('r', '2026-01-01'));
    await save(10);
    await expect(writeCheckpoint(failing(new DOMException('', 'QuotaExceededError')), { runId: 'r', step: 20, engine: 'wasm', state: {} })).rejects.toMatchObject({ code: 'storage-full' });
    expect(await steps()).toEqual([10]);
    await deleteRun(db, 'r');
    await expect(save(20)).rejects.toMatchObject({ code: 'run-missing' });
    expect(await steps()).toEqual([]);
  });
});

describe('runs', () => {
  it('offer the unfinished one that was worked on last', async () => {
    expect(await newestUnfinished(db)).toBeNull();
    await putRun(db, run('old', '2026-01-01'));
    await putRun(db, run('r', '2026-01-02'));
    await putRun(db, run('done', '2026-01-03', true));
    expect((await newestUnfinished(db))?.runId).toBe('r');
    await writeCheckpoint(db, { runId: 'old', step: 3, engine: 'wasm', state: {} }, '2026-01-05');
    expect((await newestUnfinished(db))?.runId).toBe('old');
    await finishRun(db, 'old');
    expect((await newestUnfinished(db))?.runId).toBe('r');
    expect(await readCheckpoints(db, 'old')).toEqual([]);
  });

  it('go with everything that is theirs, and nothing else', async () => {
    for (const runId of ['r', 's']) {
      await putRun(db, run(runId, '2026-01-01'));
      await writeCheckpoint(db, { runId, step: 1, engine: 'wasm', state: {} });
      await addMetrics(db, runId, 1, [{ step: 1 }]);
    }
    await deleteRun(db, 'r');
    await expect(getRun(db, 'r')).rejects.toMatchObject({ code: 'run-missing', subject: 'r' });
    expect([await readCheckpoints(db, 'r'), await readMetrics(db, 'r')]).toEqual([[], []]);
    expect([(await readCheckpoints(db, 's')).length, (await readMetrics(db, 's')).length]).toEqual([1, 1]);
  });

  it('are cleared when finished and old; unfinished ones stay', async () => {
    for (let i = 1; i <= 7; i++) await putRun(db, run(`f${i}`, `2026-01-0${i}`, true));
    await putRun(db, run('open', '2025-01-01'));
    await removeOldRuns(db, 3);
    expect((await db.getAllKeys('runs')).sort()).toEqual(['f5', 'f6', 'f7', 'open']);
  });
});

describe('metrics', () => {
  const rows = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => ({ step: from + i }));

  it('come back in order, and end at the step a resumed run begins after', async () => {
    await addMetrics(db, 'r', 101, rows(101, 120));
    await addMetrics(db, 'r', 1, rows(1, 50));
    await addMetrics(db, 'r', 51, rows(51, 100));
    expect(await readMetrics(db, 'r')).toEqual(rows(1, 120));
    await dropMetricsAfter(db, 'r', 70);
    expect(await readMetrics(db, 'r')).toEqual(rows(1, 70));
    await addMetrics(db, 'r', 71, rows(71, 75));
    await dropMetricsAfter(db, 'r', 50);
    expect(await readMetrics(db, 'r')).toEqual(rows(1, 50));
  });
});

/** The part of Web Locks that is used: exclusive locks, ifAvailable and steal. */
function fakeLocks(): LockManager {
  const held = new Map<string, { lose: (error: unknown) => void }>();
  const request = async (name: string, options: LockOptions, work: (lock: unknown) => unknown) => {
    if (held.has(name) && options.ifAvailable) return work(null);
    held.get(name)?.lose(new DOMException('stolen', 'AbortError'));
    let own: { lose: (error: unknown) => void };
    const lost = new Promise((_, reject) => (own = { lose: reject }));
    held.set(name, own!);
    try {
      return await Promise.race([work({ name }), lost]);
    } finally {
      if (held.get(name) === own!) held.delete(name);
    }
  };
  return { request, query: async () => ({ held: [...held.keys()].map((name) => ({ name })) }) } as unknown as LockManager;
}

describe('who owns a run', () => {
  it('is one tab, until it lets go', async () => {
    const locks = fakeLocks();
    const first = await holdRun('r', { locks });
    expect(first).not.toBeNull();
    expect(await isRunHeld('r', locks)).toBe(true);
    expect(await holdRun('r', { locks })).toBeNull();
    expect(await holdRun('other', { locks })).not.toBeNull();
    first!.release();
    await vi.waitFor(async () => expect(await isRunHeld('r', locks)).toBe(false));
    expect(first!.lost.aborted).toBe(false);
    expect(await holdRun('r', { locks })).not.toBeNull();
  });

  it('is the tab that takes over; the other learns of it', async () => {
    const locks = fakeLocks();
    const first = await holdRun('r', { locks });
    const second = await holdRun('r', { locks, steal: true });
    await vi.waitFor(() => expect(first!.lost.aborted).toBe(true));
    expect(second!.lost.aborted).toBe(false);
    expect(await isRunHeld('r', locks)).toBe(true);
  });

  it('is this tab where there are no locks', async () => {
    expect(await holdRun('r', { locks: null })).not.toBeNull();
    expect(await withLock('x', async () => 7, undefined, null)).toBe(7);
  });
});

describe('the database', () => {
  it('says so when a newer app wrote it', async () => {
    const name = `newer-${count++}`;
    await new Promise<void>((resolve) => {
      const request = indexedDB.open(name, 99);
      request.onsuccess = () => { request.result.close(); resolve(); };
    });
    await expect(openDatabase(name)).rejects.toMatchObject({ code: 'storage-newer' });
  });

  it('says so when the browser refuses', async () => {
    vi.stubGlobal('indexedDB', { open: () => { throw new DOMException('denied', 'SecurityError'); } });
    await expect(openDatabase('refused')).rejects.toMatchObject({ code: 'storage-refused' });
  });
});
