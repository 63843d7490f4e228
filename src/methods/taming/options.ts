/** How a picture is seen while another is drawn: fields with default, range and reason, as a method's. */
import { choice, number, type Fields, type ValuesOf } from '../fields';

export const tamingOptions = {
  objectScale: number({ default: 1, min: 0, max: 3, label: 'Likeness', term: 's_object / s_text', group: 'picture', why: '0 is the words alone. Above 1 the picture says more than the words do.' }),
  strength: number({ default: 1, min: 0, max: 2, label: 'Strength inside', term: 'weight of the cross-attention', group: 'picture', why: '1 is what the encoder was trained with. Needs a new drawing, where likeness only mixes.' }),
  zeroTokens: number({ default: 0, min: 0, max: 80, integer: true, unit: 'tokens', label: 'Tokens of nothing', term: 'zero tokens', group: 'picture', why: 'Attention that goes nowhere: more of them leave more to the words.' }),
  ortho: choice(['none', 'ortho', 'ortho_v2'], { default: 'none', label: 'Only what is new', term: 'orthogonal projection', group: 'picture', why: 'Takes out of what the picture adds what the words draw already.' }),
  startStep: number({ default: 0, min: 0, max: 20, integer: true, unit: 'steps', label: 'Seen from step', term: 'start step', group: 'picture', why: 'The first steps settle the layout; without the picture they keep the words’.' }),
} satisfies Fields;

export type TamingOptions = ValuesOf<typeof tamingOptions>;
