/**
 * A frozen linear layer with an optional low-rank addition: y = x·W + bias + scale·x·a·b, W [in,out].
 * Gradients for x, a and b only; W is no input of the tape, so nothing is computed or kept for it. On WebGPU W is always
 * packed (engine/packed) and the whole line is one kernel. Elsewhere W is a tensor while the layer is at work: for ever
 * where it is float32, between residentLinear and evictLinear where it is packed in fewer bits.
 */
import { invariant } from '../invariant';
import { loraGradient, loraLow } from '../kernels/lora';
import { packedLinear, packedLinearGradient } from '../kernels/packedLinear';
import { packedSizes, type PackedValues, type Packing } from '../../formats/packing';
import { disposePacked, packMatrix, placePacked, unpackMatrix, type OnGpu, type PackedMatrix } from '../packed/packedMatrix';
import { add, fused, getBackend, keep, matMul, mul, reshape, tensor2d, tidy, transpose, type Tensor, type Tensor1D, type Tensor2D } from '../tf';
import { withGradient } from './withGradient';

export interface FrozenLinear {
  /** The checkpoint's name of it, for messages; empty where nobody gave one. */
  name: string;
  inFeatures: number;
  outFeatures: number;
  bias: Tensor1D | null;
  /** Bytes of the weights as they are kept, the bias not counted. */
  sizeBytes: number;
  packed: PackedMatrix | null;
  /** [in,out]; null while a packed layer is not resident. */
  weight: Tensor2D | null;
  /** [out,in], made by the first backward pass, because multiplying by a transposed view costs a transpose at every step. */
  transposed: Tensor2D | null;
  /** How its products are made: chosen with the place of the weights. */
  products: Products;
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

/** The weights as a tensor; of a packed layer that is not resident only until the surrounding tidy ends. */
function weightOf({ name, weight, packed, inFeatures, outFeatures }: FrozenLinear): Tensor2D {
  invariant(weight || packed, `the weights of “${name}” are not in place`);
  return weight ?? tensor2d(unpackMatrix(packed as Exclude<PackedMatrix, OnGpu>), [inFeatures, outFeatures]);
}

function transposedWeight(w: FrozenLinear): Tensor2D {
  if (!w.weight) return transpose(weightOf(w)) as Tensor2D;
  w.transposed ??= keep(tidy(() => transpose(w.weight!)));
  return w.transposed;
}

/** How a layer's products are made: y, low, dx, and the gradients of a and b. */
export interface Products {
  forward(x: Tensor2D, w: FrozenLinear, lora: { low: Tensor2D; b: Tensor2D } | null): Tensor2D;
  low(x: Tensor2D, a: Tensor2D, scale: number): Tensor2D;
  dLow(dy: Tensor2D, b: Tensor2D, scale: number): Tensor2D;
  dx(dy: Tensor2D, w: FrozenLinear, lora: { dLow: Tensor2D; a: Tensor2D } | null): Tensor2D;
  da(x: Tensor2D, dLow: Tensor2D): Tensor2D;
  db(low: Tensor2D, dy: Tensor2D): Tensor2D;
}

const composed: Products = {
  forward: (x, w, lora) => {
    const plain = product(x, weightOf(w), w.bias ?? undefined);
    return lora ? add(plain, matMul(lora.low, lora.b)) : plain;
  },
  low: (x, a, scale) => scaled(matMul(x, a), scale),
  dLow: (dy, b, scale) => scaled(matMul(dy, b, false, true), scale),
  dx: (dy, w, lora) => {
    const plain = product(dy, transposedWeight(w));
    return lora ? add(plain, matMul(lora.dLow, lora.a, false, true)) : plain;
  },
  da: (x, dLow) => matMul(x, dLow, true, false),
  db: (low, dy) => matMul(low, dy, true, false),
};

const kernels: Products = {
  forward: (x, w, lora) => packedLinear(x, w.packed as OnGpu, w.bias, lora && { low: lora.low, factor: lora.b }),
  low: (x, a, scale) => loraLow(x, a, scale, false),
  dLow: (dy, b, scale) => loraLow(dy, b, scale, true),
  dx: (dy, w, lora) => packedLinearGradient(dy, w.packed as OnGpu, lora && { low: lora.dLow, factor: lora.a }),
  da: (x, dLow) => loraGradient(x, dLow, false),
  db: (low, dy) => loraGradient(dy, low, true),
};

/** x [..., in] → [..., out]. */
export function linear<T extends Tensor>(x: T, w: FrozenLinear, lora: LoraPair | null = null): T {
  const by = w.products;
  const rows = x.size / w.inFeatures;
  const outShape = [...x.shape.slice(0, -1), w.outFeatures];
  const asRows = (y: Tensor, columns: number) => reshape(y, [rows, columns]) as Tensor2D;
  if (!lora) {
    return withGradient(
      { x },
      () => reshape(by.forward(asRows(x, w.inFeatures), w, null), outShape) as T,
      (dy) => ({ x: () => reshape(by.dx(asRows(dy, w.outFeatures), w, null), x.shape) }),
    );
  }
  const { a, b, scale } = lora;
  return withGradient(
    { x, a, b },
    (save) => {
      const x2 = asRows(x, w.inFeatures);
      const low = by.low(x2, a, scale); // [rows,r]
      save([x2, low, a, b]);
      return reshape(by.forward(x2, w, { low, b }), outShape) as T;
    },
    (dy, saved) => {
      const [x2, low, keptA, keptB] = saved as [Tensor2D, Tensor2D, Tensor2D, Tensor2D];
      const dy2 = asRows(dy, w.outFeatures);
      const dLow = by.dLow(dy2, keptB, scale); // [rows,r]
      return {
        x: () => reshape(by.dx(dy2, w, { dLow, a: keptA }), x.shape),
        a: () => by.da(x2, dLow),
        b: () => by.db(low, dy2),
      };
    },
  );
}

/** values [in,out], bias [out]; the bias becomes the layer's own. Float32 unless a packing is given. */
export function frozenLinear(values: Float32Array, inFeatures: number, outFeatures: number, bias: Tensor1D | null, packing: Packing = { precision: 'f32' }): FrozenLinear {
  if (packing.precision !== 'f32' || getBackend() === 'webgpu') return frozenPacked(packMatrix(values, inFeatures, outFeatures, packing), bias);
  return { name: '', inFeatures, outFeatures, bias, packed: null, sizeBytes: values.byteLength, weight: tensor2d(values, [inFeatures, outFeatures]), transposed: null, products: composed };
}

/** A layer of weights that are packed already; matrix and bias become its own. */
export function frozenPacked(packed: PackedMatrix, bias: Tensor1D | null): FrozenLinear {
  const { inFeatures, outFeatures, sizeBytes } = packed;
  return { name: '', inFeatures, outFeatures, bias, packed, sizeBytes, weight: null, transposed: null, products: packed.place === 'gpu' ? kernels : composed };
}

/** A layer whose packed weights come and go (placeLinear, withdrawLinear); at first they are away. The bias becomes its own and stays. */
export function frozenAway(inFeatures: number, outFeatures: number, packing: Packing, bias: Tensor1D | null): FrozenLinear {
  const { words, scales } = packedSizes(inFeatures, outFeatures, packing);
  return { name: '', inFeatures, outFeatures, bias, packed: null, sizeBytes: 4 * (words + scales), weight: null, transposed: null, products: getBackend() === 'webgpu' ? kernels : composed };
}

/** Puts the weights of a layer that are away in their place. */
export function placeLinear(w: FrozenLinear, values: PackedValues): void {
  invariant(!w.packed && !w.weight, `the weights of “${w.name}” are in place already`);
  w.packed = placePacked(values);
}

/** Takes them away again. */
export function withdrawLinear(w: FrozenLinear): void {
  evictLinear(w);
  if (w.packed) disposePacked(w.packed);
  w.packed = null;
}

/** Unpacks the weights to a tensor that stays until evictLinear. Nothing to do on WebGPU, or for a float32 layer. */
export function residentLinear(w: FrozenLinear): void {
  if (w.packed?.place === 'memory') w.weight ??= keep(tidy(() => weightOf(w)));
}

/** Frees what residentLinear made. */
export function evictLinear(w: FrozenLinear): void {
  if (!w.packed) return;
  w.weight?.dispose();
  w.transposed?.dispose();
  w.weight = w.transposed = null;
}

export function disposeLinear(w: FrozenLinear): void {
  w.weight?.dispose();
  w.bias?.dispose();
  w.transposed?.dispose();
  w.weight = w.transposed = null;
  if (w.packed) disposePacked(w.packed);
  w.packed = null;
}
