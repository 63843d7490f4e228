/** Whether a measured concept was learned, in a few words: how far its pictures have come from the base's towards the set. */
import type { Measures } from '../../protocol/runReport';

/** Half the way from the base's likeness to that of the true pictures among themselves; learned sample sets reach .8 and more. */
const LEAST_SHARE = 0.5;
/** Below this distance the base draws nearly the same already, and only the count of nearer pictures tells. */
const LEAST_DISTANCE = 0.05;

function isLearned({ likeness, likenessBase, likenessOwn, nearer, prompts }: Measures): boolean {
  const distance = likenessOwn - likenessBase;
  const far = distance < LEAST_DISTANCE || (likeness - likenessBase) / distance >= LEAST_SHARE;
  return far && nearer * 2 > prompts.length;
}

/** Likeness sees colours and parts, not whether they are in their places. */
const isWhole = ({ whole, prompts }: Measures): boolean => whole == null || whole * 2 > prompts.length;

export const isGood = (measures: Measures): boolean => isLearned(measures) && isWhole(measures);

export const verdict = (measures: Measures): string => (!isLearned(measures) ? 'Barely learned: learn longer.' : isWhole(measures) ? 'Learned.' : 'Learned in pieces: learn longer, or with a higher rank.');
