/**
 * Whatever changes what the session holds (learning, continuing, opening, leaving, discarding) happens one after another, in the order
 * it was asked for. What waits begins when the one before has come about or failed.
 */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

export function makeQueue(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}
