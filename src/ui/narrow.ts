/** Whether the page is one column, as on a phone. The same width stands in the style sheets. */
import { useSyncExternalStore } from 'react';

const narrow = '(max-width: 759px)';
const subscribe = (changed: () => void) => {
  const query = matchMedia(narrow);
  query.addEventListener('change', changed);
  return () => query.removeEventListener('change', changed);
};

export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => matchMedia(narrow).matches);
