/**
 * Vector-Jacobian products over tfjs' tape: the forward pass now, the backward pass later and only once. tfjs itself
 * does both at once and for one output. Tensors saved for the way back are freed exactly once: when their node has been
 * used, or by dispose. A surrounding tape is parked, so vjp may be called inside a gradient function.
 */
import { add, engine, tidy, type Tensor } from './tf';
import { invariant } from './invariant';
import { alias } from './ops/withGradient';

interface TapeNode {
  id: number;
  kernelName: string;
  inputs: Record<string, Tensor>;
  outputs: Tensor[];
  gradient?: (dys: (Tensor | null)[]) => Record<string, () => Tensor>;
  saved?: Tensor[];
}
interface TapeState { activeTape: TapeNode[] | null; gradientDepth: number }

export interface Vjp {
  /** Owned by the caller. */
  outputs: Tensor[];
  /** One gradient per input (null where the outputs don't depend on it), owned by the caller. dys: one per output, null for zero. */
  pullback(dys: (Tensor | null)[]): (Tensor | null)[];
  /** Frees what pullback would have needed; harmless after it. */
  dispose(): void;
}

function parked<R>(depth: number, run: (state: TapeState) => R): R {
  const state = (engine() as unknown as { state: TapeState }).state;
  const outer = { tape: state.activeTape, depth: state.gradientDepth };
  state.activeTape = [];
  state.gradientDepth = depth;
  try {
    return run(state);
  } finally {
    state.activeTape = outer.tape;
    state.gradientDepth = outer.depth;
  }
}

const free = (node: TapeNode) => node.saved?.splice(0).forEach((tensor) => tensor.dispose());

/** The nodes between inputs and outputs, in order; the saved tensors of all others are freed. */
function relevant(tape: TapeNode[], inputs: readonly Tensor[], outputs: readonly Tensor[]): TapeNode[] {
  const fromInputs = new Set(inputs.map((x) => x.id));
  const forward = tape.filter((node) => {
    const touched = Object.values(node.inputs).some((x) => fromInputs.has(x.id));
    if (touched) node.outputs.forEach((y) => fromInputs.add(y.id));
    return touched;
  });
  const towards = new Set(outputs.map((y) => y.id));
  const chosen = new Set<TapeNode>();
  for (const node of forward.reverse()) {
    if (!node.outputs.some((y) => towards.has(y.id))) continue;
    node.inputs = Object.fromEntries(Object.entries(node.inputs).filter(([, x]) => fromInputs.has(x.id)));
    Object.values(node.inputs).forEach((x) => towards.add(x.id));
    chosen.add(node);
  }
  return tape.filter((node) => {
    if (!chosen.has(node)) free(node);
    return chosen.has(node);
  });
}

function backward(nodes: TapeNode[], gradients: Map<number, Tensor>, wanted: Set<number>): void {
  for (const node of nodes.reverse()) {
    const dys = node.outputs.map((y) => gradients.get(y.id) ?? null);
    if (dys.some((dy) => dy !== null)) {
      invariant(node.gradient, `no gradient is registered for ${node.kernelName}`);
      const thunks = node.gradient(dys);
      for (const [name, x] of Object.entries(node.inputs)) {
        const thunk = thunks[name];
        invariant(thunk, `${node.kernelName} has no gradient for its input ${name}`);
        const given = tidy(thunk);
        const dx = dys.includes(given) ? alias(given) : given;
        const sofar = gradients.get(x.id);
        gradients.set(x.id, sofar ? add(sofar, dx) : dx);
        if (sofar) [sofar, dx].forEach((tensor) => tensor.dispose());
      }
      for (const y of node.outputs) {
        if (wanted.has(y.id)) continue;
        gradients.get(y.id)?.dispose();
        gradients.delete(y.id);
      }
    }
    free(node);
  }
}

/** f may return its inputs; it must take every tensor that gets a gradient as an argument. */
export function vjp(f: (...inputs: Tensor[]) => Tensor[], inputs: Tensor[]): Vjp {
  const { outputs, nodes } = parked(1, (state) => {
    const made = tidy('forward', () => f(...inputs) as unknown as Tensor) as unknown as Tensor[];
    return { outputs: made, nodes: relevant(state.activeTape ?? [], inputs, made) };
  });
  const outputIds = outputs.map((y) => y.id);
  let spent = false;
  const dispose = () => nodes.splice(0).forEach(free);
  return {
    outputs,
    dispose,
    pullback(dys) {
      invariant(!spent, 'pullback may be called only once');
      spent = true;
      try {
        return parked(0, () => tidy(() => {
          const gradients = new Map<number, Tensor>();
          dys.forEach((dy, i) => {
            if (!dy) return;
            const sofar = gradients.get(outputIds[i]!);
            gradients.set(outputIds[i]!, sofar ? add(sofar, dy) : alias(dy));
          });
          backward([...nodes], gradients, new Set(inputs.map((x) => x.id)));
          return inputs.map((x) => gradients.get(x.id) ?? null) as unknown as Tensor;
        }) as unknown as (Tensor | null)[]);
      } finally {
        dispose();
      }
    },
  };
}

export interface NamedVjp {
  outputs: Tensor[];
  pullback(dys: (Tensor | null)[]): Record<string, Tensor | null>;
  dispose(): void;
}

/** vjp over named arguments. */
export function vjpOf(inputs: Record<string, Tensor>, f: (inputs: Record<string, Tensor>) => Tensor[]): NamedVjp {
  const names = Object.keys(inputs);
  const { outputs, pullback, dispose } = vjp((...given) => f(Object.fromEntries(names.map((name, i) => [name, given[i]!]))), Object.values(inputs));
  return {
    outputs,
    dispose,
    pullback: (dys) => {
      const gradients = pullback(dys);
      return Object.fromEntries(names.map((name, i) => [name, gradients[i] ?? null]));
    },
  };
}
