/** The SD3 transformer: load, evaluate, differentiate. types.ts has the data, forward.ts and backward.ts the order of things. */
import { alias, disposeLinear } from '../../engine/ops';
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import { vjpSteps } from './backward';
import { blockSites } from './block';
import { crossSites } from './crossAttention';
import { outerSites } from './ends';
import { forwardSteps } from './forward';
import { mmditLayers } from './residency';
import { drain, drainAsync } from '../steps';
import type { Adapter, AttentionFeatures, Between, ConceptRows, CrossAttention, LoraSite, Mmdit, MmditInput, SiteChoice, VelocityVjp, VelocityVjpAsync, VjpOptions } from './types';

export type * from './types';
export { blockLayers, mmditLayers } from './residency';
export { loadMmdit, type LoadOptions } from './weights';

/** The places that take a LoRA pair, in block order, then those outside the blocks: names are diffusers' module paths. */
export function loraSites(model: Mmdit, choice: SiteChoice = 'attention'): LoraSite[] {
  const sites = [...model.blocks.flatMap((block) => blockSites(block, choice)), ...(choice === 'all' ? outerSites(model) : [])];
  return sites.map(({ name, layer }) => ({ name, inFeatures: layer.inFeatures, outFeatures: layer.outFeatures }));
}

/** The same of what a picture adapter injects. */
export const injectionSites = ({ blocks }: CrossAttention): LoraSite[] =>
  [...blocks.values()].flatMap(crossSites).map(({ name, layer }) => ({ name, inFeatures: layer.inFeatures, outFeatures: layer.outFeatures }));

/** v(x | context, pooled, sigma) [B,h,w,C], with the adapter and rows where given. No tape; the caller disposes the result. */
export function velocity(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null): Tensor4D {
  return drain(forwardSteps(model, input, adapter, rows));
}

/** The same, awaiting `between` after every block. The blocks in `skip` are left out. */
export function velocityAsync(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, between: Between, skip: readonly number[] = []): Promise<Tensor4D> {
  return drainAsync(forwardSteps(model, input, adapter, rows, { skip }), between);
}

/** v, and what each block's joint attention saw on the way to it. The caller disposes all of it. */
export async function velocityFeatures(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, between: Between): Promise<{ velocity: Tensor4D; features: AttentionFeatures[] }> {
  const features: AttentionFeatures[] = [];
  try {
    return { velocity: await drainAsync(forwardSteps(model, input, adapter, rows, { see: (seen) => features.push(seen) }), between), features };
  } catch (error) {
    for (const { q, k } of features) [q, k].forEach((tensor) => tensor.dispose());
    throw error;
  }
}

/** v with a way back: gradients of the adapter's pairs, and of rows, pooledDelta and inputs as the options ask. */
export function velocityVjp(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, options: VjpOptions): VelocityVjp {
  const { velocity, queries, backward, dispose } = drain(vjpSteps(model, input, adapter, rows, options));
  return { velocity, queries, dispose, pullback: (dv, dQueries) => drain(backward(dv, dQueries)) };
}

/** The same, awaiting `between` after every block, forward and backward. */
export async function velocityVjpAsync(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, options: VjpOptions, between: Between): Promise<VelocityVjpAsync> {
  const { velocity, queries, backward, dispose } = await drainAsync(vjpSteps(model, input, adapter, rows, options), between);
  return { velocity, queries, dispose, pullback: (dv, dQueries) => drainAsync(backward(dv, dQueries), between) };
}

/** The text stream [B,T,d] before each block of the untouched base: what concept rows are initialised from. */
export async function textStates(model: Mmdit, input: MmditInput, between: Between = async () => {}): Promise<Tensor3D[]> {
  const states: Tensor3D[] = [];
  (await drainAsync(forwardSteps(model, input, null, null, { visit: (y) => states.push(alias(y)) }), between)).dispose();
  return states;
}

export function disposeMmdit(model: Mmdit): void {
  const attentions = model.blocks.flatMap((block) => [block.x.attention, block.context.attention, ...(block.dual ? [block.dual] : [])]);
  model.residency?.dispose?.();
  mmditLayers(model).forEach(disposeLinear);
  for (const { normQ, normK } of attentions) [normQ, normK].forEach((norm) => norm?.dispose());
  model.positions.dispose();
}
