/**
 * Guidance with an identity, as PuLID samples (arXiv 2404.16022): v = v(∅,nobody) + s·[v(c,e) − v(∅,nobody)]. The end that is guided away
 * from carries nobody's tokens, the encoder's on zeros, so that the difference says who it is and not that there is someone. At weight 0 and before
 * the start step neither end sees anything, and the field is the base's own bit for bit.
 */
import type { Tensor3D } from '../../engine/tf';
import type { FlowBase } from '../base';
import type { SeenPicture } from '../seen';
import { guidedField, untouched, type FieldWords, type Guidance, type VelocityField } from './fields';

/** Of one adapter; several people or pictures stand one after the other in `tokens`. */
export interface SeenIdentity extends SeenPicture {
  /** [1,N,width] from nobodysTokens. */
  nobody: Tensor3D;
}

/** Both ends on the same options: what differs is who, and the words. */
export function identityGuidance(words: FieldWords, { nobody, ...seen }: SeenIdentity): Guidance & { weight: number } {
  return { positive: { ...untouched(words.base), seen }, negative: { ...untouched(words.negative), seen: { ...seen, tokens: nobody } }, weight: 1 };
}

export function identityField(base: FlowBase, words: FieldWords, seen: SeenIdentity): VelocityField {
  const guidance = identityGuidance(words, seen);
  return guidedField(base, guidance.negative, [guidance]);
}
