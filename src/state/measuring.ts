/** What changed: likeness to the set and drift of everything else, measured on fixed prompts when asked for. */
import type { FaultData } from '../protocol/faults';
import type { Events } from '../protocol/messages';
import { MEASURE_STEPS } from '../protocol/limits';
import type { Measures } from '../protocol/runReport';
import { faultOf, type Slice } from './slice';

export interface MeasuringSlice {
  measures: Measures | null;
  /** Twin sheet of the last measurement, a PNG. */
  sheet: Blob | null;
  /** How far, and how long at the pace so far; null seconds until the first picture is done. */
  measuring: (Events['measuring'] & { secondsLeft: number | null }) | null;
  measureFault: FaultData | null;
  measure(): Promise<void>;
  cancelMeasure(): void;
}

export const measuringSlice: Slice<MeasuringSlice> = ({ set, get, env }) => {
  let asked = new AbortController();
  let began = 0;
  env.client.on('measuring', ({ done, total }) => {
    if (get().measuring) set({ measuring: { done, total, secondsLeft: done > 0 ? ((performance.now() - began) / 1000 / done) * (total - done) : null } });
  });
  return {
    measures: null, sheet: null, measuring: null, measureFault: null,
    async measure() {
      if (get().measuring) return;
      const mine = (asked = new AbortController());
      began = performance.now();
      set({ measuring: { done: 0, total: 0, secondsLeft: null }, measureFault: null });
      try {
        const result = await env.client.request('measure', { sheets: true, steps: MEASURE_STEPS }, { signal: mine.signal });
        // what was measured may have been put away meanwhile
        if (!mine.signal.aborted) set(result);
        if (!mine.signal.aborted && (get().kept || get().opened)) await get().refreshShelf();
      } catch (error) {
        if (!mine.signal.aborted) set({ measureFault: faultOf(error) });
      } finally {
        if (asked === mine) set({ measuring: null });
      }
    },
    cancelMeasure() {
      asked.abort();
      set({ measuring: null });
    },
  };
};
