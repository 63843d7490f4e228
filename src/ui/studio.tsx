/** The store in React: one context, a selector hook, and the actions without subscription. */
import { createContext, useContext } from 'react';
import { useStore } from 'zustand';
import type { Studio, StudioState } from '../state/slice';

export const StudioContext = createContext<Studio | null>(null);

const useStudioStore = (): Studio => {
  const studio = useContext(StudioContext);
  if (!studio) throw new Error('StudioContext is missing above this component.');
  return studio;
};

/** Subscribes to a part of the store; the selector must return the same reference for the same state. */
export const useStudio = <T,>(select: (state: StudioState) => T): T => useStore(useStudioStore(), select);

/** All actions, for event handlers. Not a dependency of effects: it is another object after each change; select the action there. */
export const useActions = (): StudioState => useStudioStore().getState();
export const useStudioNow = (): (() => StudioState) => useStudioStore().getState;
