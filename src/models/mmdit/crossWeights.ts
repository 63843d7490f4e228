/** Reads cross-attention's tensors (`time.*`, `cross.{block}.*`): sizes and positions from the names and shapes. */
import { disposeLinear } from '../../engine/ops';
import { Fault } from '../../protocol/faults';
import { disposeNorm, readNorm } from '../clip/layers';
import type { LayerMaker, WeightReader } from '../weights';
import { crossName, HEAD_WIDTH } from './crossAttention';
import type { CrossAttention, CrossBlock, Mmdit } from './types';
import { TIMESTEP_WIDTH } from './weights';

/** Fault `base-mismatch` for a width that heads of 64 do not divide. */
export function wholeHeads(width: number, key: string): number {
  if (width > 0 && width % HEAD_WIDTH === 0) return width;
  throw new Fault('base-mismatch', `“${key}” is ${width} wide, which heads of ${HEAD_WIDTH} do not divide.`, 'Use an adapter file made for this model.', { subject: key });
}

async function crossBlock(reader: WeightReader, index: number, hidden: number, tokenWidth: number, levelWidth: number, make: LayerMaker | undefined): Promise<CrossBlock> {
  const at = crossName(index);
  const width = wholeHeads(reader.shape(`${at}to_q.weight`)[0]!, `${at}to_q.weight`);
  return {
    index,
    normImage: await readNorm(reader, `${at}norm_image`, hidden),
    normTokens: await readNorm(reader, `${at}norm_tokens`, tokenWidth),
    modulation: await reader.linear(`${at}modulation`, levelWidth, 2 * tokenWidth),
    q: await reader.linear(`${at}to_q`, hidden, width, false, make),
    kv: await reader.linear(`${at}to_kv`, tokenWidth, 2 * width, false, make),
    out: await reader.linear(`${at}to_out`, width, hidden, false, make),
  };
}

/** `keys` are all names of the file. Faults `tensor-missing`, `tensor-shape`, `base-mismatch`. */
export async function readCrossAttention(reader: WeightReader, keys: readonly string[], tokenWidth: number, make?: LayerMaker): Promise<CrossAttention> {
  const places = [...new Set(keys.flatMap((key) => /^cross\.(\d+)\./.exec(key)?.[1] ?? []))].map(Number).sort((a, b) => a - b);
  const [first] = places;
  const hidden = reader.shape(`${crossName(first ?? 0)}norm_image.weight`)[0]!; // an adapter without any lacks the first one
  const level = reader.shape('time.linear_1.weight')[0]!;
  const time = { first: await reader.linear('time.linear_1', TIMESTEP_WIDTH, level), second: await reader.linear('time.linear_2', level, level) };
  const blocks = new Map<number, CrossBlock>();
  for (const index of places) blocks.set(index, await crossBlock(reader, index, hidden, tokenWidth, level, make));
  return { time, blocks, hidden, tokenWidth };
}

/** Fault `base-mismatch` where an adapter was made for a transformer of other sizes. */
export function expectCrossFits({ config }: Mmdit, { hidden, blocks }: CrossAttention): void {
  const last = Math.max(...blocks.keys());
  if (hidden === config.hidden && last < config.depth) return;
  throw new Fault('base-mismatch', `The picture adapter is for a transformer of width ${hidden} with more than ${last} blocks; this base has width ${config.hidden} and ${config.depth} blocks.`, 'Use the adapter that belongs to this base.');
}

export function disposeCrossAttention({ time, blocks }: CrossAttention): void {
  [time.first, time.second].forEach(disposeLinear);
  for (const { normImage, normTokens, modulation, q, kv, out } of blocks.values()) {
    [normImage, normTokens].forEach(disposeNorm);
    [modulation, q, kv, out].forEach(disposeLinear);
  }
}
