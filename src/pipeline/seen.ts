/**
 * The picture that an evaluation sees: an adapter's tokens of it, from some noise level downwards. Where it does nothing the
 * evaluation is the same as one without, so that what draws with it turned off is the base bit for bit.
 */
import { invariant } from '../engine/invariant';
import * as tf from '../engine/tf';
import type { Tensor3D } from '../engine/tf';
import type { Injection, Mmdit } from '../models/mmdit';
import { expectAdapterFits, type PictureAdapter } from '../models/objectEncoder';
import { eulerSigmas } from './flow';

/** A picture that an evaluation sees beside its words. */
export interface SeenPicture extends Pick<Injection, 'weight' | 'zeroTokens' | 'ortho' | 'region'> {
  /** In place (leased) while it is evaluated. Its LoRA acts along with the tokens, and only then. */
  adapter: PictureAdapter;
  /** [1,N,width] for all rows, or [K,N,width]. */
  tokens: Tensor3D;
  /** The noise level from which downwards it is seen; at all of them without. */
  from?: number;
}

/** What may be left out wherever nothing is seen. */
interface Seeing { seen?: SeenPicture | null }

export const seenOf = ({ seen }: Seeing): SeenPicture | null => (seen && seen.weight !== 0 && seen.tokens.shape[1] > 0 ? seen : null);

/** Noise levels are counted in several ways that differ in the last bits. */
const SAME_SIGMA = 1e-6;

/** The evaluation as it is at these noise levels: without the picture where it isn't seen yet. */
export function atLevels<E extends Seeing>(evaluation: E, sigma: readonly number[]): E {
  const { seen } = evaluation;
  if (!seen) return evaluation;
  const { from = 1, ...always } = seen;
  const acts = sigma.map((level) => level <= from + SAME_SIGMA);
  invariant(new Set(acts).size <= 1, 'a picture is seen by all rows of an evaluation or by none');
  return { ...evaluation, seen: acts[0] !== false && seenOf(evaluation) ? always : null };
}

export const sameSeen = (a: SeenPicture | null, b: SeenPicture | null): boolean => a === b || (a !== null && b !== null && a.tokens === b.tokens && a.from === b.from && alikeSeen(a, b));

/** Whether two differ in their tokens alone, and so fit into one pass. */
export const alikeSeen = (a: SeenPicture | null, b: SeenPicture | null): boolean => a === b || (a !== null && b !== null && a.adapter === b.adapter && a.weight === b.weight
  && (a.zeroTokens ?? 0) === (b.zeroTokens ?? 0) && (a.ortho ?? 'none') === (b.ortho ?? 'none') && (a.region ?? null) === (b.region ?? null) && a.tokens.shape[1] === b.tokens.shape[1]);

/** What one pass injects: a row of tokens for each row of x, members one after the other; the options are the same in all of it. The caller disposes the tokens. */
export function injectionOf(members: readonly { seen: SeenPicture | null; rows: number }[]): Injection | null {
  const seen = members[0]?.seen;
  if (!seen) return null;
  const { adapter, from: _, ...options } = seen;
  const tokens = tf.tidy(() => {
    const rows = members.map(({ seen: each, rows: wanted }) => (each!.tokens.shape[0] === wanted ? each!.tokens : tf.tile(each!.tokens, [wanted, 1, 1])));
    return rows.length === 1 ? tf.clone(rows[0]!) : tf.concat3d(rows, 0);
  });
  return { ...options, weights: adapter.cross, tokens };
}

const fitting = new WeakMap<PictureAdapter, Mmdit>();

/** Looks once for each adapter and transformer. Fault `base-mismatch`. */
export function expectFits(model: Mmdit, adapter: PictureAdapter): void {
  if (fitting.get(adapter) === model) return;
  expectAdapterFits(model, adapter);
  fitting.set(adapter, model);
}

/** Noise level of the first step, of `steps`, in which a picture is seen: for SeenPicture.from. Steps count from 0; one beyond the last is never. */
export const seenFromStep = (step: number, steps: number, shift: number): number => (step >= steps ? -1 : eulerSigmas(steps, shift)[Math.max(0, Math.floor(step))]!);
