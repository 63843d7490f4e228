/**
 * Does a quantity that was sampled along a run grow? The line through the samples is Theil and Sen's: the median of the slopes of all
 * pairs, which a few samples taken at a bad moment don't move. It grows when that line rises by more than an allowance from the first
 * sample to the last, and by more than the samples scatter about it. Parts of a run that hold different things by design (the second
 * stage has a second adapter) have levels of their own and one slope: only samples of one part are compared.
 */

/** The middle of the values, between two the mean of both; 0 of none. The app's own (src/protocol/median.ts) is TypeScript, which Node does not import here. */
export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length === 0 ? 0 : sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Share of its own level by which a quantity may rise over the run: what caches still fill after the warm-up. */
export const ALLOWED_SHARE = 0.03;
/** A heap may rise by this in any case: caches of the browser lie in it. */
export const HEAP_FLOOR_BYTES = 0.2e6;
/** The rise must be this many times the typical distance of a sample from the line. */
const SCATTERS = 3;

/**
 * @param {{ step: number; value: number; part?: string }[]} samples In order of step.
 * @param {{ keptPerStep?: number; floor?: number; share?: number }} [options] What a step keeps by design, the least rise that counts, and the share of the level.
 * @returns {{ level: number; perStep: number; rise: number; allowed: number; scatter: number; grows: boolean }}
 */
export function growth(samples, { keptPerStep = 0, floor = 0, share = ALLOWED_SHARE } = {}) {
  const slopes = samples.flatMap((a, i) => samples.slice(i + 1).filter(({ part }) => part === a.part).map((b) => (b.value - a.value) / (b.step - a.step)));
  const perStep = median(slopes);
  const level = median(samples.map(({ value }) => value));
  const steps = samples.length > 1 ? samples.at(-1).step - samples[0].step : 0;
  const startOf = (wanted) => median(samples.filter(({ part }) => part === wanted).map(({ step, value }) => value - perStep * step));
  const scatter = median(samples.map(({ step, value, part }) => Math.abs(value - perStep * step - startOf(part))));
  const rise = perStep * steps;
  const allowed = Math.max(floor, share * level) + keptPerStep * steps;
  return { level, perStep, rise, allowed, scatter, grows: rise > allowed && rise > SCATTERS * scatter };
}
