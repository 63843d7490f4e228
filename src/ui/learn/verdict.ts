/** Whether a measured concept was learned, in one word: how far its pictures have come from the base's towards the set. */
import type { Measures } from '../../protocol/runReport';

/** Half the way from the base's likeness to that of the true pictures among themselves; learned sample sets reach .8 and more. */
const LEAST_SHARE = 0.5;
/** Below this distance the base draws nearly the same already, and only the count of nearer pictures tells. */
const LEAST_DISTANCE = 0.05;

export function isLearned({ likeness, likenessBase, likenessOwn, nearer, prompts }: Measures): boolean {
  const distance = likenessOwn - likenessBase;
  const far = distance < LEAST_DISTANCE || (likeness - likenessBase) / distance >= LEAST_SHARE;
  return far && nearer * 2 > prompts.length;
}

export const verdict = (measures: Measures): string => (isLearned(measures) ? 'Learned.' : 'Barely learned: learn longer.');
