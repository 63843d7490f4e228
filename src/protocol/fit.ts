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

/** Memory of the adapters that are planned for, in GB. */
export const ADAPTER_MEMORIES = [6, 8, 12, 16] as const;
export type AdapterMemory = (typeof ADAPTER_MEMORIES)[number];

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

/** The same sums as the model's own when it streams (planStream in models/streaming.ts): two places where there is room for two, else one. */
function fitAt(plan: MemoryPlan, workBytes: number, adapterBytes: number, precision: KeptPrecision): Omit<Fit, 'instead'> {
  const { blockBytes, endsBytes } = plan.weights[precision];
  const beside = workBytes + endsBytes;
  const whole = beside + sum(blockBytes);
  const usable = adapterBytes * USABLE_SHARE;
  if (whole <= usable) return { verdict: 'fits', streamed: 0, bytes: whole };
  const largest = Math.max(...blockBytes);
  if (beside + largest > usable) return { verdict: 'does not fit', streamed: blockBytes.length, bytes: beside + largest };
  // one place for the block at work, one for the next
  let bytes = beside + (beside + 2 * largest <= usable ? 2 : 1) * largest;
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

/** Room for a large model's weights on the device: what an adapter of so many bytes leaves beside the work, so many bytes, or as much as they need. */
export type WeightRoom = { adapterBytes: number } | { bytes: number } | 'all';

/** What the transformer is wanted for. */
export type FlowTask = PlannedTask['task'];

/**
 * Bytes that an adapter leaves for a transformer's blocks beside a task with pictures of this side, whatever the rank: what `fitOf` says is streamed
 * is fetched then, and nothing else. Pictures larger than any that was planned count as the largest, smaller ones as the next larger.
 */
export function roomBeside({ weights, rows }: MemoryPlan, task: FlowTask, side: number, adapterBytes: number): number {
  const planned = rows.filter((row) => row.task === task);
  const sizes = planned.map(({ size }) => size).sort((a, b) => a - b);
  const size = sizes.find((each) => each >= side) ?? sizes.at(-1);
  const workBytes = Math.max(...planned.filter((row) => row.size === size).map((row) => row.workBytes));
  return Math.max(0, adapterBytes * USABLE_SHARE - workBytes - Math.max(...Object.values(weights).map(({ endsBytes }) => endsBytes)));
}

/** What a precision is suggested for: learning a LoRA of the paper's rank at the size that SD3.5 was made for. */
const SUGGESTED_FOR = { task: 'learn', rank: 4 } as const;
const SUGGESTED_SIZE = 1024;

/**
 * For an adapter's memory: 16 bits where learning then fits as a whole, else 8, whose pictures are nearly the same and which may be streamed;
 * 4 bits, whose pictures differ visibly, only where nothing else runs at all.
 */
export function suggestedPrecision(plan: MemoryPlan, adapterBytes: number): KeptPrecision {
  const verdict = (precision: KeptPrecision) => fitOf(plan, SUGGESTED_FOR, SUGGESTED_SIZE, adapterBytes, precision)?.verdict;
  if (verdict('f16') === 'fits') return 'f16';
  return verdict('int8') === 'does not fit' && verdict('int4') !== 'does not fit' ? 'int4' : 'int8';
}

/** Bytes of a plan's transformer may differ by what it leaves to work, such as the crop of the positions. */
const NEAR = 0.05;

/** Whether a transformer of so many bytes is the one that a plan was made of. */
export function isPlanned({ weights }: MemoryPlan, bytes: number, precision: KeptPrecision): boolean {
  const { blockBytes, endsBytes } = weights[precision];
  return Math.abs(bytes / (endsBytes + sum(blockBytes)) - 1) < NEAR;
}
