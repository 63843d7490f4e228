/**
 * Guidance with an identity, as PuLID samples (arXiv 2404.16022): v = v(∅,nobody) + s·[v(c,e) − v(∅,nobody)]. The end that is guided away
 * from carries nobody's tokens, the encoder's on zeros, so that the difference says who it is and not that there is someone. As differences
 * from the base, so that a strength b moves it live on cached velocities and is the base itself at 0, bit for bit:
 *   v = v_base + b·{ s·[v(c,e) − v(c,∅)] + (1 − s)·[v(∅,nobody) − v(∅,∅)] },   v_base = v(∅,∅) + s·[v(c,∅) − v(∅,∅)]
 * At b = 1 it is the rule above. Before the start step neither end sees anything.
 */
import type { Tensor3D } from '../../engine/tf';
import type { SeenPicture } from '../seen';
import { untouched, type Direction, type FieldWords } from './velocityFields';

/** Of one adapter; several people or pictures stand one after the other in `tokens`. */
export interface SeenIdentity extends SeenPicture {
  /** [1,N,width] from nobodysTokens. */
  nobody: Tensor3D;
}

/** What the strength moves at the scale s of guidance. At s = 0 no prompt acts, and nobody either. */
export function identityDirection(words: FieldWords, { nobody, ...seen }: SeenIdentity, scale: number): Direction {
  const [text, nothing] = [untouched(words.base), untouched(words.negative)];
  return [
    { positive: { ...text, seen }, negative: text, weight: 1 },
    { positive: { ...nothing, seen: { ...seen, tokens: nobody } }, negative: nothing, weight: scale === 0 ? 0 : (1 - scale) / scale },
  ];
}
