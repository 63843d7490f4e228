/**
 * Which tiling of the packed linear kernels the open WebGPU adapter runs fastest, forward and backward apart: each is
 * timed on a product small enough for any adapter, and those near the best once more on one large enough to fill a fast
 * one. About 100 ms of work on a GPU, once per adapter; the caller keeps the answer. Sets nothing itself. How fast the
 * winner was also says how much work may be done in one piece (workLimit.ts).
 */
import { flush, internals } from './dispatch';
import { packedLinear, packedLinearGradient } from '../kernels/packedLinear';
import { backend, dispose, randomUniform, type Tensor2D } from '../tf';
import { disposePacked, packMatrix, type OnGpu } from '../packed/packedMatrix';
import { TILINGS, parseTilings, tilingName, type Tiling, type Tilings } from './tiling';

/** flopsPerMs: of the slower direction. */
export interface Tuned { tilings: Tilings; flopsPerMs: number }

/** As kept in the database. */
export const serializeTuned = ({ tilings, flopsPerMs }: Tuned) => ({ tilings: tilingName(tilings), flopsPerMs });

/** Null for anything but what serializeTuned gave. */
export function parseTuned(kept: unknown): Tuned | null {
  const { tilings, flopsPerMs } = (kept ?? {}) as { tilings?: unknown; flopsPerMs?: unknown };
  const parsed = parseTilings(tilings);
  return parsed && typeof flopsPerMs === 'number' && flopsPerMs > 0 ? { tilings: parsed, flopsPerMs } : null;
}

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

const flopsOf = ({ rows, inputs, outputs }: Shape) => 2 * rows * inputs * outputs;
const fastest = (found: Map<Tiling, number>) => [...found].reduce((best, entry) => (entry[1] < best[1] ? entry : best));

async function choose(product: Product, side: 'inputs' | 'outputs', candidates: readonly Tiling[]): Promise<{ tiling: Tiling; flopsPerMs: number }> {
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
  if (bestMs > TOO_SHORT_MS) return { tiling: winner, flopsPerMs: flopsOf(SMALL) / bestMs };
  const near = candidates.filter((tiling) => small.get(tiling)! <= HOPELESS * Math.max(bestMs, 1));
  const [tiling, ms] = fastest(await on(LARGE, near));
  return { tiling, flopsPerMs: flopsOf(LARGE) / ms };
}

/** WebGPU must be the current backend. */
export async function tuneTilings(candidates: readonly Tiling[] = TILINGS): Promise<Tuned> {
  const forward = await choose((x, matrix, tiling) => packedLinear(x, matrix, null, null, tiling), 'inputs', candidates);
  const gradient = await choose((dy, matrix, tiling) => packedLinearGradient(dy, matrix, null, tiling), 'outputs', candidates);
  return { tilings: { forward: forward.tiling, gradient: gradient.tiling }, flopsPerMs: Math.min(forward.flopsPerMs, gradient.flopsPerMs) };
}
