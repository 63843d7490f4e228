/**
 * Why the slider is fast: a probe caches velocities at one fixed point of the base's own trajectory, and a draft is then
 * arithmetic on 4,096 numbers: v = vBase + Σ balance·direction (one for each concept), CFG v0 + s·(v − v0), x0 = xSigma − sigma·v. No model call.
 * Drafts are shown at once through a linear map latent → RGB (one colour per latent pixel), then decoded.
 * They are approximate: one step to the end instead of a whole run, and the trajectory up to the probe is the base's.
 */
import { guidanceFusion } from '../../engine/kernels/guidanceFusion';
import { invariant } from '../../engine/invariant';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { Probe } from '../../protocol/drafts';
import type { FlowBase } from '../base';
import type { LearnedConcept } from '../concept';
import { evaluate } from '../evaluate';
import { baseField, conceptGuidance, untouched, type Direction, type FieldWords, type Pacing, type VelocityField } from './velocityFields';
import { cleanLatent } from '../flow';
import type { LatentToRgb } from './latentToRgb';
import type { PictureSize } from '../sizes';
import { sample, startingPoint, type SampleOptions } from './sample';

/** Noise level of the probe: late enough that one step gives a readable picture, early enough that the concept still shows. */
const PROBE_SIGMA = 0.75;
/** Euler steps of a whole run at the probe's pace. */
const PROBE_STEPS = 20;

export interface ProbeOptions extends Pacing {
  base: FlowBase;
  /** One prompt. */
  words: FieldWords;
  /** Whose direction the balances move, unless `directions` says. */
  concept?: LearnedConcept;
  directions?: readonly Direction[];
  seed: number;
  guidance: number;
  revision: number;
  /** The base's own unless told. */
  size?: PictureSize;
  /** Where to stop and at what pace; PROBE_SIGMA and PROBE_STEPS unless told. */
  sigma?: number;
  steps?: number;
}

/** The point the probe stands on; it depends on prompt, seed and guidance but not on what is being learned, so it is worth keeping. */
export interface ProbePoint { xSigma: Tensor4D; sigma: number }

/** Samples a field to the first noise level at or below `sigma`, at the pace of PROBE_STEPS, from the seed's noise or from a picture. The caller disposes xSigma. */
export async function pointOn(base: FlowBase, field: VelocityField, { sigma: stop = PROBE_SIGMA, steps = PROBE_STEPS, seed, ...options }: Pick<ProbeOptions, 'seed' | 'guidance' | 'between' | 'signal' | 'sigma' | 'steps' | 'size'> & Pick<SampleOptions, 'from'>): Promise<ProbePoint> {
  const reached = (sigma: number) => sigma <= stop + 1e-6;
  const { from, size } = options;
  if (from && reached(from.sigma)) return { xSigma: startingPoint(base, [seed], from, size), sigma: from.sigma };
  for await (const { sigma, latent } of sample({ base, field, seeds: [seed], steps, ...options })) if (reached(sigma)) return { xSigma: tf.clone(latent), sigma };
  invariant(false, 'a run ends at sigma 0');
}

/** The base's own point (Base prompt, CFG). The caller disposes xSigma. */
export const probePoint = ({ base, words, ...options }: Omit<ProbeOptions, 'concept' | 'revision' | 'directions'>): Promise<ProbePoint> => pointOn(base, baseField(base, words), options);

/** Velocities at the probe point; `point` (not disposed) saves running there again. Fault `aborted`. */
export async function makeProbe(options: ProbeOptions, point?: ProbePoint): Promise<Probe> {
  const { base, words, concept, directions, guidance, revision, between = async () => {} } = options;
  const { xSigma, sigma } = point ?? (await probePoint(options));
  const all: readonly Direction[] = directions ?? (concept ? [[conceptGuidance(words, concept)]] : []);
  const guidances = all.flat();
  const velocities = await evaluate(base, xSigma, [sigma], [untouched(words.negative), untouched(words.base), ...guidances.flatMap(({ positive, negative }) => [positive, negative])], between);
  const [vNull, vBase, ...ends] = velocities;
  const parts = guidances.map(({ weight }, i) => tf.tidy(() => tf.add(tf.mul(ends[2 * i]!, weight), tf.mul(ends[2 * i + 1]!, -weight))));
  let from = 0;
  const differences = all.map(({ length }) => tf.tidy(() => tf.addN(parts.slice(from, (from += length)))));
  const read = async (tensor: tf.Tensor) => new Float32Array(await tensor.data<'float32'>());
  const [, height, width, channels] = xSigma.shape;
  const probe: Probe = { revision, height, width, channels, sigma, guidance, xSigma: await read(xSigma), vNull: await read(vNull!), vBase: await read(vBase!), directions: await Promise.all(differences.map(read)) };
  tf.dispose([...velocities, ...parts, ...differences]);
  if (!point) xSigma.dispose();
  return probe;
}

/** The draft's clean latent [1,h,w,C] at a balance of each direction. The caller disposes. */
export function draft(probe: Probe, ...balances: readonly number[]): Tensor4D {
  return tf.tidy(() => {
    const tensor = (numbers: Float32Array) => tf.tensor4d(numbers, [1, probe.height, probe.width, probe.channels]);
    const vBase = tensor(probe.vBase);
    const full = probe.directions.map((direction) => tf.add<Tensor4D>(vBase, tensor(direction)));
    const left = balances.reduce((rest, balance) => rest - balance, 1);
    const v = guidanceFusion(tensor(probe.vNull), [vBase, ...full], [probe.guidance * left, ...full.map((_, i) => probe.guidance * (balances[i] ?? 0))]) as Tensor4D;
    return cleanLatent(tensor(probe.xSigma), v, probe.sigma);
  });
}

/** A latent as colours, without tensors: [h·w·3] pixels in −1…1, one per latent pixel. */
export function linearColours(latent: ArrayLike<number>, channels: number, latentToRgb: LatentToRgb): Float32Array {
  const places = latent.length / channels;
  const out = new Float32Array(places * 3);
  for (let place = 0; place < places; place++) {
    const rgb = [...latentToRgb[channels]!];
    for (let c = 0; c < channels; c++) for (let k = 0; k < 3; k++) rgb[k]! += latent[place * channels + c]! * latentToRgb[c]![k]!;
    out.set(rgb.map((value) => Math.min(1, Math.max(-1, value))), place * 3);
  }
  return out;
}

/** The draft's colours at once. */
export function draftColours(probe: Probe, balances: readonly number[], latentToRgb: LatentToRgb): Float32Array {
  const { channels, sigma, guidance, xSigma, vNull, vBase, directions } = probe;
  const x0 = Float64Array.from(xSigma, (x, i) => x - sigma * (vNull[i]! + guidance * (directions.reduce((sum, direction, k) => sum + (balances[k] ?? 0) * direction[i]!, vBase[i]!) - vNull[i]!)));
  return linearColours(x0, channels, latentToRgb);
}
