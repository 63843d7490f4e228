/**
 * Blocks, of the transformer or of a large text encoder, whose weights are fetched while the model runs: a set that stays, as large as the room allows, and places through which the
 * others pass. While one block computes the next is fetched, in whichever direction the pass goes. A block that was left stays in
 * its place until the place is needed, so that the turn from forward to backward fetches nothing.
 */
import { evictLinear, frozenAway, placeLinear, residentLinear, withdrawLinear, type FrozenLinear } from '../engine/ops';
import { invariant } from '../engine/invariant';
import type { PackedValues } from '../formats/packing';
import { Fault } from '../protocol/faults';
import type { LayerMaker } from './weights';
import { countedHolders } from './mmdit/residency';
import type { Residency } from './mmdit/types';

/** Fetches a layer's packed weights. */
export type Fetchers = Map<FrozenLinear, () => Promise<PackedValues>>;

/** Makes layers whose weights are away, and notes in `fetchers` how to get them. Fault `base-mismatch` for weights that are not stored packed. */
export const layersAway = (fetchers: Fetchers): LayerMaker => (inFeatures, outFeatures, { packed }, bias) => {
  if (!packed) throw new Fault('base-mismatch', 'The weights of this model cannot be streamed: they are not stored packed.', 'Import the model again.');
  const layer = frozenAway(inFeatures, outFeatures, packed.packing, bias);
  fetchers.set(layer, () => packed.read());
  return layer;
};

const bytesOf = (layers: readonly FrozenLinear[]): number => layers.reduce((total, { sizeBytes }) => total + sizeBytes, 0);

export interface StreamPlan {
  /** Blocks 0…staying−1 stay once they have been fetched. */
  staying: number;
  /** Places through which the others pass. */
  places: number;
  /** Of the blocks' weights at any time. */
  mostBytes: number;
}

/** What fits into `roomBytes`; at least one block does, whatever the room. */
export function planStream(blockBytes: readonly number[], roomBytes: number): StreamPlan {
  const total = blockBytes.reduce((sum, bytes) => sum + bytes, 0);
  if (total <= roomBytes) return { staying: blockBytes.length, places: 0, mostBytes: total };
  const largest = Math.max(...blockBytes);
  const places = 2 * largest <= roomBytes ? 2 : 1;
  let staying = 0;
  let bytes = places * largest;
  while (bytes + blockBytes[staying]! <= roomBytes) bytes += blockBytes[staying++]!;
  return { staying, places, mostBytes: bytes };
}

/** A block's way: away, being fetched, there. */
interface Place { fetching: Promise<void> | null; there: boolean; held: boolean }

/** blocks: the linear layers of each, in the order of a pass. */
export function streamedBlocks(blocks: readonly (readonly FrozenLinear[])[], fetchers: Fetchers, roomBytes: number): Residency {
  const sizes = blocks.map(bytesOf);
  let plan = planStream(sizes, roomBytes);
  const states: Place[] = blocks.map(() => ({ fetching: null, there: false, held: false }));
  /** Blocks that pass through, the one left longest ago first. */
  let passing: number[] = [];
  let [last, direction] = [-1, 1];
  let ended = false;
  /** Who waits for a place. */
  let waiting: (() => void)[] = [];
  const wake = () => {
    const woken = waiting;
    waiting = [];
    woken.forEach((resume) => resume());
  };

  const withdraw = (index: number) => {
    blocks[index]!.forEach(withdrawLinear);
    states[index]!.there = false;
    passing = passing.filter((other) => other !== index);
  };

  /** Whether there is a place for one more block; gives up the one that was left longest ago for it. */
  function makePlace(index: number): boolean {
    return index < plan.staying || passLess(plan.places - 1);
  }

  /** Gives up blocks that pass through, the one left longest ago first, until there are at most so many; false where others are at work. */
  function passLess(most: number): boolean {
    while (passing.length > most) {
      const oldest = passing.find((other) => states[other]!.there && !states[other]!.held);
      if (oldest === undefined) return false;
      withdraw(oldest);
    }
    return true;
  }

  /** What stayed by the wider plan passes through from now on. */
  function limit(bytes: number): void {
    const narrower = planStream(sizes, bytes);
    if (narrower.mostBytes >= plan.mostBytes) return;
    const staying = states.flatMap(({ there, fetching }, index) => (index >= narrower.staying && index < plan.staying && (there || fetching) ? [index] : []));
    passing = [...staying, ...passing];
    plan = narrower;
    passLess(plan.places);
  }

  async function fetch(index: number): Promise<void> {
    const layers = blocks[index]!;
    const placed: FrozenLinear[] = [];
    try {
      for (const layer of layers) {
        const values = await fetchers.get(layer)!();
        invariant(!ended, 'the model was disposed of while a block was being fetched');
        placeLinear(layer, values);
        placed.push(layer);
      }
      states[index]!.there = true;
    } catch (error) {
      placed.forEach(withdrawLinear);
      passing = passing.filter((other) => other !== index);
      throw error;
    } finally {
      states[index]!.fetching = null;
      wake();
    }
  }

  function begin(index: number): Promise<void> {
    const state = states[index]!;
    if (index >= plan.staying) passing = [...passing.filter((other) => other !== index), index];
    state.fetching ??= fetch(index);
    return state.fetching;
  }

  /** Fetches the block after this one in the direction of the pass, where there is a place for it. */
  function lookAhead(index: number): void {
    const next = index + direction;
    const state = states[next];
    if (!state || state.there || state.fetching || (next >= plan.staying && plan.places < 2) || !makePlace(next)) return;
    begin(next).catch(() => undefined); // who enters it asks again
  }

  async function arrive(index: number): Promise<void> {
    const state = states[index]!;
    while (!state.there) {
      // passes that overlap may each wait with a block: whoever is there leaves, and wakes the others
      while (!state.fetching && !makePlace(index)) await new Promise<void>((resume) => waiting.push(resume));
      await begin(index);
    }
    lookAhead(index);
    blocks[index]!.forEach(residentLinear);
  }

  const counted = countedHolders({
    enter(index) {
      if (last >= 0 && index !== last) direction = index > last ? 1 : -1;
      if (index === blocks.length - 1) direction = -1;
      if (index === 0) direction = 1;
      last = index;
      const state = states[index]!;
      state.held = true;
      if (!state.there) return arrive(index);
      if (index >= plan.staying) passing = [...passing.filter((other) => other !== index), index];
      lookAhead(index);
      blocks[index]!.forEach(residentLinear);
    },
    leave(index) {
      states[index]!.held = false;
      blocks[index]!.forEach(evictLinear);
      wake();
    },
  });
  return { ...counted, limit, dispose: () => { ended = true; } };
}
