/**
 * Takes the time of a row: warm-up, then rounds in which ours and the rival take turns, each with as many repetitions as
 * make a sample long enough to be timed, ended by waiting for the adapter; the median counts. Interleaving gives both the
 * same share of whatever else the machine does. On a software adapter a row foreseen, or found, to take over 20 s is
 * skipped, and says so.
 */
import { median } from '../protocol/median';
import type { Form, ReportRow, Row } from './row';

export interface Timing {
  now(): number;
  /** A sample shorter than this is mostly the cost of waiting for the adapter, ms. */
  sampleMs: number;
  /** Time for all rounds of one row, ms. */
  budgetMs: number;
  minRounds: number;
  maxRounds: number;
  /** A row beyond this is skipped, ms; null on an adapter that is no software. */
  limitMs: number | null;
  /** What a good form may reach: a row too long even so is skipped before anything of it is made. */
  flopsPerSecond: number;
}

export const defaultTiming: Omit<Timing, 'limitMs' | 'flopsPerSecond'> = { now: () => performance.now(), sampleMs: 20, budgetMs: 2000, minRounds: 3, maxRounds: 15 };

/** What all repetitions of one sample may hold at a time. */
const HELD_BYTES = 2 ** 30;
const MOST_REPETITIONS = 1000;
/** Wall time of `repetitions` in a row, ms each. */
async function sample(form: Form, repetitions: number, now: () => number): Promise<number> {
  const prepared = Array.from({ length: repetitions }, () => form.prepare?.());
  await form.sync();
  const started = now();
  for (const given of prepared) await form.run(given);
  await form.sync();
  return (now() - started) / repetitions;
}

interface Warm { repetitions: number; eachMs: number }

/** Warm-up: twice alone (the first compiles), then as many times as a sample will have, until that is long enough. Null: too long. */
async function warmUp(form: Form, row: Row, timing: Timing, leftMs: number): Promise<Warm | null> {
  // half of what is left in one repetition, compiling included: no rounds will fit
  if ((await sample(form, 1, timing.now)) > leftMs / 2) return null;
  const most = Math.max(1, Math.min(MOST_REPETITIONS, Math.floor(HELD_BYTES / Math.max(1, row.bytes))));
  let repetitions = 1;
  for (;;) {
    const eachMs = await sample(form, repetitions, timing.now);
    if (eachMs * repetitions >= timing.sampleMs || repetitions >= most) return { repetitions, eachMs };
    repetitions = Math.min(most, Math.max(repetitions * 2, Math.ceil((1.2 * timing.sampleMs) / Math.max(eachMs, 1e-4))));
  }
}

const figures = ({ name, shape, flops, bytes, rival }: Row, oursMs: number | null, rivalMs: number | null): ReportRow => ({
  name, shape, ours_ms: oursMs, rival: rival?.name ?? null, rival_ms: rivalMs,
  ratio: oursMs !== null && rivalMs !== null ? rivalMs / oursMs : null,
  gflops: flops > 0 && oursMs !== null ? flops / oursMs / 1e6 : null,
  bytes: bytes > 0 ? bytes : null,
});
const overLimit = (row: Row): ReportRow => ({ ...figures(row, null, null), skipped: 'over 20 s on a software adapter' });

/** Frees what it opened, also when a form throws. */
export async function measureRow(row: Row, timing: Timing): Promise<ReportRow> {
  const limit = (row.howeverLong ? null : timing.limitMs) ?? Infinity;
  // a warm-up of two and at least minRounds, of either form
  const least = (row.rival ? 2 : 1) * (2 + timing.minRounds);
  if (((row.flops * least) / timing.flopsPerSecond) * 1000 > limit) return overLimit(row);
  const started = timing.now();
  const left = () => limit - (timing.now() - started);
  const forms: Form[] = [];
  try {
    const warm: Warm[] = [];
    for (const open of row.rival ? [row.ours, row.rival.open] : [row.ours]) {
      const form = await open();
      forms.push(form);
      const found = await warmUp(form, row, timing, left());
      if (!found) return overLimit(row);
      warm.push(found);
    }
    const roundMs = warm.reduce((sum, { repetitions, eachMs }) => sum + repetitions * eachMs, 0);
    if (roundMs * timing.minRounds > left()) return overLimit(row);
    const rounds = Math.max(timing.minRounds, Math.min(timing.maxRounds, Math.floor(timing.budgetMs / roundMs)));
    const times: number[][] = forms.map(() => []);
    for (let round = 0; round < rounds; round++) {
      const order = forms.map((_, i) => i);
      // who begins changes from round to round
      for (const i of round % 2 === 0 ? order : order.reverse()) times[i]!.push(await sample(forms[i]!, warm[i]!.repetitions, timing.now));
    }
    const [oursMs, rivalMs] = times.map((each) => median(each)!);
    return figures(row, oursMs!, rivalMs === undefined ? null : rivalMs * (row.rivalScale ?? 1));
  } finally {
    forms.forEach((form) => form.dispose());
  }
}
