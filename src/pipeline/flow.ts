/**
 * Rectified flow: which noise levels are trained and sampled, and how pictures are noised.
 * x_sigma = (1−sigma)·x0 + sigma·noise; velocity target u = noise − x0; x0 = x_sigma − sigma·v. sigma 1 is pure noise.
 * Training sigmas: sigmoid(N(ln shift, 1)), stratified over the batch (one normal quantile per equal slice), as
 * recipe/purecc.py draws them. Sampling schedules follow diffusers' FlowMatchEulerDiscreteScheduler.
 */
import * as tf from '../engine/tf';
import { uniform } from './random';

/** Quantile of the standard normal distribution (Acklam's rational approximation, relative error < 1.2e-9). p in (0,1). */
export function normalQuantile(p: number): number {
  const polynomial = (x: number, coefficients: readonly number[]) => coefficients.reduce((sum, c) => sum * x + c, 0);
  const tail = [-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
  const tailBelow = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1];
  const middle = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
  const middleBelow = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
  const edge = 0.02425;
  if (p < edge || p > 1 - edge) {
    const q = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
    return (p < edge ? 1 : -1) * (polynomial(q, tail) / polynomial(q, tailBelow));
  }
  const q = p - 0.5;
  return (q * polynomial(q * q, middle)) / polynomial(q * q, middleBelow);
}

/** Noise levels of one training batch. */
export function trainingSigmas(batch: number, shift: number, key: { seed: number; step: number }): number[] {
  const jitter = uniform(batch, { ...key, purpose: 'trainingSigma' });
  return Array.from(jitter, (u, i) => {
    // Ends cut at .001 as in the reference: a lone far quantile would only bring variance.
    const p = Math.min(0.999, Math.max(0.001, (i + u) / batch));
    return 1 / (1 + Math.exp(-(Math.log(shift) + normalQuantile(p))));
  });
}

/** shift·s / (1 + (shift−1)·s): more steps at high noise for larger pictures. */
export const shifted = (s: number, shift: number): number => (shift * s) / (1 + (shift - 1) * s);

/**
 * Sigmas of an Euler run, steps + 1 of them, from 1 down to 0.
 * Shift 1: evenly spaced, as the embedded base's own recipe samples. Otherwise diffusers' table: 1000 training levels are
 * shifted, `steps` values taken evenly between its ends, shifted again, 0 appended.
 */
export function eulerSigmas(steps: number, shift: number): number[] {
  if (shift === 1) return Array.from({ length: steps + 1 }, (_, i) => 1 - i / steps);
  const last = shifted(1 / 1000, shift);
  const level = (i: number) => (steps === 1 ? 1 : 1 + ((last - 1) * i) / (steps - 1));
  return [...Array.from({ length: steps }, (_, i) => shifted(level(i), shift)), 0];
}

/** Noised latents and the velocity target. sigma has one value per row. The caller disposes both. */
export function noised(x0: tf.Tensor4D, noise: tf.Tensor4D, sigma: readonly number[]): { xSigma: tf.Tensor4D; target: tf.Tensor4D } {
  return tf.tidy(() => {
    const s = tf.tensor4d([...sigma], [sigma.length, 1, 1, 1]);
    const target = tf.sub<tf.Tensor4D>(noise, x0);
    return { xSigma: tf.add<tf.Tensor4D>(x0, tf.mul(s, target)), target };
  });
}

/** The clean picture a velocity points at: x_sigma − sigma·v. The caller disposes it. */
export function cleanLatent(xSigma: tf.Tensor4D, v: tf.Tensor4D, sigma: number): tf.Tensor4D {
  return tf.tidy(() => tf.sub<tf.Tensor4D>(xSigma, tf.mul(v, sigma)));
}
