/**
 * Which blocks' weights are usable when. A model whose blocks are all in place has no residency; one with packed weights on a
 * backend without packed kernels unpacks a block while it is at work, and one that streams its weights fetches them.
 */
import { evictLinear, residentLinear, type FrozenLinear } from '../../engine/ops';
import type { Steps } from '../steps';
import type { AttentionWeights, BlockWeights, Mmdit, Residency } from './types';

const attentionLayers = ({ q, k, v, out }: AttentionWeights): (FrozenLinear | null)[] => [q, k, v, out];

/** Every linear layer of a block. */
export function blockLayers({ x, context, dual }: BlockWeights): FrozenLinear[] {
  const streams = [x, context].flatMap(({ modulation, attention, up, down }) => [modulation, ...attentionLayers(attention), up, down]);
  return [...streams, ...(dual ? attentionLayers(dual) : [])].filter((layer) => layer !== null);
}

/** Every linear layer of the model. */
export function mmditLayers({ patchEmbed, timeEmbed, pooledEmbed, contextEmbed, normOut, projectOut, blocks }: Mmdit): FrozenLinear[] {
  return [patchEmbed, timeEmbed.first, timeEmbed.second, pooledEmbed.first, pooledEmbed.second, contextEmbed, normOut, projectOut, ...blocks.flatMap(blockLayers)];
}

/** Lets several passes hold a block at once: `inner` sees the first who enters and the last who leaves. All wait for the first one's weights. */
export function countedHolders(inner: Residency): Residency {
  const held = new Map<number, { holders: number; entering: Promise<void> | void }>();
  return {
    enter(index) {
      const block = held.get(index) ?? { holders: 0, entering: undefined };
      held.set(index, block);
      if (block.holders++ === 0) block.entering = inner.enter(index);
      return block.entering;
    },
    leave(index) {
      const block = held.get(index)!;
      if (--block.holders > 0) return;
      held.delete(index);
      inner.leave(index);
    },
  };
}

/** Unpacks a block's weights to tensors while it is at work: in float32 are only the blocks that a pass stands at. */
export function unpackedAtWork(blocks: readonly BlockWeights[]): Residency {
  return countedHolders({
    enter: (index) => blockLayers(blocks[index]!).forEach(residentLinear),
    leave: (index) => blockLayers(blocks[index]!).forEach(evictLinear),
  });
}

/** Runs `run` while the block's weights are in place; waits for them where they come asynchronously. */
export function* whileResident<R>({ residency }: Pick<Mmdit, 'residency'>, index: number, run: () => R): Steps<R> {
  try {
    const entering = residency?.enter(index);
    if (entering) yield entering;
    return run();
  } finally {
    residency?.leave(index);
  }
}
