/**
 * Drafts of a mix: every guidance's difference is cached at one point of the base's own trajectory, so that moving any weight,
 * curve or mask is arithmetic (methods/gcfg), with no model call. Like a balance's draft it is one step to the end from there.
 */
import { composeVelocity, overlap } from '../../methods/gcfg/compose';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { MixOverlap, MixProbe } from '../../protocol/drafts';
import { acting, mixProbeKey, scheduleAt, type Mix } from '../../protocol/mix';
import type { FlowBase } from '../base';
import { evaluate } from '../evaluate';
import { cleanLatent } from '../flow';
import { guidedField } from './velocityFields';
import { maskTensor, type MixTerms } from './mixField';
import { pointOn } from './preview';
import type { SampleOptions } from './sample';

/** Velocities of all guidances at the probe's point, acting or not. Fault `aborted`. */
export async function makeMixProbe(base: FlowBase, mix: Mix, terms: MixTerms, { from, between = async () => {}, signal }: Pick<SampleOptions, 'from' | 'between' | 'signal'>): Promise<{ probe: MixProbe } & MixOverlap> {
  const { origin, plain, guidances } = terms;
  const onBase = guidedField(base, origin, [{ positive: plain, negative: origin, weight: 1 }]);
  const { xSigma, sigma } = await pointOn(base, onBase, { seed: mix.seed, guidance: mix.guidance, between, ...(signal && { signal }), ...(from && { from }) });
  const [v0, ...ends] = await evaluate(base, xSigma, [sigma], [origin, ...guidances.flatMap(({ positive, negative }) => [positive, negative])], between);
  const differences = guidances.map((_, i) => tf.sub(ends[2 * i]!, ends[2 * i + 1]!));
  const read = async (tensor: tf.Tensor) => new Float32Array(await tensor.data<'float32'>());
  const [height, width, channels] = base.latentShape();
  const entries = await Promise.all(guidances.map(async ({ id }, i) => [id, await read(differences[i]!)] as const));
  const probe: MixProbe = { key: mixProbeKey(mix), height, width, channels, sigma, xSigma: await read(xSigma), v0: await read(v0!), differences: Object.fromEntries(entries) };
  const cosines = differences.length > 0 ? await overlap(differences.map((difference) => ({ difference: difference as Tensor4D, mask: null }))) : [];
  tf.dispose([xSigma, v0!, ...ends, ...differences]);
  return { probe, ids: guidances.map(({ id }) => id), overlap: cosines };
}

export interface MixDraft { latent: Tensor4D; ids: string[]; overlap: number[][] }

/** The draft's clean latent [1,h,w,C] and how the guidances overlap, those of weight 0 and muted ones too. The caller disposes the latent. */
export async function mixDraft(probe: MixProbe, mix: Mix): Promise<MixDraft> {
  const { height, width, channels, sigma } = probe;
  const tensor = (numbers: Float32Array) => tf.tensor4d(numbers, [1, height, width, channels]);
  const on = new Set(acting(mix.guidances).map(({ id }) => id));
  const all = mix.guidances.filter(({ id }) => probe.differences[id]).map((guidance) => ({
    id: guidance.id, difference: tensor(probe.differences[guidance.id]!), mask: maskTensor(guidance.mask, height, width),
    weight: guidance.weight * scheduleAt(guidance.schedule, sigma), joint: guidance.source.kind === 'concept',
  }));
  const [v0, xSigma] = [tensor(probe.v0), tensor(probe.xSigma)];
  const composed = await composeVelocity(v0, all.filter(({ id, weight }) => on.has(id) && weight !== 0), mix.guidance, mix.composition, { x: xSigma, sigma });
  const latent = cleanLatent(xSigma, composed, sigma);
  const cosines = all.length > 0 ? await overlap(all) : [];
  tf.dispose([v0, xSigma, composed, ...all.flatMap(({ difference, mask }) => (mask ? [difference, mask] : [difference]))]);
  return { latent, ids: all.map(({ id }) => id), overlap: cosines };
}
