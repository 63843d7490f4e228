/**
 * How a sampler goes from one noise level to the next along a velocity v. Euler: x += (σ′ − σ)·v. DPM-Solver++ (2M) goes along
 * the clean picture x0 = x − σ·v instead, extrapolated by the one of the step before in λ = −ln σ:
 *   x′ = (σ′/σ)·x + (1 − σ′/σ)·D,  D = x0 + (x0 − x0₋₁)·h/(2h₋₁),  h = λ′ − λ
 * and plainly D = x0 in the first step and the one that ends at σ′ = 0. Source: Lu et al., DPM-Solver++, algorithm 2.
 */
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { Sampler } from '../../protocol/pictures';
import { cleanLatent } from '../flow';

/** One run's steps, in order. */
export interface Solver {
  /** The latent at `next`; x and v stay the caller's, which disposes what it gets. */
  step(x: Tensor4D, v: Tensor4D, now: number, next: number): Tensor4D;
  dispose(): void;
}

const euler = (): Solver => ({
  step: (x, v, now, next) => tf.tidy(() => tf.add<Tensor4D>(x, tf.mul(v, next - now))),
  dispose: () => {},
});

function dpmpp2m(): Solver {
  let before: { clean: Tensor4D; sigma: number } | null = null;
  return {
    step(x, v, now, next) {
      const clean = cleanLatent(x, v, now);
      const previous = before;
      const moved = tf.tidy(() => {
        let towards = clean;
        if (previous && next > 0) {
          const ahead = Math.log(now / next) / (2 * Math.log(previous.sigma / now));
          towards = tf.add(tf.mul(clean, 1 + ahead), tf.mul(previous.clean, -ahead));
        }
        return tf.add<Tensor4D>(tf.mul(x, next / now), tf.mul(towards, 1 - next / now));
      });
      previous?.clean.dispose();
      before = { clean, sigma: now };
      return moved;
    },
    dispose() {
      before?.clean.dispose();
      before = null;
    },
  };
}

export const solverOf = (sampler: Sampler): Solver => (sampler === 'euler' ? euler() : dpmpp2m());
