/** What a user chose about the studio itself; remembered on this device, never part of a run. */
import type { Slice } from './slice';

export type Theme = 'system' | 'dark' | 'light';
export type Tab = 'learn' | 'mix' | 'models' | 'shelf';

export interface PreferencesSlice {
  theme: Theme;
  tab: Tab;
  chartsAgainst: 'step' | 'sigma';
  setTheme(theme: Theme): void;
  setTab(tab: Tab): void;
  setChartsAgainst(chartsAgainst: 'step' | 'sigma'): void;
}

const THEME_KEY = 'lamina.theme';

export const preferencesSlice: Slice<PreferencesSlice> = ({ set, env }) => {
  const stored = env.memory?.getItem(THEME_KEY);
  return {
    theme: stored === 'dark' || stored === 'light' ? stored : 'system',
    tab: 'learn',
    chartsAgainst: 'step',
    setTheme(theme) {
      env.memory?.setItem(THEME_KEY, theme);
      set({ theme });
    },
    setTab: (tab) => set({ tab }),
    setChartsAgainst: (chartsAgainst) => set({ chartsAgainst }),
  };
};
