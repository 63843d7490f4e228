/**
 * Web Locks: one tab at a time downloads a base, one tab at a time owns a run. The browser frees a lock when its tab dies.
 * Where there are no locks (Node, insecure contexts) there is only one of us, and every lock is granted.
 */
const ownLocks = (): LockManager | null => globalThis.navigator?.locks ?? null;

/** Runs `work` while no other tab runs work under the same name; waits for its turn. */
export async function withLock<T>(name: string, work: () => Promise<T>, signal?: AbortSignal, locks = ownLocks()): Promise<T> {
  if (!locks) return work();
  return (await locks.request(name, signal ? { signal } : {}, work)) as T;
}

export interface RunHold {
  runId: string;
  /** Aborts when another tab has taken the run over; this tab must then stop writing. */
  lost: AbortSignal;
  release(): void;
}
const runLock = (runId: string) => `lamina.run.${runId}`;

/**
 * Takes a run for this tab until `release` or until the tab closes. Null if another tab holds it and `steal` is off;
 * with `steal` the other tab's `lost` aborts.
 */
export function holdRun(runId: string, { steal = false, locks = ownLocks() }: { steal?: boolean; locks?: LockManager | null } = {}): Promise<RunHold | null> {
  const lost = new AbortController();
  if (!locks) return Promise.resolve({ runId, lost: lost.signal, release: () => undefined });
  return new Promise((resolve, reject) => {
    let held = false;
    locks
      .request(runLock(runId), steal ? { steal: true } : { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        held = true;
        return new Promise<void>((release) => resolve({ runId, lost: lost.signal, release }));
      })
      .catch((error: unknown) => (held ? lost.abort(error) : reject(error)));
  });
}

/** Whether some tab, this one included, holds the run. */
export async function isRunHeld(runId: string, locks = ownLocks()): Promise<boolean> {
  return (await locks?.query())?.held?.some(({ name }) => name === runLock(runId)) ?? false;
}
