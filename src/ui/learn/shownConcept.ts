/** Which picture stands in the concept's frame: a pinned step of the strip, a full picture of idle time at this very balance, or the newest. */
import type { PictureEvent } from '../../protocol/messages';
import { anchorAt } from '../../state/drawing';
import type { StudioState } from '../../state/slice';

type Seen = Pick<StudioState, 'twins' | 'strip' | 'stripSide' | 'pinnedStep' | 'anchors' | 'balance'>;

export function shownConcept(state: Seen): PictureEvent | null {
  const { twins, strip, stripSide, pinnedStep, anchors, balance } = state;
  const pinned = pinnedStep === null ? null : strip.find((entry) => entry.step === pinnedStep)?.[stripSide];
  if (pinned) return pinned;
  if (twins.concept?.state !== 'full') {
    const anchor = anchorAt(anchors, balance);
    if (anchor) return anchor;
  }
  return twins.concept ?? strip.findLast((entry) => entry.concept !== null)?.concept ?? null;
}
