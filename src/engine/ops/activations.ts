/**
 * The GELUs of the models, elementwise: by their kernels where the backend has them, else composed. The tanh form is
 * written with a sigmoid, x·σ(2u), u = √(2/π)·(x + 0.044715·x³): the same function, and wasm's tanh takes ten times as
 * long as its sigmoid. Each saves x alone.
 */
import { geluFused } from '../kernels/gelu';
import { add, erf, exp, getBackend, getKernel, mul, sigmoid, square, sub, type Tensor } from '../tf';
import { withGradient } from './withGradient';

/** 2·√(2/π), and that times 0.044715. */
const SLOPE = 1.5957691216057308;
const CUBIC = 0.07135481627159626;

export function geluTanh<T extends Tensor>(x: T): T {
  return getKernel('GeluTanh', getBackend()) ? geluFused('GeluTanh', x) : geluTanhComposed(x);
}

/** OpenAI CLIP's x·σ(1.702·x). */
export function quickGelu<T extends Tensor>(x: T): T {
  return getKernel('QuickGelu', getBackend()) ? geluFused('QuickGelu', x) : quickGeluComposed(x);
}

/** x·Φ(x), exact. */
export function geluErf<T extends Tensor>(x: T): T {
  return getKernel('GeluErf', getBackend()) ? geluFused('GeluErf', x) : geluErfComposed(x);
}

/** dy · (s + x·s·(1 − s)·slope), s = σ(…): the gradient of x·σ(h(x)) with slope = h'(x). */
const gatedGradient = (dy: Tensor, x: Tensor, s: Tensor, slope: Tensor | number) => mul(dy, mul(s, add(mul(mul(x, sub(1, s)), slope), 1)));

/** geluTanh from tfjs' own ops, on every backend: what the kernel is tested against. So the two below. */
export function geluTanhComposed<T extends Tensor>(x: T): T {
  const gate = (squared: Tensor, value: Tensor) => sigmoid(mul(value, add(mul(squared, CUBIC), SLOPE)));
  return withGradient(
    { x },
    (save) => {
      save([x]);
      return mul(x, gate(square(x), x)) as T;
    },
    (dy, [kept]) => ({
      x: () => {
        const squared = square(kept!);
        return gatedGradient(dy, kept!, gate(squared, kept!), add(mul(squared, 3 * CUBIC), SLOPE));
      },
    }),
  );
}

export function quickGeluComposed<T extends Tensor>(x: T): T {
  return withGradient(
    { x },
    (save) => {
      save([x]);
      return mul(x, sigmoid(mul(x, 1.702))) as T;
    },
    (dy, [kept]) => ({ x: () => gatedGradient(dy, kept!, sigmoid(mul(kept!, 1.702)), 1.702) }),
  );
}

export function geluErfComposed<T extends Tensor>(x: T): T {
  const phi = (value: Tensor) => mul(add(erf(mul(value, Math.SQRT1_2)), 1), 0.5);
  return withGradient(
    { x },
    (save) => {
      save([x]);
      return mul(x, phi(x)) as T;
    },
    (dy, [kept]) => ({
      x: () => mul(dy, add(phi(kept!), mul(kept!, mul(exp(mul(square(kept!), -0.5)), 1 / Math.sqrt(2 * Math.PI))))),
    }),
  );
}
