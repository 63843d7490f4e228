/** Three columns: what goes in, what comes out, what is happening. In one column the pictures come first, also for the keyboard. */
import { useSyncExternalStore } from 'react';
import { HappeningColumn } from './HappeningColumn';
import { InColumn } from './InColumn';
import { OutColumn } from './OutColumn';

const narrow = '(max-width: 759px)';
const subscribe = (changed: () => void) => {
  const query = matchMedia(narrow);
  query.addEventListener('change', changed);
  return () => query.removeEventListener('change', changed);
};

export function LearnScreen() {
  const isNarrow = useSyncExternalStore(subscribe, () => matchMedia(narrow).matches);
  const columns = [<InColumn key="in" />, <OutColumn key="out" />, <HappeningColumn key="happening" />];
  return <div className="learn">{isNarrow ? [columns[1], columns[0], columns[2]] : columns}</div>;
}
