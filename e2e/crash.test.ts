/**
 * Workers that die are replaced: the same run goes on from its checkpoint, under the same id, its pictures standing, and the
 * slider is answered again; nobody has to press anything. Random moments of a whole run are in recovery.test.ts.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StepMetrics } from '../src/protocol/run';
import { checkpointStep } from './runs';
import { at, baseReady, full, ids, loadSample, openStage, phaseOf, slide, twin, untilPhase, type Stage } from './studio';
import { closePrivate, untilStep, visitWith, watchSteps, watchWorkers, type Workers } from './watch';

/** For two busy cores: a worker loaded anew and two steps. */
const PATIENCE_MS = 240_000;

let stage: Stage;
let steps: StepMetrics[];
let workers: Workers;
beforeAll(async () => {
  stage = await openStage();
  steps = await watchSteps(stage);
  workers = await watchWorkers(stage);
});
afterAll(() => closePrivate(stage));

it('goes on with the same run after an uncaught error in the worker', async () => {
  const { page } = stage;
  // 1,000 is more than any machine makes here; a preview is due only at the end, but the base's picture at the beginning
  await visitWith(stage, { stage1Steps: 999, stage2Steps: 1, batchSize: 1, previewEvery: 1000 }, { steps: 8, guidance: 1 });
  await baseReady(page);
  await loadSample(page, 'guide-dog');
  await at(page, ids.learn).click();
  await untilStep(page, 3);
  // A fast machine makes these few steps before a checkpoint is due; holding the run writes one at once.
  await at(page, ids.pause).click();
  await untilPhase(page, ['paused']);
  const kept = steps.at(-1)!;
  await at(page, ids.resume).click();
  await untilStep(page, kept.step + 2);

  const session = page.workers().find((worker) => /\/entry[^/]*$/.test(worker.url()))!;
  await session.evaluate(() => { setTimeout(() => { throw new Error('The worker dies of this test.'); }); });
  await at(page, ids.restarting).waitFor({ state: 'attached' });
  const seen = steps.length;
  const checkpoint = await checkpointStep(stage);
  expect((await twin(page, ids.twinBase))!.spread).toBeGreaterThan(10);
  await expect.poll(() => steps.length, { timeout: PATIENCE_MS }).toBeGreaterThan(seen + 1);

  expect(checkpoint).toBeGreaterThanOrEqual(kept.step);
  expect(steps.slice(seen, seen + 2)).toMatchObject([{ runId: kept.runId, step: checkpoint + 1 }, { runId: kept.runId, step: checkpoint + 2 }]);
  expect(await workers.made('session')).toHaveLength(2);
  expect(page.workers().includes(session)).toBe(false);
  expect(await phaseOf(page)).toBe('learning');
  expect(await at(page, ids.restarting).count()).toBe(0);
  expect(await at(page, ids.fault).allTextContents()).toEqual([]);
});

it('answers the slider again after the draft worker was ended in silence', async () => {
  const { page } = stage;
  await page.goto('about:blank');
  await visitWith(stage, { stage1Steps: 1, stage2Steps: 1, batchSize: 1, previewEvery: 1000 }, { steps: 8, guidance: 1 });
  await baseReady(page);
  await loadSample(page, 'guide-dog');
  await at(page, ids.learn).click();
  await untilPhase(page, ['finished']);
  await full(page, ids.twinConcept);
  await workers.terminate('drafts');
  await expect.poll(async () => (await workers.made('drafts')).length, { timeout: PATIENCE_MS }).toBe(2);
  const before = await twin(page, ids.twinConcept);
  await slide(page, 1.6);
  await page.waitForSelector(`[data-testid=${ids.twinConcept}]:not([data-state=full])`);
  await full(page, ids.twinConcept);
  expect((await twin(page, ids.twinConcept))!.hash).not.toBe(before!.hash);
  expect(await workers.made('session')).toHaveLength(1);
  expect(await at(page, ids.fault).allTextContents()).toEqual([]);
});
