/** A worker that dies is replaced: the same run goes on from its checkpoint, under the same id, and nobody has to press anything. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StepMetrics } from '../src/protocol/messages';
import { at, baseReady, ids, loadSample, openStage, phaseOf, untilPhase, visit, type Stage } from './studio';
import { closePrivate, untilStep, watchSteps } from './watch';

let stage: Stage;
let steps: StepMetrics[];
beforeAll(async () => {
  stage = await openStage();
  steps = await watchSteps(stage);
});
afterAll(() => closePrivate(stage));

it('goes on with the same run after an uncaught error in the worker', async () => {
  const { page } = stage;
  await visit(stage, { stage1Steps: 200, stage2Steps: 1, batchSize: 1, previewEvery: 1000 });
  await baseReady(page);
  await loadSample(page, 'guide-dog');
  await at(page, ids.learn).click();
  await untilStep(page, 3);
  await at(page, ids.pause).click();
  await untilPhase(page, ['paused']);
  const kept = steps.at(-1)!;
  await at(page, ids.resume).click();
  await untilStep(page, kept.step + 2);

  const session = page.workers().find((worker) => /\/entry[^/]*$/.test(worker.url()))!;
  const before = steps.length;
  await session.evaluate(() => { setTimeout(() => { throw new Error('The worker dies of this test.'); }); });
  await expect.poll(() => steps.length, { timeout: 90_000 }).toBeGreaterThan(before + 2);

  const after = steps.slice(-2);
  expect(after.map(({ runId }) => runId)).toEqual([kept.runId, kept.runId]);
  const again = steps.findIndex(({ step }, n) => n > 0 && step <= steps[n - 1]!.step);
  expect(again).toBeGreaterThan(0);
  expect(steps[again]!.step).toBeGreaterThan(kept.step);
  expect(page.workers().includes(session)).toBe(false);
  expect(await phaseOf(page)).toBe('extractor');
  expect(await at(page, ids.fault).allTextContents()).toEqual([]);
});
