/** Which picture stands in the concept's frame: a pinned step of the strip, a full picture of idle time at this very balance, or the newest. */
import type { PictureEvent } from '../../protocol/pictures';
import { anchorAt, isLive } from '../../state/drawing';
import { balanceRange } from '../../state/params';
import type { StudioState } from '../../state/slice';

type Seen = Pick<StudioState, 'run' | 'opened' | 'twins' | 'strip' | 'stripSide' | 'pinnedStep' | 'anchors' | 'balance'>;

export function shownConcept(state: Seen): PictureEvent | null {
  const { twins, strip, stripSide, pinnedStep, anchors, balance } = state;
  const pinned = pinnedStep === null ? null : strip.find((entry) => entry.step === pinnedStep)?.[stripSide];
  if (pinned) return pinned;
  // What is drawn before there is a concept is the base's own and stands in the base's frame.
  if (!isLive(state)) return null;
  const drawnHere = twins.concept?.state === 'full' && Math.abs(twins.concept.balance - balance) < balanceRange.step / 10;
  const anchor = drawnHere ? null : anchorAt(anchors, balance);
  if (anchor) return anchor;
  return twins.concept ?? strip.findLast((entry) => entry.concept !== null)?.concept ?? null;
}
