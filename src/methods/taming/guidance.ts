/**
 * The Taming Encoder's guidance of two scales (arXiv 2304.02642), on velocities:
 *   v = v(∅,∅) + s_text·[v(c,∅) − v(∅,∅)] + s_object·[v(c,e) − v(c,∅)]
 * c are the words, e the tokens of a picture. One rule of GCFG's kind: differences with weights (methods/gcfg), so that masks, schedules
 * and projections hold for it as well. v(∅,∅) and v(c,∅) are the base's own, with nothing of the adapter.
 */
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { Part } from '../gcfg/compose';

export interface Scales { text: number; object: number }

/** Velocities [B,h,w,C]; they stay the caller's. */
export interface SeenVelocities {
  /** v(∅,∅) */
  nothing: Tensor4D;
  /** v(c,∅) */
  text: Tensor4D;
  /** v(c,e) */
  object: Tensor4D;
}

/** The same as one weighted sum; the weights add up to 1. */
export const scaleWeights = ({ text, object }: Scales): Record<keyof SeenVelocities, number> => ({ nothing: 1 - text, text: text - object, object });

/** v of the rule. Scale 0 of the object leaves its velocity out altogether: the result is the base's own bit for bit. The caller disposes. */
export function twoScales({ nothing, text, object }: SeenVelocities, scales: Scales): Tensor4D {
  return tf.tidy(() => {
    const onText = tf.add<Tensor4D>(nothing, tf.mul(tf.sub(text, nothing), scales.text));
    return scales.object === 0 ? onText : tf.add<Tensor4D>(onText, tf.mul(tf.sub(object, text), scales.object));
  });
}

/** Its two differences as GCFG's parts, text before object. The caller disposes their `difference`s. */
export function twoScaleParts({ nothing, text, object }: SeenVelocities, scales: Scales): Part[] {
  const part = (to: Tensor4D, from: Tensor4D, weight: number): Part => ({ difference: tf.tidy(() => tf.sub<Tensor4D>(to, from)), weight, mask: null, joint: false });
  return [part(text, nothing, scales.text), part(object, text, scales.object)];
}
