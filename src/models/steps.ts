/**
 * Computations that yield between blocks or layers, or a promise where they have to wait for weights: `drain` runs one at once,
 * `drainAsync` awaits what it yields, and something else in every gap. Because they live across tidies, what they keep is
 * in a Hold, which frees it exactly once.
 */
import { invariant } from '../engine/invariant';
import { keep, tidy, type Tensor } from '../engine/tf';

/** Awaited in the gaps of a computation: others take their turn there, and what it throws ends it. */
export type Between = () => Promise<void>;

export type Steps<R> = Generator<Promise<void> | void, R>;

export function drain<R>(steps: Steps<R>): R {
  try {
    for (;;) {
      const next = steps.next();
      if (next.done) return next.value;
      invariant(!next.value, 'the weights of this model come asynchronously: use the asynchronous form');
    }
  } finally {
    steps.return(undefined as R);
  }
}

/** If `between` throws (an abort, say), the steps' own finally blocks free what they hold. */
export async function drainAsync<R>(steps: Steps<R>, between: Between): Promise<R> {
  try {
    for (;;) {
      const next = steps.next();
      if (next.done) return next.value;
      await (next.value ?? between());
    }
  } finally {
    steps.return(undefined as R);
  }
}

/** One layer after another, so that only two layers' results exist at a time: `run` makes the next, `drop` frees the last. Takes `x` over. */
export function* throughLayers<L, T extends Tensor>(layers: readonly L[], x: T, run: (layer: L, x: T) => T, drop: (x: T) => void = (last) => last.dispose()): Steps<T> {
  let current = x;
  let finished = false;
  try {
    for (const layer of layers) {
      const next = tidy(() => run(layer, current));
      drop(current);
      current = next;
      yield;
    }
    finished = true;
    return current;
  } finally {
    if (!finished) current.dispose();
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
