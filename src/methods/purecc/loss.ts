/**
 * PureCC's equations, all of them, as functions of velocities (arXiv 2603.07561 v2). Nothing here knows a model.
 *   Eq. 3/7  L_CC   = mean (u − v)²                          both stages; v = vComplete
 *   Eq. 8    g      = vTarget − vReference                    conceptGuidance, never trained
 *   Eq. 10   r      = vComplete − vOriginal                   conceptOffset
 *   Eq. 12   λ*     = ⟨r,g⟩ / max(‖g‖², N·τ²)                 per sample, over all latent elements, float32
 *   Eq. 14   L_pure = mean (vOriginal + λ*·g − vComplete)²
 *   Eq. 15   L      = L_CC + η·L_pure  (+ anchor · mean (vStudent(Base) − vBase(Base))², not in the paper)
 * Means are over the elements of a sample, then over the batch. Gradients are in closed form (weightedLoss): λ* minimises the
 * very expression in the loss, so treating it as a constant changes nothing (envelope theorem), and is right where it is clamped.
 * Beyond the paper: the floor (τ = 1e-2 of rms vOriginal), the clamp 0…10, and a sample whose g lies below the floor drops L_pure.
 */
import { lambdaStar } from '../../engine/kernels/lambdaStar';
import type { DistanceTerm } from '../../engine/kernels/weightedLoss';
import * as tf from '../../engine/tf';
import type { Tensor, Tensor1D, Tensor4D } from '../../engine/tf';

/** τ relative to rms(vOriginal): below it g is indistinguishable from noise and λ* explodes as 1/‖g‖. */
const FLOOR_RELATIVE = 1e-2;
/** Largest λ* let through; 5 is already harmful in the paper's ablation. */
const LAMBDA_MAX = 10;

/** A squared distance, not evaluated yet: weightedLoss gives its value per sample and its part in the gradient. */
export type Term = Omit<DistanceTerm<Tensor4D>, 'weight'>;

const perSampleMean = (x: Tensor4D): Tensor1D => tf.mean(x, [1, 2, 3]);
const column = (x: Tensor1D): Tensor => tf.reshape(x, [-1, 1, 1, 1]);

/** mean (v − goal)². `keep` [B] (0/1) leaves samples out without changing the batch's divisor. */
export const squaredDistance = (v: Tensor4D, goal: Tensor4D, keep?: Tensor1D): Term => ({ left: v, right: goal, ...(keep && { keep }) });

/** [B] each. */
export type Projection = {
  lambda: Tensor1D;
  cosine: Tensor1D;
  /** 1 where ‖g‖² lies below the floor and λ* would mean nothing. */
  floorHit: Tensor1D;
};

export interface ProjectionOptions {
  /** A number: λ is fixed to it. Null: λ* (Eq. 12). */
  fixed: number | null;
  /** Floor and clamp; without them the bare formula. */
  held: boolean;
}

/** λ and the figures around it. vOriginal sets the floor's scale only. */
export function project(r: Tensor4D, g: Tensor4D, vOriginal: Tensor4D, { fixed, held }: ProjectionOptions): Projection {
  return tf.tidy(() => {
    const elements = r.size / r.shape[0];
    const floor = held ? tf.mul<Tensor1D>(perSampleMean(tf.square(vOriginal)), elements * FLOOR_RELATIVE ** 2) : tf.zeros<tf.Rank.R1>([r.shape[0]]);
    const star = lambdaStar(r, g, { floor, low: held ? 0 : -Infinity, high: held ? LAMBDA_MAX : Infinity });
    return {
      lambda: fixed === null ? star.lambda : tf.fill<tf.Rank.R1>([r.shape[0]], fixed),
      cosine: star.cosine,
      floorHit: fixed === null ? tf.cast<Tensor1D>(tf.less<Tensor1D>(star.gNorm2, floor), 'float32') : tf.zeros<tf.Rank.R1>([r.shape[0]]),
    };
  });
}

/** vOriginal + λ·g (Eq. 13). lambda [B]. */
export function goalField(vOriginal: Tensor4D, g: Tensor4D, lambda: Tensor1D): Tensor4D {
  return tf.tidy(() => tf.add<Tensor4D>(vOriginal, tf.mul(column(lambda), g)));
}

/** `pure` pulls at vComplete; where the original is trainable, it pulls at that with the opposite sign. */
export type PureTerm = Projection & { pure: Term };

/** L_PureCC (Eq. 8–14). None of vTarget, vReference gets a gradient. */
export function pureTerm(vComplete: Tensor4D, vOriginal: Tensor4D, vTarget: Tensor4D, vReference: Tensor4D, options: ProjectionOptions): PureTerm {
  return tf.tidy(() => {
    const g = tf.sub<Tensor4D>(vTarget, vReference);
    const r = tf.sub<Tensor4D>(vComplete, vOriginal);
    const projection = project(r, g, vOriginal, options);
    const pure = squaredDistance(vComplete, goalField(vOriginal, g, projection.lambda), tf.sub<Tensor1D>(1, projection.floorHit));
    return { ...projection, pure };
  });
}
