/** Two tabs of one browser: the second shows the first one's run, takes it over, and the first takes it back; after Stop it goes on. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, baseReady, ids, loadSample, openStage, phaseOf, stepsDone, untilPhase, type Stage } from './studio';
import { closePrivate, untilStep, visitWith } from './watch';

const recipe = { stage1Steps: 10, stage2Steps: 400, batchSize: 1, flip: false, previewEvery: 1000, seed: 7 };

let stage: Stage;
beforeAll(async () => { stage = await openStage(); });
afterAll(() => closePrivate(stage));

const pause = async (page: Page) => {
  await at(page, ids.pause).click();
  await untilPhase(page, ['paused']);
};
/** Presses the banner's button and waits until this tab makes steps of its own. */
const takeOver = async (page: Page) => {
  const step = await stepsDone(page);
  await at(page, ids.resumeTakeOver).click();
  await at(page, ids.runElsewhere).waitFor({ state: 'detached' });
  await untilStep(page, step + 2);
};

it('shows the run of the other tab, and either tab can take it', async () => {
  const first = stage.page;
  await visitWith(stage, recipe, { steps: 8, guidance: 1 });
  await baseReady(first);
  await loadSample(first, 'birthday-cake');
  await at(first, ids.learn).click();
  await untilStep(first, 3);
  await pause(first);
  const step = await stepsDone(first);

  const second = await stage.context.newPage();
  await second.goto(`${stage.url}?backend=wasm&threads=1`);
  await at(second, ids.runElsewhere).waitFor();
  expect(await stepsDone(second)).toBe(step);
  expect(await second.locator('[data-testid^=card-][data-state=ready]').count()).toBe(5);
  expect(await at(second, ids.resume).count()).toBe(0);
  await takeOver(second);
  await at(first, ids.runElsewhere).waitFor();
  expect(await phaseOf(first)).toBe('paused');
  await pause(second);

  await takeOver(first);
  await at(second, ids.runElsewhere).waitFor();
  expect(await first.locator('[data-testid^=card-][data-state=ready]').count()).toBe(5);
  await second.close();
});

it('goes on after Stop from the step it stopped at', async () => {
  const { page } = stage;
  await at(page, ids.stop).click();
  await untilPhase(page, ['stopped']);
  const step = await stepsDone(page);
  expect(step).toBeLessThan(recipe.stage1Steps + recipe.stage2Steps);
  await at(page, ids.goOn).click();
  await untilStep(page, step + 2);
  expect(await at(page, ids.stepText).first().textContent()).toContain('/ 410');
});

it('keeps an unkept run when a new concept is begun, and asks before it is discarded', async () => {
  const { page } = stage;
  await at(page, ids.stop).click();
  await untilPhase(page, ['stopped']);
  await at(page, ids.newConcept).click();
  await at(page, ids.resumeDiscard).click();
  await page.keyboard.press('Escape');
  await at(page, ids.resumeBanner).waitFor();
  await at(page, ids.resumeDiscard).click();
  await at(page, ids.confirmDiscard).click();
  await at(page, ids.resumeBanner).waitFor({ state: 'detached' });
});
