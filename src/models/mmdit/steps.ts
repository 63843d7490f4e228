/**
 * Computations that yield between blocks: `drain` runs one at once, `drainAsync` awaits something in every gap. Because
 * they live across tidies, what they keep is in a Hold, which frees it exactly once.
 */
import { keep, type Tensor } from '../../engine/tf';
import type { Between } from './types';

export type Steps<R> = Generator<void, R>;

export function drain<R>(steps: Steps<R>): R {
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
  }
}

/** If `between` throws (an abort, say), the steps' own finally blocks free what they hold. */
export async function drainAsync<R>(steps: Steps<R>, between: Between): Promise<R> {
  try {
    for (;;) {
      const next = steps.next();
      if (next.done) return next.value;
      await between();
    }
  } finally {
    steps.return(undefined as R);
  }
}

/** Owner of tensors that outlive tidies. */
export class Hold {
  private readonly held = new Set<Tensor>();

  add<T extends Tensor | null>(x: T): T {
    if (x) this.held.add(keep(x));
    return x;
  }

  /** Frees those of the tensors that are held here. */
  drop(...xs: readonly (Tensor | null | undefined)[]): void {
    for (const x of xs) if (x && this.held.delete(x)) x.dispose();
  }

  /** Hands a tensor over to the caller and the scope it was made in. */
  release<T extends Tensor>(x: T): T {
    if (this.held.delete(x)) x.kept = false;
    return x;
  }

  free(): void {
    this.drop(...this.held);
  }
}
