/**
 * Sampling of a velocity field from pure noise to a latent, step by step: Euler's, x += (sigma_next − sigma)·v, unless told.
 * Guidance is the field's affair (v0 from the untouched base). Row i's noise is keyed by its seed alone, so twins with the
 * same seed start from the same noise, and a picture is the same in any batch.
 */
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { FlowBase } from '../base';
import type { Pacing, VelocityField } from './velocityFields';
import { eulerSigmas } from '../flow';
import { normal } from '../random';
import type { PictureSize } from '../sizes';
import type { Sampler } from '../../protocol/pictures';
import { solverOf } from './solvers';

export interface SampleOptions extends Pacing {
  base: FlowBase;
  field: VelocityField;
  /** One seed per row of the field. */
  seeds: readonly number[];
  /** Taken for the seeds' noise [K,h,w,C]; stays the caller's. */
  noise?: Tensor4D;
  /** The base's own unless told. */
  size?: PictureSize;
  /** Starts from a picture at a noise level instead of from noise alone (SDEdit): its clean latent [K,h,w,C], which stays the caller's. */
  from?: { latent: Tensor4D; sigma: number };
  steps: number;
  /** How a step is made; Euler's unless told. */
  sampler?: Sampler;
  /** Flow shift of the noise levels; the base's own unless told. */
  shift?: number;
  /** CFG scale around the field; 1 is off. */
  guidance: number;
}

export interface SampledStep { step: number; steps: number; sigma: number; latent: Tensor4D }

/** Starting noise, one row per seed. The caller disposes. */
function startingNoise(base: FlowBase, seeds: readonly number[], size?: PictureSize): Tensor4D {
  const [h, w, C] = base.latentShape(size);
  return tf.tidy(() => tf.concat4d(seeds.map((seed) => tf.tensor4d(normal([1, h, w, C], { seed, purpose: 'picture', step: 0 }), [1, h, w, C])), 0));
}

/** Where sampling begins: the seeds' noise, or a picture's latent noised by it. The caller disposes. */
export function startingPoint(base: FlowBase, seeds: readonly number[], from: SampleOptions['from'], size?: PictureSize, noise?: Tensor4D): Tensor4D {
  const pure = noise ? tf.clone(noise) : startingNoise(base, seeds, size);
  if (!from) return pure;
  return tf.tidy(() => {
    const x = tf.add<Tensor4D>(tf.mul(from.latent, 1 - from.sigma), tf.mul(pure, from.sigma));
    pure.dispose();
    return x;
  });
}

/** Once more for each scene of the field. Takes x over. */
function beside(x: Tensor4D, scenes: number): Tensor4D {
  if (scenes === 0) return x;
  const all = tf.concat4d(new Array<Tensor4D>(1 + scenes).fill(x), 0);
  x.dispose();
  return all;
}

/** The noise levels of a whole run from `sigma` downwards, which comes first. */
const sigmasFrom = (sigma: number, steps: number, shift: number): number[] => [sigma, ...eulerSigmas(steps, shift).filter((each) => each < sigma - 1e-6)];

/**
 * One item per step; `sigma` is the noise level that its latent still has. The sampler owns every latent and disposes it
 * when the next is asked for or the loop is left: clone what is kept. Fault `aborted`.
 */
export async function* sample({ base, field, seeds, noise, size, from, steps: whole, sampler = 'euler', shift = base.shift, guidance, between, signal }: SampleOptions): AsyncGenerator<SampledStep> {
  const sigmas = from ? sigmasFrom(from.sigma, whole, shift) : eulerSigmas(whole, shift);
  const steps = sigmas.length - 1;
  const solver = solverOf(sampler);
  const start = startingPoint(base, seeds, from, size, noise);
  const [rows] = start.shape;
  let x = beside(start, field.scenes);
  let picture: Tensor4D | null = null;
  try {
    for (let step = 1; step <= steps; step++) {
      const now = sigmas[step - 1]!, next = sigmas[step]!;
      const v = await field.evaluate(x, now, guidance, { between, signal });
      const moved = solver.step(x, v, now, next);
      tf.dispose([x, v]);
      x = moved;
      picture?.dispose();
      picture = field.scenes === 0 ? tf.clone(x) : tf.slice(x, 0, [rows, -1, -1, -1]);
      yield { step, steps, sigma: next, latent: picture };
    }
  } finally {
    solver.dispose();
    picture?.dispose();
    x.dispose();
  }
}

/** The final latent [K,h,w,C] of all steps. The caller disposes. */
export async function sampleAll(options: SampleOptions): Promise<Tensor4D> {
  let final: Tensor4D | null = null;
  for await (const { step, steps, latent } of sample(options)) if (step === steps) final = tf.clone(latent);
  return final!;
}
