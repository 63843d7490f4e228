/**
 * A frozen linear layer with an optional low-rank addition: y = x·W + bias + scale·x·a·b, W [in,out].
 * Gradients for x, a and b only; W is no input of the tape, so nothing is computed or kept for it. dx needs Wᵀ: a
 * transposed copy is made once and kept, because multiplying by a transposed view costs a transpose at every step.
 */
import { add, fused, keep, matMul, mul, reshape, tidy, transpose, type Tensor, type Tensor1D, type Tensor2D } from '../tf';
import { withGradient } from './withGradient';

export interface FrozenLinear {
  inFeatures: number;
  outFeatures: number;
  /** [in,out] */
  weight: Tensor2D;
  bias: Tensor1D | null;
  /** [out,in], made by the first backward pass; owned by the layer. */
  transposed: Tensor2D | null;
}

export interface LoraPair {
  /** [in,r] */
  a: Tensor2D;
  /** [r,out] */
  b: Tensor2D;
  /** alpha / r */
  scale: number;
}

const scaled = (x: Tensor2D, scale: number): Tensor2D => (scale === 1 ? x : mul(x, scale));
const product = (a: Tensor2D, b: Tensor2D, bias?: Tensor1D): Tensor2D => fused.matMul(bias ? { a, b, bias } : { a, b }) as Tensor2D;

function transposedWeight(w: FrozenLinear): Tensor2D {
  w.transposed ??= keep(tidy(() => transpose(w.weight)));
  return w.transposed;
}

/** x [..., in] → [..., out]. */
export function linear<T extends Tensor>(x: T, w: FrozenLinear, lora: LoraPair | null = null): T {
  const rows = x.size / w.inFeatures;
  const outShape = [...x.shape.slice(0, -1), w.outFeatures];
  const plain = (x2: Tensor2D) => product(x2, w.weight, w.bias ?? undefined);
  if (!lora) {
    return withGradient(
      { x },
      () => reshape(plain(reshape(x, [rows, w.inFeatures])), outShape) as T,
      (dy) => ({ x: () => reshape(product(reshape(dy, [rows, w.outFeatures]), transposedWeight(w)), x.shape) }),
    );
  }
  const { a, b, scale } = lora;
  return withGradient(
    { x, a, b },
    (save) => {
      const x2 = reshape(x, [rows, w.inFeatures]) as Tensor2D;
      const low = scaled(matMul(x2, a), scale); // [rows,r]
      save([x2, low, a, b]);
      return reshape(add(plain(x2), matMul(low, b)), outShape) as T;
    },
    (dy, saved) => {
      const [x2, low, keptA, keptB] = saved as [Tensor2D, Tensor2D, Tensor2D, Tensor2D];
      const dy2 = reshape(dy, [rows, w.outFeatures]) as Tensor2D;
      const dLow = scaled(matMul(dy2, keptB, false, true), scale); // [rows,r]
      return {
        x: () => reshape(add(product(dy2, transposedWeight(w)), matMul(dLow, keptA, false, true)), x.shape),
        // (dLowᵀ·x)ᵀ and lowᵀ·dy: only r columns are ever transposed
        a: () => transpose(matMul(transpose(dLow), x2)),
        b: () => matMul(transpose(low), dy2),
      };
    },
  );
}

/** weight [in,out], bias [out]; both become the layer's own. */
export function frozenLinear(weight: Tensor2D, bias: Tensor1D | null): FrozenLinear {
  return { inFeatures: weight.shape[0], outFeatures: weight.shape[1], weight, bias, transposed: null };
}

export function disposeLinear(w: FrozenLinear): void {
  w.weight.dispose();
  w.bias?.dispose();
  w.transposed?.dispose();
  w.transposed = null;
}

