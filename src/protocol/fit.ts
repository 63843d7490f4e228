/**
 * Whether a task fits on an adapter: figures that `npm run plan -- --table` found by running it on a device that only counts, against
 * the adapter's memory. Where the weights do not fit beside the work, blocks are streamed, so that they need less room and more time.
 */
import type { KeptPrecision } from './models';

export interface PlannedTask { task: 'draw' | 'learn'; /** Of the LoRA; 0 for drawing. */ rank: number }

export interface MemoryPlan {
  model: string;
  weights: Record<KeptPrecision, { blockBytes: number[]; /** What stands before and after the blocks. */ endsBytes: number }>;
  /** workBytes: most bytes of all buffers beside the weights. One picture at a time. */
  rows: (PlannedTask & { size: number; workBytes: number })[];
}

export interface Fit {
  verdict: 'fits' | 'streams' | 'does not fit';
  /** Blocks fetched anew in each pass. */
  streamed: number;
  /** That it takes in all, with as many blocks in place as there is room for. */
  bytes: number;
  /** Where it does not fit: a precision in which it would. */
  instead: KeptPrecision | null;
}

/** Of an adapter's memory, what a page gets: the screen, the browser and the driver have the rest. */
export const USABLE_SHARE = 0.9;

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

function fitAt(plan: MemoryPlan, workBytes: number, adapterBytes: number, precision: KeptPrecision): Omit<Fit, 'instead'> {
  const { blockBytes, endsBytes } = plan.weights[precision];
  const whole = workBytes + endsBytes + sum(blockBytes);
  const usable = adapterBytes * USABLE_SHARE;
  if (whole <= usable) return { verdict: 'fits', streamed: 0, bytes: whole };
  const largest = Math.max(...blockBytes);
  // one place for the block at work, one for the next
  let bytes = workBytes + endsBytes + 2 * largest;
  if (bytes > usable) return { verdict: 'does not fit', streamed: blockBytes.length, bytes };
  let staying = 0;
  while (bytes + blockBytes[staying]! <= usable) bytes += blockBytes[staying++]!;
  return { verdict: 'streams', streamed: blockBytes.length - staying, bytes };
}

/** adapterBytes: all of the adapter's memory. Null where the plan has no such row. */
export function fitOf(plan: MemoryPlan, { task, rank }: PlannedTask, size: number, adapterBytes: number, precision: KeptPrecision): Fit | null {
  const row = plan.rows.find((each) => each.task === task && each.rank === rank && each.size === size);
  if (!row) return null;
  const fit = fitAt(plan, row.workBytes, adapterBytes, precision);
  const fewer = (['int8', 'int4'] as const).find((other) => other !== precision && fitAt(plan, row.workBytes, adapterBytes, other).verdict !== 'does not fit');
  return { ...fit, instead: fit.verdict === 'does not fit' ? (fewer ?? null) : null };
}
