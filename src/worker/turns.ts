/**
 * Who computes next. All work of the worker shares one thread and one device; long work awaits its turn between the
 * transformer's blocks. A turn first lets messages in, then waits while more urgent work is under way.
 */
const urgency = { idle: 0, training: 1, measuring: 2, drawing: 3, probing: 4 } as const;
export type Urgency = keyof typeof urgency;

/** Lets queued messages be handled; a timer would cost 4 ms. */
export const makeBreath = (): (() => Promise<void>) => {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return () => new Promise<void>((resolve) => {
    waiting.push(resolve);
    port2.postMessage(0);
  });
};

export class Turns {
  private readonly active: Record<Urgency, number> = { idle: 0, training: 0, measuring: 0, drawing: 0, probing: 0 };
  private readonly breathe = makeBreath();
  private waiting: (() => void)[] = [];

  /** Counts as work of a kind until it settles; `between` is what it awaits wherever it may be held up. */
  async take<T>(kind: Urgency, work: (between: () => Promise<void>) => Promise<T>): Promise<T> {
    this.active[kind]++;
    try {
      const between = this.between(kind);
      await between();
      return await work(between);
    } finally {
      this.active[kind]--;
      const released = this.waiting;
      this.waiting = [];
      for (const resume of released) resume();
    }
  }

  /** For work whose pacing outlives one `take`: the trainer's. */
  between(kind: Urgency): () => Promise<void> {
    return async () => {
      await this.breathe();
      while (this.isOutranked(kind)) await new Promise<void>((resolve) => this.waiting.push(resolve));
    };
  }

  /** The most urgent work under way; null while there is none. */
  get foremost(): Urgency | null {
    let found: Urgency | null = null;
    for (const kind of Object.keys(urgency) as Urgency[]) if (this.active[kind] > 0 && (!found || urgency[kind] > urgency[found])) found = kind;
    return found;
  }

  private isOutranked(kind: Urgency): boolean {
    return (Object.keys(urgency) as Urgency[]).some((other) => urgency[other] > urgency[kind] && this.active[other] > 0);
  }
}
