/**
 * A picture in four steps: the base's student is a LoRA that has learned the mean velocity of each quarter of the guided way, so that an
 * evaluation costs what it says and no second one stands beside it. It was taught at one scale of guidance and without a negative prompt.
 *   v = u(c) + b·[u(c⁺) − u(c)]     u: base and student; c⁺: the same words with all that the strength b moves
 * At b = 0 that is one evaluation without anything learned or seen, at b = 1 one with all of it. LoRAs that the student has not met act
 * through it as they should: asked for 1.3 times as much, four learned concepts end further from their pictures drawn in full.
 */
import type { Adapter } from '../../models/mmdit';
import { GUIDANCE } from '../../protocol/limits';
import type { DrawParams } from '../../protocol/pictures';
import type { FlowBase } from '../base';
import { adaptersOf, type Evaluation } from '../evaluate';
import { guidedField, untouched, type FieldWords, type VelocityField } from './velocityFields';

/** Its Euler steps, from noise to picture; the student knows these four noise levels alone. */
export const QUICK_STEPS = 4;

/** Whether the student draws what is asked for, too: other guidance it has not learned. */
export const canDrawQuickly = ({ negative, guidance, skipLayers }: Pick<DrawParams, 'negative' | 'guidance' | 'skipLayers'>): boolean => negative === '' && guidance === GUIDANCE && !skipLayers;

/** Its own LoRA beside those of the evaluation. */
export function byStudent(evaluation: Evaluation, student: Adapter): Evaluation {
  const others = adaptersOf(evaluation.adapter);
  return { ...evaluation, adapter: others.length === 0 ? student : [...others, { adapter: student, weight: 1 }] };
}

/** To be evaluated at guidance 1, for QUICK_STEPS Euler steps. `whole`: the evaluation at strength 1; null: the base alone. */
export function quickField(base: FlowBase, words: FieldWords, whole: Evaluation | null, strength: number, student: Adapter): VelocityField {
  const origin = byStudent(untouched(words.base), student);
  return guidedField(base, origin, whole ? [{ positive: byStudent(whole, student), negative: origin, weight: strength }] : []);
}
