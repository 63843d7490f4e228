/** The SD3 transformer: load, evaluate, differentiate. types.ts has the data, forward.ts and backward.ts the order of things. */
import { alias, disposeLinear } from '../../engine/ops';
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import { vjpSteps } from './backward';
import { blockSites } from './block';
import { outerSites } from './ends';
import { forwardSteps } from './forward';
import { mmditLayers } from './residency';
import { drain, drainAsync } from '../steps';
import type { Adapter, Between, ConceptRows, LoraSite, Mmdit, MmditInput, SiteChoice, VelocityVjp, VelocityVjpAsync, VjpOptions } from './types';

export type * from './types';
export { blockLayers, mmditLayers } from './residency';
export { loadMmdit, type LoadOptions } from './weights';

/** The places that take a LoRA pair, in block order, then those outside the blocks: names are diffusers' module paths. */
export function loraSites(model: Mmdit, choice: SiteChoice = 'attention'): LoraSite[] {
  const sites = [...model.blocks.flatMap((block) => blockSites(block, choice)), ...(choice === 'all' ? outerSites(model) : [])];
  return sites.map(({ name, layer }) => ({ name, inFeatures: layer.inFeatures, outFeatures: layer.outFeatures }));
}

/** v(x | context, pooled, sigma) [B,h,w,C], with the adapter and rows where given. No tape; the caller disposes the result. */
export function velocity(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null): Tensor4D {
  return drain(forwardSteps(model, input, adapter, rows));
}

/** The same, awaiting `between` after every block. The blocks in `skip` are left out. */
export function velocityAsync(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, between: Between, skip: readonly number[] = []): Promise<Tensor4D> {
  return drainAsync(forwardSteps(model, input, adapter, rows, { skip }), between);
}

/** v with a way back: gradients of the adapter's pairs, and of rows, pooledDelta and inputs as the options ask. */
export function velocityVjp(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, options: VjpOptions): VelocityVjp {
  const { velocity, backward, dispose } = drain(vjpSteps(model, input, adapter, rows, options));
  return { velocity, dispose, pullback: (dv) => drain(backward(dv)) };
}

/** The same, awaiting `between` after every block, forward and backward. */
export async function velocityVjpAsync(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, options: VjpOptions, between: Between): Promise<VelocityVjpAsync> {
  const { velocity, backward, dispose } = await drainAsync(vjpSteps(model, input, adapter, rows, options), between);
  return { velocity, dispose, pullback: (dv) => drainAsync(backward(dv), between) };
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
