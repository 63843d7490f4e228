/** The store: fourteen slices over one client. Created once in main.tsx; tests create their own over a fake client. */
import { createStore } from 'zustand/vanilla';
import type { Environment } from './client';
import { dataSetSlice } from './dataSet';
import { deviceSlice } from './device';
import { drawingSlice } from './drawing';
import { encodeFragment } from './fragment';
import { hudSlice } from './hud';
import { measuringSlice } from './measuring';
import { mixSlice } from './mix';
import { modelsSlice } from './models';
import { objectCardsSlice } from './objectCards';
import { objectsSlice } from './objects';
import { picturesSlice } from './pictures';
import { preferencesSlice } from './preferences';
import { recipeSlice } from './recipe';
import { runSlice } from './run';
import { shelfSlice } from './shelf';
import type { Studio, StudioState } from './slice';

export function createStudio(env: Environment): Studio {
  return createStore<StudioState>()((set, get) => {
    const wiring = { set: set as Studio['setState'], get, env };
    return {
      ...deviceSlice(wiring), ...preferencesSlice(wiring), ...recipeSlice(wiring), ...picturesSlice(wiring),
      ...runSlice(wiring), ...measuringSlice(wiring), ...drawingSlice(wiring), ...shelfSlice(wiring), ...hudSlice(wiring), ...dataSetSlice(wiring), ...mixSlice(wiring), ...modelsSlice(wiring), ...objectsSlice(wiring), ...objectCardsSlice(wiring),
    };
  });
}

/** What the address says of a state. */
export const fragmentOf = (state: StudioState): string => encodeFragment(state.recipe, state, state.tab === 'mix' ? state.mix : null);

/** Calls `write` with the fragment whenever recipe or drawing parameters change. Returns the function that ends it. */
export function followFragment(studio: Studio, write: (fragment: string) => void): () => void {
  let last = '';
  return studio.subscribe((state) => {
    const fragment = fragmentOf(state);
    if (fragment !== last) write(last = fragment);
  });
}
