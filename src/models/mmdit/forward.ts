/**
 * Evaluates the transformer block by block without a tape. Only the current streams live between blocks, with the
 * conditioning and the concept's rows.
 */
import { add, matMul, reshape, tensor2d, tidy, unstack, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { modulate, runBlock, type See } from './block';
import { injected, noiseLevel } from './crossAttention';
import { conditioning, embedContext, embedPatches, overwriteRow, placesOf, projectTokens, type Places } from './ends';
import { whileResident } from './residency';
import { Hold, type Steps } from '../steps';
import type { Adapter, AttentionFeatures, BlockWeights, ConceptRows, CrossBlock, Injection, Mmdit, MmditInput } from './types';

/** What the blocks start from. Held by whoever called `begin`. */
export interface Beginning {
  x: Tensor3D;
  y: Tensor3D;
  /** Conditioning [B,d]. */
  c: Tensor2D;
  /** One row [d] per block, and where they go; null when no sample has a [V]. */
  concept: { rows: Tensor1D[]; places: Places } | null;
  /** Further concepts' rows likewise. */
  others: { rows: Tensor1D[]; places: Places }[];
  /** What is injected, with the vector [B,dc] of its noise levels; null where nothing is. */
  injection: (Injection & { level: Tensor2D }) | null;
}

/** pooled [B,p] plus `delta` [p] in the samples that have a [V]. */
export function withDelta(pooled: Tensor2D, rows: ConceptRows | null, delta: Tensor1D | null): Tensor2D {
  const add1 = (sum: Tensor2D, at: readonly number[], each: Tensor1D | null) =>
    each ? add<Tensor2D>(sum, matMul(tensor2d(at.map((place) => (place < 0 ? 0 : 1)), [at.length, 1]), reshape(each, [1, each.size]))) : sum;
  return (rows?.others ?? []).reduce((sum, { at, pooledDelta }) => add1(sum, at, pooledDelta), rows ? add1(pooled, rows.at, delta) : pooled);
}

export function begin(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, hold: Hold): Beginning {
  const batch = input.x.shape[0];
  invariant(input.sigma.length === batch && input.context.shape[0] === batch && input.pooled.shape[0] === batch, 'x, sigma, context and pooled differ in batch size');
  invariant(!rows || rows.at.length === batch, 'rows.at and x differ in batch size');
  const tableOf = (table: Omit<ConceptRows, 'others'>) => {
    const places = placesOf(table.at, input.context.shape[1]);
    if (!places) return null;
    Object.values(places).forEach((mask: Tensor) => hold.add(mask));
    return { rows: (unstack(table.rows) as Tensor1D[]).map((row) => hold.add(row)), places };
  };
  return {
    x: hold.add(tidy(() => embedPatches(model, input.x, adapter))),
    y: hold.add(tidy(() => embedContext(model, input.context, adapter))),
    c: hold.add(tidy(() => conditioning(model, input.sigma, withDelta(input.pooled, rows, rows?.pooledDelta ?? null), adapter))),
    concept: rows && tableOf(rows),
    others: (rows?.others ?? []).flatMap((other) => tableOf(other) ?? []),
    injection: input.injection && acts(input.injection) ? { ...input.injection, level: hold.add(levelOf(input.injection, input)) } : null,
  };
}

/** Whether it changes anything; otherwise the branch is left out, and the velocity is the base's bit for bit. */
export const acts = ({ weight, tokens }: Pick<Injection, 'weight' | 'tokens'>): boolean => weight !== 0 && tokens.shape[1] > 0;

function levelOf({ tokens, weights, trained }: Injection, { sigma }: MmditInput): Tensor2D {
  invariant(tokens.shape[0] === sigma.length, 'the injected tokens and x differ in batch size');
  return tidy(() => noiseLevel(weights, sigma, trained));
}

/** Everything that one block computes from and that may have a gradient. */
export interface BlockArguments { x: Tensor3D; y: Tensor3D; c: Tensor2D; row: Tensor1D | null; others: readonly { row: Tensor1D; places: Places }[]; adapter: Adapter | null; cross: Cross | null }

/** What is injected behind one block. */
export type Cross = Omit<Injection, 'weights'> & { level: Tensor2D; block: CrossBlock };

export const crossAt = ({ injection }: Beginning, index: number): Cross | null => {
  const block = injection?.weights.blocks.get(index);
  return injection && block ? { ...injection, block } : null;
};

export const othersAt = ({ others }: Beginning, index: number): BlockArguments['others'] => others.map(({ rows, places }) => ({ row: rows[index]!, places }));

/** [x, y] after the block and what is injected behind it, [x] after the last. */
export function blockStep(model: Mmdit, w: BlockWeights, { x, y, c, row, others, adapter, cross }: BlockArguments, places: Places | null, see?: See): Tensor3D[] {
  const given = others.reduce((text, other) => overwriteRow(text, other.row, other.places), row && places ? overwriteRow(y, row, places) : y);
  const after = runBlock(model.config, w, x, given, modulate(w, c, adapter), adapter, see);
  const seen = cross ? injected(cross.block, after.x, cross.tokens, cross.level, cross, adapter) : after.x;
  return after.y ? [seen, after.y] : [seen];
}

/** As blockStep, with what its joint attention saw. */
export interface SeenStep { streams: Tensor3D[]; features: AttentionFeatures }

/** The same, and behind its streams the queries and keys that its joint attention saw. */
export function seenBlockStep(...[model, w, given, places]: [Mmdit, BlockWeights, BlockArguments, Places | null]): Tensor[] {
  const seen: Tensor[] = [];
  const streams = blockStep(model, w, given, places, (q, k) => seen.push(q, k));
  return [...streams, ...seen];
}

export function takeApart(w: BlockWeights, tensors: Tensor[]): SeenStep {
  const count = w.last ? 1 : 2;
  const [q, k] = tensors.slice(count) as [Tensor4D, Tensor4D];
  return { streams: tensors.slice(0, count) as Tensor3D[], features: { q, k } };
}

/** Runs a function that returns several tensors in a tidy. */
export const tidyAll = <T extends Tensor>(run: () => T[]): T[] => tidy(run as unknown as () => Tensor) as unknown as T[];

export interface ForwardOptions {
  /** Sees the text stream [B,T,d] before each block (before the concept's row goes in). */
  visit?: (y: Tensor3D) => void;
  /** Blocks that are left out, as if they changed nothing (skip-layer guidance). */
  skip?: readonly number[];
  /** Takes over what each block's joint attention saw. */
  see?: (features: AttentionFeatures) => void;
}

export function* forwardSteps(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, { visit, skip = [], see }: ForwardOptions = {}): Steps<Tensor4D> {
  const hold = new Hold();
  try {
    const start = begin(model, input, adapter, rows, hold);
    const { c, concept } = start;
    let { x, y } = start;
    for (const w of model.blocks) {
      if (skip.includes(w.index)) continue;
      visit?.(y);
      const row = concept?.rows[w.index] ?? null;
      const given = { x, y, c, row, others: othersAt(start, w.index), adapter, cross: crossAt(start, w.index) };
      const places = concept?.places ?? null;
      const after: Tensor[] = yield* whileResident(model, w.index, () => tidyAll<Tensor>(() => (see ? seenBlockStep(model, w, given, places) : blockStep(model, w, given, places))));
      const { streams: [nextX, nextY], features } = takeApart(w, after);
      see?.(features);
      hold.drop(x, y);
      x = hold.add(nextX!);
      if (nextY) y = hold.add(nextY);
      yield;
    }
    return tidy(() => projectTokens(model, x, c, input.x.shape[1], input.x.shape[2], adapter));
  } finally {
    hold.free();
  }
}
