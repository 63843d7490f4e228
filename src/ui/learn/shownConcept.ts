/**
 * Which pictures stand in the twins' frames, and what is no longer true of them. The concept's: a pinned step of the strip, a full
 * picture of idle time at this very balance, or the newest. The base's: its twin, which was drawn from the same.
 */
import type { PictureEvent } from '../../protocol/pictures';
import { tickAt, isLive } from '../../state/drawing';
import type { StudioState } from '../../state/slice';
import { askedKey, differences, sameBalance } from '../../state/twins';

type Seen = Pick<StudioState, 'run' | 'opened' | 'object' | 'twins' | 'original' | 'strip' | 'stripSide' | 'pinnedStep' | 'ticks' | 'balance' | 'prompt' | 'negative' | 'seed' | 'guidance' | 'steps' | 'sampler' | 'skipLayers' | 'ready' | 'recipe'>;

export function shownConcept(state: Seen): PictureEvent | null {
  const { twins, strip, stripSide, pinnedStep, ticks, balance } = state;
  const pinned = pinnedStep === null ? null : strip.find((entry) => entry.step === pinnedStep)?.[stripSide];
  if (pinned) return pinned;
  // What is drawn before there is a concept is the base's own and stands in the base's frame.
  if (!isLive(state)) return null;
  const drawnHere = twins.concept?.state === 'full' && sameBalance(twins.concept.balance, balance);
  const tick = drawnHere ? null : tickAt(ticks, balance);
  if (tick) return tick;
  return twins.concept ?? strip.findLast((entry) => entry.concept !== null)?.concept ?? null;
}

export function shownBase(state: Seen): PictureEvent | null {
  const { twins: { base }, original } = state;
  if (shownConcept(state)?.slot.kind === 'strip') return original ?? base;
  const fits = (picture: PictureEvent | null) => picture !== null && staleness(state, picture) === '';
  return fits(base) || !fits(original) ? (base ?? original) : original;
}

/** What a shown picture was drawn from that is asked for no longer, in words; empty while it is what it seems to be. */
export function staleness(state: Seen, picture: PictureEvent): string {
  // the strip has its own prompt and seed, on both sides
  if (shownConcept(state)?.slot.kind === 'strip' && ['strip', 'original'].includes(picture.slot.kind)) return '';
  const concept = shownConcept(state);
  // beside a draft a picture of any number of steps will do
  const asked = { ...askedKey(state), ...(picture.slot.kind === 'original' && concept && concept.steps === 0 ? { steps: 0 } : {}) };
  const found = differences(picture, asked);
  const moved = picture.slot.kind === 'concept' && !sameBalance(picture.balance, state.balance);
  return [...found, ...(moved ? [`balance ${picture.balance.toFixed(2)}`] : [])].join(', ');
}
