/** A run as it is stored: what a page shows of one that is not at work here, with its pictures, figures and strip. */
import type { PictureEvent } from '../protocol/pictures';
import { readStepMetrics, type RunInfo, type StoredRun } from '../protocol/run';
import { parseRecipe, stageIdAfter, totalSteps } from '../protocol/recipe';
import type { Measures } from '../protocol/runReport';
import type { Database, PreviewRecord, RunRecord } from '../storage/db';
import { isRunHeld } from '../storage/locks';
import { readCheckpoints, readMetrics, readPreviews } from '../storage/runStore';
import { nextRevision } from './picturing';
import type { Platform } from './platform';
import { previewKey, previewPrompts } from './previewing';

/** Rows and previews after `after` only; up to the newest checkpoint, from where it would go on. */
export async function readStoredRun(db: Database, { raster, locks }: Platform, record: RunRecord, after = -1): Promise<StoredRun> {
  const [checkpoint] = await readCheckpoints(db, record.runId);
  const recipe = parseRecipe(record.recipe);
  const step = checkpoint?.step ?? 0;
  const total = totalSteps(recipe);
  const metrics = (await readMetrics(db, record.runId)).map(readStepMetrics).filter((row) => row.step <= step && row.step > after);
  const previews = (await readPreviews(db, record.runId, after + 1)).filter((preview) => preview.step <= step);
  const run: RunInfo = { runId: record.runId, name: record.name, phase: step >= total ? 'finished' : 'paused', stage: stageIdAfter(recipe, step), recipe, step, totalSteps: total, secondsLeft: null, lambda: 1, notIdentical: '', startedAt: record.createdAt };
  const newest = previews.findLast(({ drift }) => drift !== null);
  return {
    run, metrics, strip: (await Promise.all(previews.map((preview) => pictures(preview, record, raster)))).flat(), prompt: record.prompt, seed: record.seed,
    changed: newest ? { runId: record.runId, step: newest.step, likeness: newest.likeness, drift: newest.drift! } : null,
    measures: (record.measures ?? null) as Measures | null, ownedElsewhere: await isRunHeld(record.runId, locks),
  };
}

async function pictures({ step, concept, customBase, elapsedMs }: PreviewRecord, record: RunRecord, raster: Platform['raster']): Promise<PictureEvent[]> {
  const { runId } = record;
  const recipe = parseRecipe(record.recipe);
  const [complete, base] = previewPrompts(record.prompt, recipe);
  const common = { ...previewKey(record.seed, recipe), state: 'full' as const, elapsedMs };
  const atStep = customBase ? step : null;
  const picture = async (file: Blob, slot: PictureEvent['slot'], prompt: string): Promise<PictureEvent> => ({ ...common, slot, prompt, revision: nextRevision(), bitmap: await raster.decode(file), step: common.steps, balance: customBase ? 1 : 0, atStep });
  if (!customBase) return [await picture(concept, { kind: 'original', runId }, complete)];
  return [await picture(concept, { kind: 'strip', runId, step, side: 'concept' }, complete), await picture(customBase, { kind: 'strip', runId, step, side: 'customBase' }, base)];
}
