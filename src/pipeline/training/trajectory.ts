/**
 * Draws pictures from pure noise along two paths, with and without the reference, and walks the gradient of what they give back:
 *   x_{k+1} = x_k + (σ_{k+1} − σ_k)·v(x_k, σ_k)        a_k = a_{k+1} + Jᵥᵀ·[(σ_{k+1} − σ_k)·a_{k+1}] + (what the loss at step k gives)
 * Both paths start at the same noise under the same words. The one without the reference is never differentiated; of the other the last
 * `window` steps are: before them each step has the gradient of its own loss alone, and none of what follows.
 */
import * as tf from '../../engine/tf';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import type { LossFigures, TrajectoryLosses, Walk } from '../../methods/method';
import { velocityAsync, velocityFeatures, velocityVjpAsync, type Adapter, type AttentionFeatures, type Between, type Mmdit, type MmditInput, type VelocityGradients, type VelocityVjpAsync } from '../../models/mmdit';
import type { PictureAdapter } from '../../models/objectEncoder';
import type { Autoencoder } from '../../models/vae';
import { Fault } from '../../protocol/faults';
import type { EncodedPrompts } from '../base';
import { eulerSigmas } from '../flow';
import { disposeAdapter, sumAdapters } from '../lora';
import type { Look } from './look';

/** What a trajectory needs beside the transformer; in place while it is walked. */
export interface Sight {
  adapter: PictureAdapter;
  autoencoder: Autoencoder;
  look: Look;
  /** A LoRA that draws in few steps, for both paths; null where the base has none. */
  student: Adapter | null;
}

export interface Walking {
  model: Mmdit;
  shift: number;
  sight: Sight;
  /** Where both paths start [B,h,w,C]. */
  noise: Tensor4D;
  /** B rows. */
  words: EncodedPrompts;
  /** Of the reference [B,N,dt], and the vector [B,w] of whom the picture is to show. */
  tokens: Tensor3D;
  wanted: Tensor2D;
  /** What trains: pairs on the injection's sites. */
  pairs: Adapter;
  walk: Walk;
  losses: TrajectoryLosses;
  /** Whether activations are recomputed on the way back. */
  recompute: boolean;
  between: Between;
}

type Sites = VelocityGradients['sites'];

/** Adds b to a; both are taken over. */
export function addSites(a: Sites, b: Sites): Sites {
  const sum = (x: Tensor2D, y: Tensor2D) => {
    const total = tf.add<Tensor2D>(x, y);
    tf.dispose([x, y]);
    return total;
  };
  for (const [name, given] of Object.entries(b)) a[name] = a[name] ? { a: sum(a[name].a, given.a), b: sum(a[name].b, given.b) } : given;
  return a;
}

/** x + by·v as a tensor of its own; v is taken over. */
function moved(x: Tensor4D, v: Tensor4D, by: number): Tensor4D {
  const next = tf.tidy(() => tf.add<Tensor4D>(x, tf.mul(v, by)));
  v.dispose();
  return next;
}

/** Whether the gradient of what follows passes through a step. */
const inWindow = ({ steps, window }: Walk, step: number): boolean => step >= 0 && step >= steps - window;

/** The path without the reference, as far as it is compared: what each aligned step's attention saw. Owned by the caller. */
async function pathWithout({ model, noise, words, walk, sight: { student }, between }: Walking, sigmas: readonly number[]): Promise<Map<number, AttentionFeatures[]>> {
  const seen = new Map<number, AttentionFeatures[]>();
  const last = Math.max(...walk.aligned);
  let x = tf.clone(noise);
  try {
    for (let k = 0; k <= last; k++) {
      const input = inputAt(x, words, sigmas[k]!, null);
      let v: Tensor4D;
      if (walk.aligned.includes(k)) {
        const { velocity, features } = await velocityFeatures(model, input, student, null, between);
        seen.set(k, features);
        v = velocity;
      } else v = await velocityAsync(model, input, student, null, between);
      const next = moved(x, v, sigmas[k + 1]! - sigmas[k]!);
      x.dispose();
      x = next;
    }
    return seen;
  } catch (error) {
    disposeFeatures(seen);
    throw error;
  } finally {
    x.dispose();
  }
}

const disposeFeatures = (seen: Map<number, AttentionFeatures[]>): void => [...seen.values()].flat().forEach(({ q, k }) => tf.dispose([q, k]));

const inputAt = (x: Tensor4D, { context, pooled }: EncodedPrompts, sigma: number, injection: MmditInput['injection']): MmditInput => ({ x, sigma: Array.from({ length: x.shape[0] }, () => sigma), context, pooled, injection: injection ?? null });

/** What the reference adds to an evaluation at full strength. */
const injectionOf = ({ sight: { adapter }, tokens }: Pick<Walking, 'sight' | 'tokens'>): NonNullable<MmditInput['injection']> => ({ weights: adapter.cross, tokens, weight: 1 });

