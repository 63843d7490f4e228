/**
 * BatchMatMul on wasm, for every shape. tfjs uses XNNPACK only for one untransposed product; anything batched or
 * transposed falls into a scalar, single-threaded triple loop, 10–30 times slower, and that is all attention and every
 * backward pass. Small matrices go to our own products (smallProducts.ts). For others one operand is transposed explicitly,
 * whichever moves the least, and XNNPACK runs on each batch element over views of the heap. The sums are the same, bit for
 * bit. Registered over the stock kernel, which keeps the cases where it is the faster one.
 */
import { getThreadsCount, type BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { broadcast_util, getKernel, registerKernel, unregisterKernel, util, type KernelConfig, type TensorInfo } from '@tensorflow/tfjs-core';
import { invariant } from './invariant';
import { smallProducts, type SmallProducts } from './smallProducts';
import { keepStock } from './stock';

/** Multiplications per batch element below which setting up an XNNPACK operator costs more than the scalar loop. */
const TINY = 8192;

/** Multiplications per batch element up to which one thread alone is faster than XNNPACK's setting up; shared by its threads. */
const SMALL = 2 ** 21;
/** Elements of a right operand that our products transpose: they stay in the cache. */
const SCRATCH = 2 ** 16;

interface Heap {
  wasm: { asm: { memory?: WebAssembly.Memory }; wasmMemory?: WebAssembly.Memory; cwrap(name: string, result: null, args: string[]): (...args: number[]) => void; _malloc(bytes: number): number; HEAPU8: Uint8Array; tfjs: { registerTensor(id: number, size: number, offset: number): void; disposeData(id: number): void } };
  dataIdNextNumber: number;
}
interface Sizes { m: number; k: number; n: number }

const count = (shape: readonly number[]) => util.sizeFromShape(shape as number[]);

/** Runs the backend's own product of one [m,k] by one [k,n] matrix at byte offsets into the heap. */
class Product {
  private readonly call: (...args: number[]) => void;
  private readonly shapes: number;

  constructor(private readonly heap: Heap) {
    this.call = heap.wasm.cwrap('BatchMatMul', null, Array<string>(9).fill('number'));
    this.shapes = heap.wasm._malloc(24) >>> 0;
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

/** Our own products in the backend's memory. */
class Small {
  private constructor(private readonly products: SmallProducts, private readonly scratch: number, private readonly most: number) {}

  /** Null where this browser has no SIMD. */
  static in({ wasm }: Heap, threads: number): Small | null {
    const memory = wasm.asm.memory ?? wasm.wasmMemory;
    invariant(memory, "tfjs' wasm module keeps its memory elsewhere; it must be 4.22.0");
    const products = smallProducts(memory);
    return products && new Small(products, wasm._malloc(4 * SCRATCH) >>> 0, SMALL / threads);
  }

  covers({ m, k, n }: Sizes, transposeB: boolean): boolean {
    return m * k * n <= this.most && (!transposeB || k * n <= SCRATCH);
  }

  run({ m, k, n }: Sizes, a: number, b: number, out: number, transposeA: boolean, transposeB: boolean): void {
    if (transposeB) this.products.transpose(b, this.scratch, n, k);
    const right = transposeB ? this.scratch : b;
    if (transposeA) this.products.productTransposed(a, right, out, m, k, n);
    else this.products.product(a, right, out, m, k, n);
  }
}

/** x [..., r, c] → [..., c, r] as a new tensor of rank 3. */
function transposed(backend: BackendWasm, x: TensorInfo, rows: number, columns: number): TensorInfo {
  const x3 = { dataId: x.dataId, dtype: x.dtype, shape: [count(x.shape) / (rows * columns), rows, columns] };
  return getKernel('Transpose', 'wasm').kernelFunc({ inputs: { x: x3 }, backend, attrs: { perm: [0, 2, 1] } }) as TensorInfo;
}

const installed = new WeakSet<KernelConfig>();

/** Puts the fast kernel in the stock one's place. Call before the backend is initialised; a second call does nothing. */
export function installWasmMatMul(): void {
  const stock = getKernel('BatchMatMul', 'wasm');
  if (installed.has(stock)) return;
  keepStock(stock);
  let product: Product | null = null;
  let small: Small | null = null;
  const ours: KernelConfig = {
    ...stock,
    setupFunc: (backend) => {
      stock.setupFunc?.(backend);
      invariant(typeof (backend as unknown as Heap).dataIdNextNumber === 'number', "tfjs' wasm backend numbers its data differently; it must be 4.22.0");
      product = new Product(backend as unknown as Heap);
      small = Small.in(backend as unknown as Heap, getThreadsCount());
    },
    kernelFunc: (args) => {
      const backend = args.backend as BackendWasm;
      const { a, b } = args.inputs as { a: TensorInfo; b: TensorInfo };
      const { transposeA, transposeB } = args.attrs as unknown as { transposeA: boolean; transposeB: boolean };
      const [a1 = 0, a2 = 0] = a.shape.slice(-2);
      const [b1 = 0, b2 = 0] = b.shape.slice(-2);
      const [m, k, n] = [transposeA ? a2 : a1, transposeA ? a1 : a2, transposeB ? b1 : b2];
      const batchShape = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
      const batch = count(batchShape);
      const matrices = { a: count(a.shape.slice(0, -2)), b: count(b.shape.slice(0, -2)) };
      const single = batch === 1 && !transposeA && !transposeB;
      const evenly = [matrices.a, matrices.b].every((c) => c === batch || c === 1);
      if (!product || single || !evenly || m * k * n < TINY || a.dtype !== 'float32' || b.dtype !== 'float32') return stock.kernelFunc(args);

      if (small?.covers({ m, k, n }, transposeB)) {
        const out = backend.makeOutput([...batchShape, m, n], 'float32');
        const [aAt, bAt, outAt] = [a, b, out].map((x) => backend.getMemoryOffset(x.dataId)) as [number, number, number];
        for (let i = 0; i < batch; i++) small.run({ m, k, n }, aAt + (matrices.a === 1 ? 0 : 4 * m * k * i), bAt + (matrices.b === 1 ? 0 : 4 * k * n * i), outAt + 4 * m * n * i, transposeA, transposeB);
        return out;
      }

      // op(a)·op(b), or (op(b)ᵀ·op(a)ᵀ)ᵀ: the one that moves less. XNNPACK packs its right operand, twice a transpose's cost.
      const direct = (transposeA ? matrices.a * m * k : 0) + (transposeB ? matrices.b * k * n : 0) + 2 * batch * k * n;
      const flipped = (transposeA ? 0 : matrices.a * m * k) + (transposeB ? 0 : matrices.b * k * n) + 2 * batch * m * k + batch * m * n;
      const flip = flipped < direct;
      const aUsed = transposeA === flip ? a : transposed(backend, a, a1, a2);
      const bUsed = transposeB === flip ? b : transposed(backend, b, b1, b2);
      const [left, right] = flip ? [bUsed, aUsed] : [aUsed, bUsed];
      const sizes = flip ? { m: n, k, n: m } : { m, k, n };
      const steps = flip ? { left: matrices.b, right: matrices.a } : { left: matrices.a, right: matrices.b };

      const out = backend.makeOutput([batch, sizes.m, sizes.n], 'float32');
      const [leftAt, rightAt, outAt] = [left, right, out].map((x) => backend.getMemoryOffset(x.dataId)) as [number, number, number];
      for (let i = 0; i < batch; i++) {
        const element = (base: number, matrix: number, size: number) => base + 4 * size * matrix;
        product.run(sizes, element(leftAt, steps.left === 1 ? 0 : i, sizes.m * k), element(rightAt, steps.right === 1 ? 0 : i, k * sizes.n), element(outAt, i, sizes.m * sizes.n));
      }
      if (aUsed !== a) backend.disposeData(aUsed.dataId);
      if (bUsed !== b) backend.disposeData(bUsed.dataId);
      const result = flip ? transposed(backend, out, sizes.m, sizes.n) : out;
      if (flip) backend.disposeData(out.dataId);
      return { ...result, shape: [...batchShape, m, n] };
    },
  };
  unregisterKernel('BatchMatMul', 'wasm');
  registerKernel(ours);
  installed.add(ours);
}
