/** Which of the two themes is shown: the user's choice, else the system's. Set as data-theme on the root. */
import { useLayoutEffect, useSyncExternalStore } from 'react';
import { useStudio } from './studio';

const dark = '(prefers-color-scheme: dark)';
const subscribe = (changed: () => void) => {
  const query = matchMedia(dark);
  query.addEventListener('change', changed);
  return () => query.removeEventListener('change', changed);
};

export function useTheme(): 'dark' | 'light' {
  const chosen = useStudio((state) => state.theme);
  const system = useSyncExternalStore(subscribe, () => (matchMedia(dark).matches ? 'dark' : 'light'));
  return chosen === 'system' ? system : chosen;
}

export function useThemeOnRoot(): void {
  const theme = useTheme();
  // before any effect that reads colours from the page, such as a chart's
  useLayoutEffect(() => { document.documentElement.dataset.theme = theme; }, [theme]);
}
