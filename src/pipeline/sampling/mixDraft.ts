/**
 * Drafts of a mix: every guidance's difference is cached at one point of the base's own trajectory, so that moving any weight,
 * curve or mask is arithmetic (methods/gcfg), with no model call. Like a balance's draft it is one step to the end from there.
 * A scene has come to a point xⱼ of its own by then. Its difference is the one that leads to where its own step to the end leads,
 *   v = Vⱼ + (x − xⱼ)/σ,
 * in place of the prompt's.
 */
import { composeVelocity, overlap } from '../../methods/gcfg/compose';
import { areContested, shareOut } from '../../methods/gcfg/scenes';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { MixOverlap, MixProbe } from '../../protocol/drafts';
import { acting, maskCells, mixProbeKey, scheduleAt, type Mix } from '../../protocol/mix';
import type { FlowBase } from '../base';
import { evaluate, type Evaluation } from '../evaluate';
import { cleanLatent } from '../flow';
import { guidedField } from './velocityFields';
import { maskTensor, type MixTerms } from './mixField';
import { pointOn } from './preview';
import { ledTo, pulledBy } from './scenes';
import type { SampleOptions } from './sample';

/** What a scene's step to the end from its own point adds to v0 at the probe's, in units of the scale of guidance, which the caller disposes; and what its words pull there. */
async function sceneEnd(base: FlowBase, { seed, guidance }: Mix, origin: Evaluation, positive: Evaluation, [x, v0]: readonly [Tensor4D, Tensor4D], { from, between, signal }: ProbePace): Promise<{ end: Tensor4D; pull: Float32Array }> {
  const field = guidedField(base, origin, [{ positive, negative: origin, weight: 1 }]);
  const pacing = { between, ...(signal && { signal }) };
  const { xSigma, sigma } = await pointOn(base, field, { seed, guidance, ...pacing, ...(from && { from }) });
  const { velocity, pull } = await pulledBy(base, xSigma, [sigma], [origin, positive], guidance, between);
  const end = tf.tidy(() => {
    const towards = ledTo(x, xSigma, velocity, sigma);
    tf.dispose([xSigma, velocity]);
    return tf.add<Tensor4D>(v0, tf.div(tf.sub(towards, v0), guidance || 1));
  });
  return { end, pull };
}

type ProbePace = Pick<SampleOptions, 'from' | 'signal'> & Required<Pick<SampleOptions, 'between'>>;

/** Velocities of all guidances at the probe's point, acting or not. Fault `aborted`. */
export async function makeMixProbe(base: FlowBase, mix: Mix, terms: MixTerms, { from, between = async () => {}, signal }: Pick<SampleOptions, 'from' | 'between' | 'signal'>): Promise<{ probe: MixProbe } & MixOverlap> {
  const { origin, plain, guidances } = terms;
  const onBase = guidedField(base, origin, [{ positive: plain, negative: origin, weight: 1 }]);
  const { xSigma, sigma } = await pointOn(base, onBase, { seed: mix.seed, guidance: mix.guidance, between, ...(signal && { signal }), ...(from && { from }) });
  // a scene's positive end is taken at its own point
  const [v0, ...ends] = await evaluate(base, xSigma, [sigma], [origin, ...guidances.flatMap(({ positive, negative, scene }) => [scene ? negative : positive, negative])], between);
  const pulls: MixProbe['pulls'] = {};
  for (const [i, { id, scene, positive }] of guidances.entries()) {
    if (!scene) continue;
    const { end, pull } = await sceneEnd(base, mix, origin, positive, [xSigma, v0!], { between, ...(signal && { signal }), ...(from && { from }) });
    ends[2 * i]!.dispose();
    ends[2 * i] = end;
    pulls[id] = pull;
  }
  const differences = guidances.map((_, i) => tf.sub(ends[2 * i]!, ends[2 * i + 1]!));
  const read = async (tensor: tf.Tensor) => new Float32Array(await tensor.data<'float32'>());
  const [height, width, channels] = base.latentShape();
  const entries = await Promise.all(guidances.map(async ({ id }, i) => [id, await read(differences[i]!)] as const));
  const probe: MixProbe = { key: mixProbeKey(mix), height, width, channels, sigma, xSigma: await read(xSigma), v0: await read(v0!), differences: Object.fromEntries(entries), pulls };
  const cosines = differences.length > 0 ? await overlap(differences.map((difference) => ({ difference: difference as Tensor4D, mask: null }))) : [];
  tf.dispose([xSigma, v0!, ...ends, ...differences]);
  return { probe, ids: guidances.map(({ id }) => id), overlap: cosines };
}

export interface MixDraft { latent: Tensor4D; ids: string[]; overlap: number[][] }

/** Masks of the scenes that act, by their ids, where they contest a place. */
function sharedScenes({ height, width, sigma, pulls }: MixProbe, mix: Mix): Record<string, Float32Array> {
  const scenes = acting(mix.guidances).filter(({ id, alone, weight, schedule }) => alone && pulls[id] && weight * scheduleAt(schedule, sigma) !== 0);
  const masks = scenes.map(({ mask }) => maskCells(mask, height, width) ?? new Float32Array(height * width).fill(1));
  if (!areContested(masks)) return {};
  const shared = shareOut(masks, scenes.map(({ id }) => pulls[id]!), height, width);
  return Object.fromEntries(scenes.map(({ id }, j) => [id, shared[j]!]));
}

/** The draft's clean latent [1,h,w,C] and how the guidances overlap, those of weight 0 and muted ones too. The caller disposes the latent. */
export async function mixDraft(probe: MixProbe, mix: Mix): Promise<MixDraft> {
  const { height, width, channels, sigma } = probe;
  const tensor = (numbers: Float32Array) => tf.tensor4d(numbers, [1, height, width, channels]);
  const on = new Set(acting(mix.guidances).map(({ id }) => id));
  const shared = sharedScenes(probe, mix);
  const all = mix.guidances.filter(({ id }) => probe.differences[id]).map((guidance) => ({
    id: guidance.id, difference: tensor(probe.differences[guidance.id]!), mask: shared[guidance.id] ? tf.tensor4d(shared[guidance.id]!, [1, height, width, 1]) : maskTensor(guidance.mask, height, width),
    weight: guidance.weight * scheduleAt(guidance.schedule, sigma), joint: guidance.source.kind === 'concept',
  }));
  const [v0, xSigma] = [tensor(probe.v0), tensor(probe.xSigma)];
  const composed = await composeVelocity(v0, all.filter(({ id, weight }) => on.has(id) && weight !== 0), mix.guidance, mix.composition, { x: xSigma, sigma });
  const latent = cleanLatent(xSigma, composed, sigma);
  const cosines = all.length > 0 ? await overlap(all) : [];
  tf.dispose([v0, xSigma, composed, ...all.flatMap(({ difference, mask }) => (mask ? [difference, mask] : [difference]))]);
  return { latent, ids: all.map(({ id }) => id), overlap: cosines };
}
