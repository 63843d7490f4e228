/** Runs the rows that are asked for on the backend that is open, one after another, and tells each as it is done. */
import type { Compute } from '../engine/backend';
import { internals } from '../engine/webgpu/dispatch';
import { tuneTilings } from '../engine/webgpu/autotune';
import { setTilings, tilingName, tilings } from '../engine/webgpu/tiling';
import { limitWork } from '../engine/webgpu/workLimit';
import * as tf from '../engine/tf';
import { defaultTiming, measureRow, type Timing } from './measure';
import type { Report, ReportRow, Row, Survey } from './row';
import { allRows } from './rows';

/** A row longer than this on a software adapter is skipped. */
const LIMIT_MS = 20_000;

export interface RunOptions {
  /** Regular expression over name, shape and rival, case ignored; empty for all. */
  only: string;
  host: string;
  onRow?(row: ReportRow): void;
}

const label = (row: Row | Survey): string => ('measure' in row ? row.name : `${row.name} ${row.shape} ${row.rival?.name ?? ''}`.trim());

export function chosen<T extends Row | Survey>(rows: readonly T[], only: string): T[] {
  const pattern = new RegExp(only, 'i');
  return rows.filter((row) => pattern.test(label(row)));
}

/**
 * Operations a second that a good product reaches on a software adapter of two cores and up: SwiftShader, and one thread of
 * wasm. Constants, so that what is skipped unmade does not depend on what else the machine does.
 */
const SOFTWARE_PACE = { webgpu: 2e9, wasm: 40e9, cpu: 1e9 } as const;

export function timingOf({ software, backend, threads }: Compute): Timing {
  return { ...defaultTiming, limitMs: software ? LIMIT_MS : null, flopsPerSecond: SOFTWARE_PACE[backend] * (backend === 'wasm' ? threads : 1) };
}

/** What the device complains of instead of throwing: a kernel that did not run would look fast. */
function deviceErrors(): string[] {
  const found: string[] = [];
  if (tf.getBackend() === 'webgpu') internals(tf.backend()).device.addEventListener('uncapturederror', ({ error }) => found.push(error.message));
  return found;
}

const failed = (row: Row | Survey, message: string): ReportRow => ({
  name: row.name, shape: 'measure' in row ? '' : row.shape, ours_ms: null, rival: 'measure' in row ? null : row.rival?.name ?? null, rival_ms: null, ratio: null, gflops: null, bytes: null,
  skipped: `failed: ${message.split('\n')[0]}`,
});

/** One row's figures; where it fails, that, so that the others still run. */
async function figuresOf(row: Row | Survey, timing: Timing, errors: string[]): Promise<ReportRow[]> {
  try {
    const found = 'measure' in row ? await row.measure() : [await measureRow(row, timing)];
    const [complaint] = errors.splice(0);
    return complaint ? [failed(row, complaint)] : found;
  } catch (error) {
    errors.splice(0);
    return [failed(row, error instanceof Error ? error.message : String(error))];
  }
}

/** The backend is open and current. */
export async function runBench(compute: Compute, options: RunOptions): Promise<Report> {
  const timing = timingOf(compute);
  const errors = deviceErrors();
  // as the worker does: software adapters keep the tiling without barriers
  if (compute.backend === 'webgpu' && !compute.software) {
    const tuned = await tuneTilings();
    setTilings(tuned.tilings);
    limitWork(tuned.flopsPerMs, false);
  }
  const done: ReportRow[] = [];
  for (const row of chosen(allRows(compute, timing), options.only)) {
    const found = await figuresOf(row, timing, errors);
    for (const one of found) options.onRow?.(one);
    done.push(...found);
  }
  const tuned = compute.backend === 'webgpu' ? { tilings: tilingName(tilings()) } : {};
  return { adapter: compute.adapter, backend: compute.backend, host: options.host, ...tuned, rows: done };
}

export const anyFailed = ({ rows }: Report): boolean => rows.some(({ skipped }) => skipped?.startsWith('failed'));
