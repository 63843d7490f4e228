/** What changed: likeness to the set and drift of everything else, measured on fixed prompts when asked for. */
import type { FaultData } from '../protocol/faults';
import type { Events } from '../protocol/messages';
import type { Measures } from '../protocol/runReport';
import { faultOf, type Slice } from './slice';

/** Euler steps of each measured picture, as in the offline reference. */
const MEASURE_STEPS = 20;

export interface MeasuringSlice {
  measures: Measures | null;
  /** Twin sheet of the last measurement, a PNG. */
  sheet: Blob | null;
  measuring: Events['measuring'] | null;
  measureFault: FaultData | null;
  measure(): Promise<void>;
}

export const measuringSlice: Slice<MeasuringSlice> = ({ set, get, env }) => {
  env.client.on('measuring', (measuring) => { if (get().measuring) set({ measuring }); });
  return {
    measures: null, sheet: null, measuring: null, measureFault: null,
    async measure() {
      if (get().measuring) return;
      set({ measuring: { done: 0, total: 0 }, measureFault: null });
      try {
        set(await env.client.request('measure', { sheets: true, steps: MEASURE_STEPS }));
      } catch (error) {
        set({ measureFault: faultOf(error) });
      } finally {
        set({ measuring: null });
      }
    },
  };
};
