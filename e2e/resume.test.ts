/**
 * A run whose tab is torn down twice, once in each stage, and continued by the banner ends in the same weights as one that was left
 * alone, byte for byte, and makes no more steps anew than lie between two checkpoints.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StepMetrics } from '../src/protocol/run';
import { exportFirst, readTensors } from './files';
import { CHECKPOINT_MS, checkpointStep } from './runs';
import { at, baseReady, ids, loadSample, openStage, stepsDone, untilPhase, type Stage } from './studio';
import { closePrivate, untilStep, visitWith, watchSteps } from './watch';

const recipe = { stage1Steps: 12, stage2Steps: 8, batchSize: 1, previewEvery: 1000, seed: 7 };
const total = recipe.stage1Steps + recipe.stage2Steps;

let stage: Stage;
let steps: StepMetrics[];
beforeAll(async () => {
  stage = await openStage();
  steps = await watchSteps(stage);
});
afterAll(() => closePrivate(stage));

async function learn(): Promise<void> {
  const { page } = stage;
  // away first: another fragment alone would not begin the page anew
  await page.goto('about:blank');
  await visitWith(stage, recipe, { steps: 8, guidance: 1 });
  await baseReady(page);
  await loadSample(page, 'birthday-cake');
  await at(page, ids.learn).click();
}

/** Waits for the end, keeps the concept and gives its exported tensors. */
async function finish(): Promise<ReturnType<typeof readTensors>> {
  const { page } = stage;
  await untilPhase(page, ['finished']);
  expect(await stepsDone(page)).toBe(total);
  await at(page, ids.keep).click();
  await at(page, ids.tabShelf).click();
  const tensors = readTensors(await exportFirst(page));
  // The next run's concept must be the only one there is to export.
  await at(page, 'concept-delete-0').click();
  await at(page, ids.confirmDelete).click();
  await at(page, 'concept-0').waitFor({ state: 'detached' });
  return tensors;
}

/** Tears the tab down once this step is made and another after a checkpoint, continues, and gives the steps that are made again. */
async function tearDown(after: number): Promise<StepMetrics[]> {
  const { page } = stage;
  await untilStep(page, after);
  // A fast machine makes these few steps before a checkpoint is due; holding the run writes one at once.
  await at(page, ids.pause).click();
  await untilPhase(page, ['paused']);
  const kept = await checkpointStep(stage);
  expect(kept).toBeGreaterThanOrEqual(after);
  await at(page, ids.resume).click();
  await untilStep(page, kept + 2);
  const newest = await checkpointStep(stage);
  await page.reload();
  const lost = steps.filter(({ step, runId }) => runId === steps.at(-1)!.runId && step > newest);
  await at(page, ids.resumeContinue).click();
  await untilPhase(page, ['learning']);
  return lost;
}

it('continues after two reloads to the same weights', async () => {
  await learn();
  const straight = await finish();
  expect(straight.bytes.length).toBeGreaterThan(100_000);
  expect(steps.length).toBe(total);

  await learn();
  const lostInStage1 = await tearDown(5);
  expect(await stepsDone(stage.page)).toBeLessThan(recipe.stage1Steps);
  const lostInStage2 = await tearDown(recipe.stage1Steps + 2);
  const resumed = await finish();
  expect(resumed.layout).toBe(straight.layout);
  expect(resumed.bytes.equals(straight.bytes)).toBe(true);

  for (const lost of [lostInStage1, lostInStage2]) {
    const work = lost.slice(0, -1).reduce((sum, { stepMs }) => sum + stepMs, 0);
    expect(work).toBeLessThanOrEqual(CHECKPOINT_MS);
  }
  const executed = steps.length - total;
  console.log(`made again: ${lostInStage1.length} and ${lostInStage2.length} steps, ${executed} of ${total} executed in all`);
  expect(executed).toBe(total + lostInStage1.length + lostInStage2.length);
  expect(lostInStage1.length + lostInStage2.length).toBeGreaterThan(0);
});
