/** Web Locks among the tabs of a test: `ifAvailable` and `steal`, exclusive, freed when their holder lets go. */
interface Held { release(): void; lost(error: unknown): void }

export function tabLocks(): LockManager {
  const held = new Map<string, Held>();
  const request = async (name: string, options: LockOptions, work: (lock: Lock | null) => unknown): Promise<unknown> => {
    const before = held.get(name);
    if (before && !options.steal) {
      if (!options.ifAvailable) throw new Error('waiting for a lock is not part of this');
      return work(null);
    }
    before?.lost(new DOMException('The lock was stolen.', 'AbortError'));
    return new Promise((resolve, reject) => {
      const mine: Held = { release: () => { if (held.get(name) === mine) held.delete(name); }, lost: reject };
      held.set(name, mine);
      Promise.resolve(work({ name, mode: 'exclusive' })).then(resolve, reject).finally(mine.release);
    });
  };
  return { request: request as LockManager['request'], query: async () => ({ held: [...held.keys()].map((name) => ({ name })), pending: [] }) };
}
