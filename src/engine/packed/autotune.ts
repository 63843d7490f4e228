/**
 * Which tiling of the packed linear kernels the open WebGPU adapter runs fastest, forward and backward apart: each is
 * timed on a product small enough for any adapter, and those near the best once more on one large enough to fill a fast
 * one. About 100 ms of work on a GPU, once per adapter; the caller keeps the answer. Sets nothing itself.
 */
import { flush, internals } from '../dispatch';
import { packedLinear, packedLinearGradient } from '../kernels/packedLinear';
import { backend, dispose, randomUniform, type Tensor2D } from '../tf';
import { disposePacked, packMatrix, type OnGpu } from './packedMatrix';
import { TILINGS, type Tiling, type Tilings } from './tiling';

interface Shape { rows: number; inputs: number; outputs: number; repeats: number }
/** 8 million multiplications, five milliseconds for a processor. */
const SMALL: Shape = { rows: 64, inputs: 256, outputs: 256, repeats: 1 };
/** The square layers of SD3.5 Medium at 384² pixels; three times, because one is over in a fraction of a millisecond. */
const LARGE: Shape = { rows: 576, inputs: 1536, outputs: 1536, repeats: 3 };
/** Below this the small product says nothing but what a submission costs. */
const TOO_SHORT_MS = 3;
/** A tiling so much slower on the small product is not tried on the large one, where it might hold the adapter for seconds. */
const HOPELESS = 8;

type Product = (x: Tensor2D, matrix: OnGpu, tiling: Tiling) => Tensor2D;

const settled = () => {
  flush(backend());
  return internals(backend()).queue.onSubmittedWorkDone();
};

/** Milliseconds by tiling; the first run of each, with its compilation, is not counted. */
async function times(product: Product, tried: readonly Tiling[], columns: number, matrix: OnGpu, { rows, repeats }: Shape): Promise<Map<Tiling, number>> {
  const x = randomUniform([rows, columns]) as Tensor2D;
  const found = new Map<Tiling, number>();
  for (const tiling of tried) {
    dispose(product(x, matrix, tiling));
    await settled();
    const started = performance.now();
    for (let i = 0; i < repeats; i++) dispose(product(x, matrix, tiling));
    await settled();
    found.set(tiling, (performance.now() - started) / repeats);
  }
  dispose(x);
  return found;
}

const fastest = (found: Map<Tiling, number>) => [...found].reduce((best, entry) => (entry[1] < best[1] ? entry : best));

async function choose(product: Product, side: 'inputs' | 'outputs', candidates: readonly Tiling[]): Promise<Tiling> {
  const on = async (shape: Shape, tried: readonly Tiling[]) => {
    const matrix = packMatrix(new Float32Array(shape.inputs * shape.outputs).fill(0.01), shape.inputs, shape.outputs, { precision: 'int8' }) as OnGpu;
    try {
      return await times(product, tried, shape[side], matrix, shape);
    } finally {
      disposePacked(matrix);
    }
  };
  const small = await on(SMALL, candidates);
  const [winner, bestMs] = fastest(small);
  if (bestMs > TOO_SHORT_MS) return winner;
  const near = candidates.filter((tiling) => small.get(tiling)! <= HOPELESS * Math.max(bestMs, 1));
  return fastest(await on(LARGE, near))[0];
}

/** WebGPU must be the current backend. */
export async function tuneTilings(candidates: readonly Tiling[] = TILINGS): Promise<Tilings> {
  const forward = await choose((x, matrix, tiling) => packedLinear(x, matrix, null, null, tiling), 'inputs', candidates);
  const gradient = await choose((dy, matrix, tiling) => packedLinearGradient(dy, matrix, null, tiling), 'outputs', candidates);
  return { forward, gradient };
}
