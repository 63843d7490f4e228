/** The engine's figures of `?hud`: asked for once the base is in, and again of each worker that replaces another. */
import type { TraceReport } from '../protocol/compute';
import { faultOf, type Slice } from './slice';

export interface HudSlice {
  hud: boolean;
  trace: TraceReport | null;
  /** Nothing is measured or sent before this. */
  showHud(): void;
}

export const hudSlice: Slice<HudSlice> = ({ set, get, env }) => {
  const ask = () => void env.client.request('trace', { on: true }).catch((error: unknown) => set({ deviceFault: faultOf(error) }));
  env.client.on('trace', (trace) => set({ trace }));
  env.client.on('ready', () => { if (get().hud) ask(); });
  return {
    hud: false,
    trace: null,
    showHud() {
      set({ hud: true });
      if (get().ready) ask();
    },
  };
};
