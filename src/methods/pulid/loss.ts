/**
 * PuLID's losses (arXiv 2404.16022 v2) as functions of tensors, with their gradients. Nothing here knows a model.
 *   L_id     = 1 − cos(φ(C_id), φ(picture))                        the picture drawn from pure noise in few steps
 *   response = softmax(K·Qᵀ/√d)·Q                                   what each text token finds in the picture, head by head
 *   L_sem    = ‖response(K, Q_id) − response(K, Q)‖
 *   L_layout = ‖Q_id − Q‖
 *   L_align  = 0.6·L_sem + 0.1·L_layout                             mean over the layers, here also over the steps
 * Q are a joint attention's queries of the picture stream, K its keys of the text stream, both behind QK-norm. K and Q without an index
 * come from the path without ID, and are constants: in an MMDiT the text stream changes with the picture, so K_id would be another question.
 * ‖·‖ is the paper's plain norm over a sample's whole tensor, or the mean square of its elements, which doesn't grow with the model.
 */
import { attention } from '../../engine/ops';
import { invariant } from '../../engine/invariant';
import * as tf from '../../engine/tf';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../../engine/tf';
import { vjp } from '../../engine/vjp';
import type { AttentionFeatures, Graded } from '../method';

export type Reduction = 'paper-l2' | 'mse';

/** Runs a function that returns several tensors in a tidy. */
const tidyRecord = <R extends Record<string, Tensor | Tensor[]>>(run: () => R): R => tf.tidy(run as unknown as () => Tensor) as unknown as R;
const rest = (x: Tensor): number[] => x.shape.map((_, axis) => axis).slice(1);

/** ‖a − b‖ by sample, gradient in a. Where a equals b the plain norm has no gradient of its own: it is 0 there. */
export function distance<T extends Tensor>(a: T, b: T, reduction: Reduction): Graded<T> {
  invariant(tf.util.arraysEqual(a.shape, b.shape), `a distance between [${a.shape.join()}] and [${b.shape.join()}]`);
  const batch = a.shape[0]!;
  return tidyRecord(() => {
    const difference = tf.sub<T>(a, b);
    const squares = tf.square(difference);
    if (reduction === 'mse') return { perSample: tf.mean<Tensor1D>(squares, rest(a)), gradient: tf.mul<T>(difference, 2 / a.size) };
    const norm = tf.sqrt(tf.sum<Tensor1D>(squares, rest(a)));
    const divisor = tf.reshape(tf.maximum(norm, 1e-12), [batch, ...rest(a).map(() => 1)]);
    return { perSample: norm, gradient: tf.mul<T>(tf.div(difference, divisor), 1 / batch) };
  });
}

/** L_id. found [B,w]; wanted [B,w] or [1,w]; neither needs to be of length 1. Gradient in found. */
export function identityLoss(found: Tensor2D, wanted: Tensor2D): Graded<Tensor2D> {
  invariant(found.shape[1] === wanted.shape[1], `faces of ${found.shape[1]} and ${wanted.shape[1]} numbers cannot be compared`);
  return tidyRecord(() => {
    const length = tf.maximum(tf.norm(found, 2, 1, true), 1e-12);
    const f = tf.div<Tensor2D>(found, length);
    const w = tf.div<Tensor2D>(wanted, tf.maximum(tf.norm(wanted, 2, 1, true), 1e-12));
    const cosine = tf.sum<Tensor2D>(tf.mul(f, w), 1, true);
    // d cos / d found = (w − cos·f) / |found|
    const gradient = tf.mul<Tensor2D>(tf.div(tf.sub(tf.mul(cosine, f), w), length), 1 / found.shape[0]);
    return { perSample: tf.sub<Tensor1D>(1, tf.reshape(cosine, [-1])), gradient };
  });
}

/** softmax(K·Qᵀ/√d)·Q: k [B,T,H,d], q [B,N,H,d] → [B,T,H,d]. */
export const response = (k: Tensor4D, q: Tensor4D): Tensor4D => attention(k, q, q);

/** L_sem. Gradient in qId. */
export function semanticLoss(qId: Tensor4D, q: Tensor4D, k: Tensor4D, reduction: Reduction): Graded<Tensor4D> {
  const { outputs: [found], pullback } = vjp((x) => [response(k, x as Tensor4D)], [qId]);
  return tidyRecord(() => {
    const { perSample, gradient } = distance(found as Tensor4D, response(k, q), reduction);
    found!.dispose();
    const [dq] = pullback([gradient]);
    return { perSample, gradient: dq as Tensor4D };
  });
}

/** L_layout. Gradient in qId. */
export const layoutLoss = (qId: Tensor4D, q: Tensor4D, reduction: Reduction): Graded<Tensor4D> => distance(qId, q, reduction);

export interface AlignmentWeights { sem: number; layout: number; reduction: Reduction }

/** Means over the layers [B]; d(sem·L_sem + layout·L_layout) / d each layer's query with ID, the batch averaged. The caller disposes. */
export interface AlignmentLoss { sem: Tensor1D; layout: Tensor1D; gradients: Tensor4D[] }

/** Of one step. withId: queries of the path with ID, layer by layer; without: what the path without ID saw. A term of weight 0 is measured and has no gradient. */
export function alignmentLoss(withId: readonly Tensor4D[], without: readonly AttentionFeatures[], { sem, layout, reduction }: AlignmentWeights): AlignmentLoss {
  invariant(withId.length === without.length && withId.length > 0, `${withId.length} layers with ID are compared with ${without.length} without`);
  const layers = withId.length;
  return tidyRecord(() => {
    const each = withId.map((qId, i) => {
      const { q, k } = without[i]!;
      const [s, l] = [semanticLoss(qId, q, k, reduction), layoutLoss(qId, q, reduction)];
      return { s: s.perSample, l: l.perSample, gradient: tf.add<Tensor4D>(tf.mul(s.gradient, sem / layers), tf.mul(l.gradient, layout / layers)) };
    });
    const mean = (values: Tensor1D[]) => tf.mean<Tensor1D>(tf.stack(values), 0);
    return { sem: mean(each.map(({ s }) => s)), layout: mean(each.map(({ l }) => l)), gradients: each.map(({ gradient }) => gradient) };
  });
}
