/**
 * BatchMatMul on wasm, for every shape. tfjs uses XNNPACK only for one untransposed product; anything batched or
 * transposed falls into a scalar, single-threaded triple loop, 10–30 times slower, and that is all attention and every
 * backward pass. With one thread these go to our own products (simdProducts.ts), and so do those whose right operand is too
 * large for XNNPACK to keep in a cache, or packed for few rows. With more threads only small ones do: for others one operand is transposed
 * explicitly, whichever moves the least, and XNNPACK, which knows the threads, runs on each batch element over views of the
 * heap. The sums are the same, bit for bit. Registered over the stock kernels, which keep what they do best.
 */
import { getThreadsCount, type BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { broadcast_util, getKernel, util, type KernelConfig, type TensorInfo } from '@tensorflow/tfjs-core';
import { invariant } from '../invariant';
import { SimdProducts, type Sizes } from './simdProducts';
import { replaceStock } from '../stock';
import { heapOf, memoryOf, type Heap } from './wasmHeap';

/** Multiplications per batch element below which setting up an XNNPACK operator costs more than the scalar loop. */
const TINY = 8192;
/** Multiplications per batch element that one thread has done before several have divided them. */
const SMALL = 2 ** 18;
/** Rows of the left operand up to which packing a new right one takes XNNPACK longer than it gains: twice the product at 16. */
const FEW_ROWS = 128;
/** Elements of a right operand that XNNPACK does not keep in a cache. */
const STREAMED = 2 ** 22;

/** One call: op(a)·op(b) for each of `batch` elements, of which an operand may have one for all. */
interface Call extends Sizes { a: TensorInfo; b: TensorInfo; transposeA: boolean; transposeB: boolean; batchShape: number[]; batch: number; matricesA: number; matricesB: number }

const count = (shape: readonly number[]) => util.sizeFromShape(shape as number[]);

function callOf({ inputs, attrs }: Parameters<KernelConfig['kernelFunc']>[0]): Call {
  const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
  const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
  const [a1 = 0, a2 = 0] = a.shape.slice(-2);
  const [b1 = 0, b2 = 0] = b.shape.slice(-2);
  const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batchShape = broadcast_util.assertAndGetBroadcastShape(outerA, outerB);
  return { a, b, transposeA, transposeB, m: transposeA ? a2 : a1, k: transposeA ? a1 : a2, n: transposeB ? b1 : b2, batchShape, batch: count(batchShape), matricesA: count(outerA), matricesB: count(outerB) };
}

/** XNNPACK's product of one [m,k] by one [k,n] matrix at byte offsets into the heap. */
class Xnnpack {
  private static readonly made = new WeakMap<object, Xnnpack>();
  private readonly call: (...args: number[]) => void;
  private readonly shapes: number;

  private constructor(private readonly heap: Heap) {
    this.call = heap.wasm.cwrap('BatchMatMul', null, Array<string>(9).fill('number'));
    this.shapes = heap.wasm._malloc(24) >>> 0;
  }

  static of(backend: BackendWasm): Xnnpack {
    let made = Xnnpack.made.get(backend);
    if (!made) Xnnpack.made.set(backend, (made = new Xnnpack(heapOf(backend))));
    return made;
  }

  run({ m, k, n }: Sizes, a: number, b: number, out: number): void {
    const { wasm } = this.heap;
    new Int32Array(wasm.HEAPU8.buffer, this.shapes, 6).set([1, m, k, 1, k, n]);
    const id = this.heap.dataIdNextNumber;
    this.heap.dataIdNextNumber += 3;
    wasm.tfjs.registerTensor(id, m * k, a);
    wasm.tfjs.registerTensor(id + 1, k * n, b);
    wasm.tfjs.registerTensor(id + 2, m * n, out);
    this.call(id, this.shapes, 3, id + 1, this.shapes + 12, 3, 0, 0, id + 2);
    // forgets the views, and with the second one XNNPACK's packed copy of it; the memory itself is the tensors'
    for (let i = 0; i < 3; i++) wasm.tfjs.disposeData(id + i);
  }
}

/** x [..., r, c] → [..., c, r] as a new tensor of rank 3. */
function transposed(backend: BackendWasm, x: TensorInfo): TensorInfo {
  const [rows = 1, columns = 1] = x.shape.slice(-2);
  const x3 = { dataId: x.dataId, dtype: x.dtype, shape: [count(x.shape) / (rows * columns), rows, columns] };
  return getKernel('Transpose', 'wasm').kernelFunc({ inputs: { x: x3 }, backend, attrs: { perm: [0, 2, 1] } }) as TensorInfo;
}

/** Runs `product` on the addresses of each batch element of left [m,k], right [k,n] (or their transposes) and a new tensor. */
function eachElement(backend: BackendWasm, { m, k, n }: Sizes, { batch, left, right, lefts, rights }: { batch: number; left: TensorInfo; right: TensorInfo; lefts: number; rights: number }, product: (left: number, right: number, out: number) => void): TensorInfo {
  const out = backend.makeOutput([batch, m, n], 'float32');
  const [leftAt, rightAt, outAt] = [left, right, out].map((x) => backend.getMemoryOffset(x.dataId)) as [number, number, number];
  for (let i = 0; i < batch; i++) product(leftAt + (lefts === 1 ? 0 : 4 * m * k * i), rightAt + (rights === 1 ? 0 : 4 * k * n * i), outAt + 4 * m * n * i);
  return out;
}

/** By XNNPACK, with explicit transposes: op(a)·op(b), or (op(b)ᵀ·op(a)ᵀ)ᵀ, the one that moves less. */
export function byXnnpack(backend: BackendWasm, { a, b, transposeA, transposeB, m, k, n, batchShape, batch, matricesA, matricesB }: Call): TensorInfo {
  // XNNPACK packs its right operand, which costs as much as two transposes
  const direct = (transposeA ? matricesA * m * k : 0) + (transposeB ? matricesB * k * n : 0) + 2 * batch * k * n;
  const flipped = (transposeA ? 0 : matricesA * m * k) + (transposeB ? 0 : matricesB * k * n) + 2 * batch * m * k + batch * m * n;
  const flip = flipped < direct;
  const aUsed = transposeA === flip ? a : transposed(backend, a);
  const bUsed = transposeB === flip ? b : transposed(backend, b);
  const sizes = flip ? { m: n, k, n: m } : { m, k, n };
  const operands = flip ? { batch, left: bUsed, right: aUsed, lefts: matricesB, rights: matricesA } : { batch, left: aUsed, right: bUsed, lefts: matricesA, rights: matricesB };
  const out = eachElement(backend, sizes, operands, (left, right, to) => Xnnpack.of(backend).run(sizes, left, right, to));
  if (aUsed !== a) backend.disposeData(aUsed.dataId);
  if (bUsed !== b) backend.disposeData(bUsed.dataId);
  const result = flip ? transposed(backend, out) : out;
  if (flip) backend.disposeData(out.dataId);
  return { ...result, shape: [...batchShape, m, n] };
}

function bySimd(backend: BackendWasm, products: SimdProducts, { a, b, transposeA, transposeB, batchShape, batch, matricesA, matricesB, ...sizes }: Call): TensorInfo {
  const out = eachElement(backend, sizes, { batch, left: a, right: b, lefts: matricesA, rights: matricesB }, (left, right, to) => products.run(sizes, { a: left, b: right, out: to, transposeA, transposeB }));
  return { ...out, shape: [...batchShape, sizes.m, sizes.n] };
}

/** a·b + bias [n] by our own products; each sum begins at the bias, as XNNPACK's does. */
function withBias(backend: BackendWasm, products: SimdProducts, call: Call, bias: TensorInfo): TensorInfo {
  const { m, k, n, batchShape, a, b } = call;
  const out = backend.makeOutput([...batchShape, m, n], 'float32');
  const [aAt, bAt, biasAt, outAt] = [a, b, bias, out].map((x) => backend.getMemoryOffset(x.dataId)) as [number, number, number, number];
  const { buffer } = heapOf(backend).wasm.HEAPU8;
  const [rows, row] = [new Float32Array(buffer, outAt, m * n), new Float32Array(buffer, biasAt, n)];
  for (let i = 0; i < m; i++) rows.set(row, i * n);
  products.run({ m, k, n }, { a: aAt, b: bAt, out: outAt, transposeA: false, transposeB: false }, true);
  return out;
}

const isFloat = (...tensors: TensorInfo[]) => tensors.every(({ dtype }) => dtype === 'float32');

/** Puts the fast kernels in the stock ones' places. Call before the backend is initialised; a second call does nothing. */
export function installWasmMatMul(): void {
  let own: SimdProducts | null = null;
  let threads = 1;
  /**
   * One product as it stands, which XNNPACK does best while it can keep the right operand in a cache, or has threads. It packs that
   * operand, once where it is frozen: those come by the fused kernel.
   */
  const isXnnpacks = ({ batch, transposeA, transposeB, m, k, n }: Call, frozen: boolean) =>
    batch === 1 && !transposeA && !transposeB && (!own || threads > 1 || ((frozen || m > FEW_ROWS) && k * n < STREAMED));
  replaceStock('BatchMatMul', 'wasm', (stock) => ({
    ...stock,
    setupFunc: (given) => {
      stock.setupFunc?.(given);
      const backend = given as BackendWasm;
      invariant(typeof heapOf(backend).dataIdNextNumber === 'number', "tfjs' wasm backend numbers its data differently; it must be 4.22.0");
      own = SimdProducts.in(memoryOf(backend), (bytes) => heapOf(backend).wasm._malloc(bytes) >>> 0);
      threads = getThreadsCount();
    },
    kernelFunc: (args) => {
      const [call, backend] = [callOf(args), args.backend as BackendWasm];
      const { m, k, n, batch, matricesA, matricesB, a, b } = call;
      const evenly = [matricesA, matricesB].every((matrices) => matrices === batch || matrices === 1);
      if (!evenly || !isFloat(a, b) || m * k * n < TINY || isXnnpacks(call, false)) return stock.kernelFunc(args);
      return own && (threads === 1 || m * k * n <= SMALL) ? bySimd(backend, own, call) : byXnnpack(backend, call);
    },
  }));
  replaceStock('_FusedMatMul', 'wasm', (stock) => ({
    ...stock,
    kernelFunc: (args) => {
      const { bias, preluActivationWeights } = args.inputs as { bias?: TensorInfo; preluActivationWeights?: TensorInfo };
      const { activation } = args.attrs as unknown as { activation: string };
      const [call, backend] = [callOf(args), args.backend as BackendWasm];
      const { a, b, n, batch, transposeA, transposeB } = call;
      const plain = activation === 'linear' && !preluActivationWeights && batch === 1 && !transposeA && !transposeB && isFloat(a, b) && (!bias || count(bias.shape) === n);
      if (!own || !plain || isXnnpacks(call, true)) return stock.kernelFunc(args);
      return bias ? withBias(backend, own, call, bias) : bySimd(backend, own, call);
    },
  }));
}
