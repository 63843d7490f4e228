/** Scenes of a field of guidances: what their words pull, and whose a place is that several of them have in their masks. */
import { areContested, shareOut } from '../../methods/gcfg/scenes';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { FlowBase } from '../base';
import { evaluate, type Evaluation } from '../evaluate';
import { atLevels } from '../seen';

interface Masked { mask?: Tensor4D; cells?: Float32Array }

/** A velocity of classifier-free guidance and how much the words pull at each place, [K·h·w]. The velocity is the caller's. */
export async function pulledBy(base: FlowBase, x: Tensor4D, sigmas: readonly number[], [origin, positive]: readonly [Evaluation, Evaluation], scale: number, paced: () => Promise<void>): Promise<{ velocity: Tensor4D; pull: Float32Array }> {
  const [v0, v] = await evaluate(base, x, sigmas, [atLevels(origin, sigmas), atLevels(positive, sigmas)], paced);
  const { velocity, much } = tf.tidy(() => {
    const difference = tf.sub<Tensor4D>(v!, v0!);
    return { velocity: tf.add<Tensor4D>(v0!, tf.mul(difference, scale)), much: tf.sum(tf.abs(difference), 3) };
  });
  const pull = new Float32Array(await much.data<'float32'>());
  tf.dispose([v0!, v!, much]);
  return { velocity, pull };
}

/** The velocity that leads x to where a scene at its own point goes: V + (x − at)/σ. The caller disposes. */
export const ledTo = (x: Tensor4D, at: Tensor4D, velocity: Tensor4D, sigma: number): Tensor4D => tf.tidy(() => tf.add<Tensor4D>(velocity, tf.div(tf.sub(x, at), sigma)));

/** Cells of a scene's mask; all of `size` where it has none. Null where its numbers are not at hand. */
const cellsOf = ({ mask, cells }: Masked, size: number): Float32Array | null => (mask ? cells ?? null : new Float32Array(size).fill(1));

/** Whether scenes stand in each other's way: masks whose numbers are at hand and that overlap, or several scenes without one. */
export function isContested(guidances: readonly (Masked & { scene?: boolean })[]): boolean {
  const scenes = guidances.filter(({ scene }) => scene);
  const size = scenes.find(({ cells }) => cells)?.cells!.length ?? 1;
  const cells = scenes.map((each) => cellsOf(each, size));
  return cells.every((each) => each !== null) && areContested(cells);
}

/** Masks of the scenes that act, with what they contest shared out, row by row of the batch [K,h,w,1]. The caller disposes them. */
export function sharedMasks<T extends Masked & { scene: number | null }>(acting: readonly T[], pulls: readonly Float32Array[], [rows, height, width]: Tensor4D['shape']): { of: T; given: { mask: Tensor4D; cells: Float32Array } }[] {
  const size = height * width;
  const scenes = acting.filter(({ scene }) => scene !== null);
  const cells = scenes.map((each) => cellsOf(each, size)!);
  const byRow = Array.from({ length: rows }, (_, row) => shareOut(cells, scenes.map(({ scene }) => pulls[scene!]!.subarray(row * size, (row + 1) * size)), height, width));
  return scenes.map((of, j) => {
    const all = new Float32Array(rows * size);
    byRow.forEach((masks, row) => all.set(masks[j]!, row * size));
    return { of, given: { mask: tf.tensor4d(all, [rows, height, width, 1]), cells: all } };
  });
}