/** The frozen LoRAs of the path with the reference beside the pairs that train, and what frees them. */
export function pathAdapter({ student, adapter: { lora } }: Sight, pairs: Adapter): { adapter: Adapter; free(): void } {
  if (!student || !lora) return { adapter: { ...student, ...lora, ...pairs }, free: () => undefined };
  const both = sumAdapters([student, lora].map((adapter) => ({ adapter, weight: 1 })));
  return { adapter: { ...both, ...pairs }, free: () => disposeAdapter(both) };
}

/** Losses along one walk and the gradient of their weighted sum in the pairs. The caller disposes all of it. */
export async function walkGradients(walking: Walking): Promise<{ terms: LossFigures['terms']; figures: LossFigures['figures']; sites: Sites }> {
  const { model, shift, sight, noise, words, pairs, walk, losses: { identity, alignment }, recompute, wanted, between } = walking;
  const sigmas = eulerSigmas(walk.steps, shift);
  const owned: Tensor[] = [];
  const own = <T extends Tensor>(tensor: T): T => (owned.push(tensor), tensor);
  const runs: (VelocityVjpAsync | null)[] = [];
  const path = pathAdapter(sight, pairs);
  let without = new Map<number, AttentionFeatures[]>();
  let seen: Awaited<ReturnType<Look>> | null = null;
  let decoded: { dispose(): void } | null = null;
  let sites: Sites = {};
  const terms: LossFigures['terms'] = {};
  const figures: LossFigures['figures'] = {};
  try {
    if (alignment) without = await pathWithout(walking, sigmas);
    const aligned = (k: number) => without.has(k);
    const compared: Record<string, tf.Tensor1D[]> = {};
    const dQueries = new Map<number, Tensor4D[]>();

    let x = own(tf.clone(noise));
    for (let k = 0; k < walk.steps; k++) {
      const input = inputAt(x, words, sigmas[k]!, injectionOf(walking));
      const wants = aligned(k) || (identity && inWindow(walk, k));
      let v: Tensor4D;
      if (wants) {
        const run = await velocityVjpAsync(model, input, path.adapter, null, { recompute, wantRows: false, wantX: inWindow(walk, k - 1), wantQueries: aligned(k), wantSites: (name) => name in pairs }, between);
        runs[k] = run;
        run.queries.forEach(own);
        if (aligned(k)) {
          const { terms: at, gradients } = alignment!.loss(run.queries, without.get(k)!);
          dQueries.set(k, gradients.map((gradient) => own(tf.tidy(() => tf.mul<Tensor4D>(gradient, 1 / walk.aligned.length)))));
          tf.dispose(gradients);
          for (const [name, value] of Object.entries(at)) (compared[name] ??= []).push(own(value));
        }
        v = run.velocity;
      } else v = await velocityAsync(model, input, path.adapter, null, between);
      x = own(moved(x, v, sigmas[k + 1]! - sigmas[k]!));
    }
    for (const [name, values] of Object.entries(compared)) terms[name] = { perSample: tf.tidy(() => tf.mean<tf.Tensor1D>(tf.stack(values), 0)), weight: alignment!.weights[name]! };

    /** d total / d x_k, on the way back. */
    let a: Tensor4D | null = null;
    if (identity) {
      if (!sight.autoencoder.decodeVjp) throw new Fault('base-mismatch', 'This base’s decoder has no gradient, so a face cannot be aligned on it.', 'Use a base with a small decoder.');
      const picture = await sight.autoencoder.decodeVjp(x, between);
      decoded = picture;
      seen = await sight.look(own(picture.pixels), between);
      const { perSample, gradient } = identity.loss(own(seen.vectors), wanted);
      terms.identity = { perSample, weight: identity.weight };
      figures.likeness = tf.tidy(() => tf.sub<tf.Tensor1D>(1, perSample));
      const dVectors = own(tf.tidy(() => tf.mul<Tensor2D>(gradient, identity.weight)));
      gradient.dispose();
      if (walk.window > 0) a = own(await picture.pullback(own(await seen.pullback(dVectors))));
    }
    for (let k = walk.steps - 1; k >= 0; k--) {
      const run = runs[k];
      const through: Tensor4D | null = inWindow(walk, k) ? a : null;
      a = null;
      if (!run) continue;
      const by = sigmas[k + 1]! - sigmas[k]!;
      const dv = through && own(tf.tidy(() => tf.mul<Tensor4D>(through, by)));
      if (!dv && !dQueries.has(k)) continue;
      const gradients: VelocityGradients = await run.pullback(dv, dQueries.get(k) ?? []);
      sites = addSites(sites, gradients.sites);
      if (gradients.x) own(gradients.x);
      if (inWindow(walk, k - 1)) a = through && gradients.x ? own(tf.add<Tensor4D>(through, gradients.x)) : (through ?? gradients.x);
    }
    return { terms, figures, sites };
  } catch (error) {
    tf.dispose([...Object.values(terms).map(({ perSample }) => perSample), ...Object.values(figures), ...Object.values(sites).flatMap((pair) => [pair.a, pair.b])]);
    throw error;
  } finally {
    runs.forEach((run) => run?.dispose());
    seen?.dispose();
    decoded?.dispose();
    disposeFeatures(without);
    path.free();
    tf.dispose(owned);
  }
}
