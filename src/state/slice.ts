/** The shape of a slice: state and actions of one subject, over one store and one environment. */
import type { StoreApi } from 'zustand/vanilla';
import { serializeFault, type FaultData } from '../protocol/faults';
import type { Environment } from './client';
import type { DataSetSlice } from './dataSet';
import type { DeviceSlice } from './device';
import type { DrawingSlice } from './drawing';
import type { HudSlice } from './hud';
import type { MixSlice } from './mix';
import type { ModelsSlice } from './models';
import type { MeasuringSlice } from './measuring';
import type { ObjectCardsSlice } from './objectCards';
import type { ObjectsSlice } from './objects';
import type { PicturesSlice } from './pictures';
import type { PreferencesSlice } from './preferences';
import type { RecipeSlice } from './recipe';
import type { RunSlice } from './run';
import type { ShelfSlice } from './shelf';

export type StudioState = DeviceSlice & PreferencesSlice & RecipeSlice & PicturesSlice & RunSlice & MeasuringSlice & DrawingSlice & ShelfSlice & HudSlice & DataSetSlice & MixSlice & ModelsSlice & ObjectsSlice & ObjectCardsSlice;
export type Studio = StoreApi<StudioState>;

export interface Wiring {
  set: Studio['setState'];
  get: Studio['getState'];
  env: Environment;
}
export type Slice<S> = (wiring: Wiring) => S;

/** What an action failed with, as plain data; null for what the user stopped. */
export function faultOf(error: unknown): FaultData | null {
  const fault = serializeFault(error);
  return fault.code === 'aborted' ? null : fault;
}
