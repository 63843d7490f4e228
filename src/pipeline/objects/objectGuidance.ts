/**
 * Two-scale guidance of the Taming Encoder (arXiv 2304.02642) as guidances of a field:
 *   v = v(∅,∅) + s_text·[v(c,∅) − v(∅,∅)] + s_object·[v(c,e) − v(c,∅)]
 * c are the words, e the tokens of the pictures. s_text is the CFG scale, s_object that times the strength; at strength 0 the last
 * difference is not evaluated, and the field is the base's own bit for bit.
 */
import { untouched, type FieldWords, type Guidance } from '../sampling/velocityFields';
import type { SeenPicture } from '../seen';

/** The direction that the strength moves, v(c,e) − v(c,∅), read with the words without [V]: the class word stands for the object. */
export function objectGuidance(words: FieldWords, seen: SeenPicture): Guidance & { weight: number } {
  const alone = untouched(words.base);
  return { positive: { ...alone, seen }, negative: alone, weight: 1 };
}
