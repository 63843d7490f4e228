/**
 * Which pictures may stand side by side. Every picture carries what it was drawn from: what was asked for since makes it stale, which is
 * said on it, and what comes too late for its prompt is not shown at all. What is unfinished replaces only what is worse.
 */
import { SAMPLER_NAMES } from '../formats/pngParameters';
import type { PictureEvent, PictureKey } from '../protocol/pictures';
import { balanceRange } from './params';
import type { StudioState } from './slice';

/** A draft is one step from sigma 0.75, so it shows as much as a quarter of a whole picture's steps. */
const DRAFT_SHARE = 0.25;

type Asking = Pick<StudioState, 'prompt' | 'negative' | 'seed' | 'guidance' | 'steps' | 'sampler' | 'skipLayers' | 'ready' | 'recipe' | 'run' | 'opened'>;

/** Skip-layer guidance, as far as the base in use has those layers. */
export const skippingLayers = ({ skipLayers, ready }: Pick<StudioState, 'skipLayers' | 'ready'>): boolean => skipLayers && (ready?.skips ?? false);

/** What pictures are to be drawn from now. */
export function askedKey({ prompt, negative, seed, guidance, steps, sampler, skipLayers, ready, recipe, run, opened }: Asking): PictureKey {
  return { prompt, negative, seed, guidance, steps, sampler, skipLayers: skippingLayers({ skipLayers, ready }), kind: (run ?? opened ?? { recipe }).recipe.kind };
}

export const sameBalance = (a: number, b: number): boolean => Math.abs(a - b) < balanceRange.step / 10;

/** In what two pictures differ, in words, most telling first; empty for twins. Drafts have no steps to differ in. */
export function differences(picture: PictureKey, other: PictureKey): string[] {
  return [
    ...(picture.prompt === other.prompt && picture.kind === other.kind ? [] : ['another prompt']),
    ...(picture.negative === other.negative ? [] : ['another negative prompt']),
    ...(picture.seed === other.seed ? [] : [`seed ${picture.seed}`]),
    ...(picture.guidance === other.guidance ? [] : [`guidance ${picture.guidance}`]),
    ...(picture.steps === 0 || other.steps === 0 ? [] : [
      ...(picture.steps === other.steps ? [] : [`${picture.steps} steps`]),
      ...(picture.sampler === other.sampler ? [] : [`sampler ${SAMPLER_NAMES[picture.sampler]}`]),
      ...(picture.skipLayers === other.skipLayers ? [] : [`${picture.skipLayers ? 'with' : 'without'} skipped layers`]),
    ]),
  ];
}

/** A whole picture in few steps shows more than one that is nearly finished. */
const QUICK_SHARE = 0.95;

const shareOf = ({ state, step, steps }: PictureEvent): number =>
  (state === 'full' ? 1 : state === 'quick' ? QUICK_SHARE : state === 'partial' ? step / steps : state === 'draft' ? DRAFT_SHARE : DRAFT_SHARE / 2);

/** Whether a picture of what is asked for takes the place of the one that stands there. */
export function takesPlace(next: PictureEvent, standing: PictureEvent | null, asked: PictureKey): boolean {
  if (next.state === 'full') return true;
  // the first steps of a whole picture show less than a draft does
  if (next.state === 'partial' && shareOf(next) < DRAFT_SHARE) return false;
  if (!standing) return true;
  if (differences(standing, asked).length > 0) return next.state !== 'draft-linear';
  if (!sameBalance(next.balance, standing.balance)) return true;
  const learnedSince = standing.state !== 'full' && next.state !== 'draft-linear' && standing.atStep !== next.atStep;
  return learnedSince || shareOf(next) >= shareOf(standing);
}
