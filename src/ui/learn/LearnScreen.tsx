/** Three columns: what goes in, what comes out, what is happening. In one column the pictures come first, also for the keyboard, and what is next stays at the lower edge. */
import { isOnePicture } from '../../state/objects';
import { useNarrow } from '../narrow';
import { useStudio } from '../studio';
import { HappeningColumn } from './HappeningColumn';
import { InColumn } from './InColumn';
import { OneHappening } from './one/OneHappening';
import { OneIn } from './one/OneIn';
import { OutColumn } from './OutColumn';
import { PhoneBar } from './PhoneBar';

export function LearnScreen() {
  const narrow = useNarrow();
  const one = useStudio(isOnePicture);
  const columns = one ? [<OneIn key="one-in" />, <OutColumn key="out" />, <OneHappening key="one-happening" />] : [<InColumn key="in" />, <OutColumn key="out" />, <HappeningColumn key="happening" />];
  return <div className="learn">{narrow ? [columns[1], columns[0], columns[2], <PhoneBar key="bar" />] : columns}</div>;
}
