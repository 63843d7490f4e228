/**
 * The gradient of a chain of layers in what goes in, layer by layer: each has a tape of its own, so that others may take their turn
 * in between, forward and backward. Weights are frozen: no layer has anything to learn.
 */
import { invariant } from '../engine/invariant';
import type { Tensor } from '../engine/tf';
import { vjp, type Vjp } from '../engine/vjp';
import { Hold, type Steps } from './steps';

export interface ChainVjp<X extends Tensor, Y extends Tensor> {
  /** The caller's. */
  output: Y;
  /** d x from d output; once. The caller disposes it. */
  backward(dy: Y): Steps<X>;
  /** Frees what backward would have needed; harmless after it. */
  dispose(): void;
}

/** x stays the caller's. */
export function* chainVjp<X extends Tensor, Y extends Tensor>(layers: readonly ((x: Tensor) => Tensor)[], x: X): Steps<ChainVjp<X, Y>> {
  invariant(layers.length > 0, 'a chain without layers');
  const hold = new Hold();
  const tapes: Vjp[] = [];
  const dispose = () => {
    tapes.splice(0).forEach((tape) => tape.dispose());
    hold.free();
  };
  let ready = false;
  try {
    let current: Tensor = x;
    for (const layer of layers) {
      const tape = vjp((input) => [layer(input)], [current]);
      tapes.push(tape);
      hold.drop(current);
      current = hold.add(tape.outputs[0]!);
      yield;
    }
    ready = true;
    return {
      output: hold.release(current) as Y,
      dispose,
      *backward(dy: Y): Steps<X> {
        try {
          let gradient: Tensor = dy;
          for (const tape of tapes.reverse()) {
            const [given] = tape.pullback([gradient]);
            invariant(given, 'what came out does not depend on what went in');
            hold.drop(gradient);
            gradient = hold.add(given);
            yield;
          }
          return hold.release(gradient) as X;
        } finally {
          dispose();
        }
      },
    };
  } finally {
    if (!ready) dispose();
  }
}
