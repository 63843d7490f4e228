/** How much of a large model's weights may lie on the device at once; the rest is fetched while it computes (models/streaming.ts). */
import type { BaseOptions } from '../pipeline/base';
import type { BackendName } from '../protocol/compute';
import { roomBeside, USABLE_SHARE, type WeightRoom } from '../protocol/fit';
import { sd35Plan } from '../protocol/sd35Plan';

/** Without a GPU the weights lie in this worker's own memory. */
const WASM_ROOM_BYTES = 1e9;

/** sizeBytes: of the model as it is stored. `share` is what is left of the room after the device's memory was not enough. */
export function roomForWeights({ weights, share }: { weights: WeightRoom; share: number }, backend: BackendName, sizeBytes: number): Pick<BaseOptions, 'streamBytes' | 'beside'> {
  if (weights !== 'all' && 'bytes' in weights) return { streamBytes: share * weights.bytes };
  if (backend !== 'webgpu') return { streamBytes: share * WASM_ROOM_BYTES };
  if (weights === 'all') return share === 1 ? {} : { streamBytes: share * sizeBytes };
  const { adapterBytes } = weights;
  return { streamBytes: share * adapterBytes * USABLE_SHARE, beside: (task, side) => share * roomBeside(sd35Plan, task, side, adapterBytes) };
}
