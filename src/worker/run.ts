/**
 * One run in progress: its trainer, what it was started from, and the figures the page sees. Owned by Running (running.ts),
 * which decides when a step is made; `dispose` frees every tensor and gives the run's lock back.
 */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import { methodOf } from '../methods';
import { leaseFlow, type Base, type FlowBase } from '../pipeline/base';
import type { Lease } from '../pipeline/parts';
import { buildDataset, disposeDataset, type Dataset, type KeepLatents } from '../pipeline/training/dataset';
import { leaseSight, type LeasedSight } from '../pipeline/training/sight';
import { createTrainer, type Trainer, type TrainerStep } from '../pipeline/training/train';
import { needsSight } from '../pipeline/training/trajectoryStep';
import type { RunInfo, RunPhase, StepMetrics } from '../protocol/run';
import { median } from '../protocol/median';
import { parseRecipe, stagesOfRecipe, type Recipe } from '../protocol/recipe';
import type { LearnedPicture, RunRecord } from '../storage/db';
import type { RunHold } from '../storage/locks';
import { cropPixels } from './pictures';
import { disposePreviewWords, readPreviewWords, type PreviewWords } from './previewing';
import type { Raster } from './platform';

/** Steps whose median pace the remaining time is reckoned from. */
const PACE_STEPS = 15;
/** Pictures that likeness is measured against: of a large set the first so many. */
const MOST_SEEN = 20;

/** Those that likeness is measured against, without what only training reads. */
export const seenOf = ({ pictures }: Pick<RunRecord, 'pictures'>): LearnedPicture[] => pictures.slice(0, MOST_SEEN).map(({ pictureId, name, crop, mask, file }) => ({ pictureId, name, crop, ...(mask && { mask }), file }));

/** One after the other, since decoded ones are large. */
export async function readSeen(raster: Raster, pictures: readonly LearnedPicture[], side: number): Promise<Float32Array[]> {
  const read: Float32Array[] = [];
  for (const picture of pictures) read.push(await cropPixels(raster, picture, picture.crop, side));
  return read;
}

/** [n,S,S,3], the caller's. */
export const stacked = (pictures: readonly Float32Array[], side: number): Tensor4D => tf.tidy(() => tf.stack(pictures.map((pixels) => tf.tensor3d(pixels, [side, side, 3]))) as Tensor4D);

export interface Run {
  record: RunRecord;
  recipe: Recipe;
  hold: RunHold;
  trainer: Trainer;
  /** The transformer, for as long as the run is held. */
  flow: Lease<FlowBase>;
  /** The same of what draws with a reference; null where the method doesn't. */
  sight: LeasedSight | null;
  dataset: Dataset;
  /** [n,S,S,3], n at most MOST_SEEN. */
  pictures: Tensor4D;
  words: PreviewWords;
  phase: RunPhase;
  /** Everything it was computed on, joined by arrows; a run that has changed is never again called identical. */
  engine: string;
  notIdentical: string;
  /** Milliseconds of the latest steps by stage. */
  pace: Record<string, number[]>;
  /** Rows not yet stored. */
  unsaved: StepMetrics[];
}

export async function beginRun(options: { base: Base; raster: Raster; record: RunRecord; hold: RunHold; state?: unknown; engine: string; notIdentical: string; between: () => Promise<void>; onEncoded: (done: number, total: number) => void; keep: KeepLatents }): Promise<Run> {
  const { base, raster, record, hold, state, engine, notIdentical, between, onEncoded, keep } = options;
  const recipe = parseRecipe(record.recipe);
  const { width: side } = base.pictureSize();
  const seen = await readSeen(raster, seenOf(record), side);
  const items = record.pictures.map((picture, i) => ({ pixels: seen[i] ?? (() => cropPixels(raster, picture, picture.crop, side)), captions: picture.captions, mask: picture.mask, head: picture.head }));
  const dataset = await buildDataset(base, items, recipe, methodOf(recipe), onEncoded, between, keep);
  const pictures = stacked(seen, side);
  let words: PreviewWords | null = null;
  let flow: Lease<FlowBase> | null = null;
  let sight: LeasedSight | null = null;
  try {
    words = await readPreviewWords(base, record.prompt, recipe, between);
    if (needsSight(methodOf(recipe))) {
      sight = await leaseSight(base, items, between);
      dataset.references = sight.references;
    }
    flow = await leaseFlow(base, 'learn');
    const trainer = await createTrainer({ base: flow.part, method: methodOf(recipe), recipe, dataset, sight: sight?.sight ?? null, state, between });
    return { record, recipe, hold, trainer, flow, sight, dataset, pictures, words, phase: trainer.step >= trainer.totalSteps ? 'finished' : 'learning', engine, notIdentical, pace: {}, unsaved: [] };
  } catch (error) {
    flow?.release();
    sight?.release();
    if (words) disposePreviewWords(words);
    disposeDataset(dataset);
    pictures.dispose();
    throw error;
  }
}

/** Takes a finished step into the figures; the returned row is what the page and the store get. */
export function noteStep(run: Run, step: TrainerStep): StepMetrics {
  const { totalSteps: _, lambda: __, ...figures } = step;
  const row: StepMetrics = { runId: run.record.runId, ...figures };
  const pace = (run.pace[step.stage] ??= []);
  pace.push(step.stepMs);
  if (pace.length > PACE_STEPS) pace.shift();
  run.unsaved.push(row);
  return row;
}

/** Steps left in each stage at the pace of its own steps, or else at that of another's, by their cost. */
function secondsLeft({ trainer, recipe, pace }: Run): number | null {
  const stages = stagesOfRecipe(recipe).map((stage) => ({ ...stage, ms: median(pace[stage.id] ?? []) }));
  const known = stages.find(({ ms }) => ms !== null);
  if (!known) return null;
  return stages.reduce((sum, { ms, cost, begin, end }) => sum + Math.max(0, end - Math.max(begin, trainer.step)) * (ms ?? (known.ms! * cost) / known.cost), 0) / 1000;
}

export function runInfo(run: Run): RunInfo {
  const { record, recipe, trainer, phase, notIdentical } = run;
  return {
    runId: record.runId, name: record.name, phase, stage: trainer.stage, recipe, step: trainer.step, totalSteps: trainer.totalSteps, secondsLeft: secondsLeft(run),
    lambda: trainer.lambda, notIdentical, startedAt: record.createdAt,
  };
}

export function disposeRun(run: Run): void {
  run.trainer.dispose();
  run.flow.release();
  run.sight?.release();
  disposeDataset(run.dataset);
  run.pictures.dispose();
  disposePreviewWords(run.words);
  run.hold.release();
}

/** The recipe of a run that goes on beyond its end: the last of its stages that has steps becomes longer. Fault `recipe-invalid` where that is too long. */
export function grow(recipe: Recipe, more: number): Recipe {
  const last = stagesOfRecipe(recipe).at(-1)!;
  return parseRecipe({ ...recipe, [last.steps]: last.count + more });
}
