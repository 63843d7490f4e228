/** Whether the base lies over the concept's frame; B switches it, and a new key press switches back. */
import { useEffect, useState } from 'react';
import { BLINK_EVENT } from '../keys';

export function useBlink(): boolean {
  const [blinked, setBlinked] = useState(false);
  useEffect(() => {
    const flip = () => setBlinked((now) => !now);
    window.addEventListener(BLINK_EVENT, flip);
    return () => window.removeEventListener(BLINK_EVENT, flip);
  }, []);
  return blinked;
}
