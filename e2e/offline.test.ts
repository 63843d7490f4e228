/** After one visit the studio needs no network: the server is gone, the page reloads, and draws from a kept concept. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, baseReady, full, ids, loadSample, openStage, twin, untilPhase, type Stage } from './studio';
import { closePrivate, visitWith } from './watch';

let stage: Stage;
beforeAll(async () => { stage = await openStage({ firstVisit: true }); });
afterAll(() => closePrivate(stage));

it('reloads, draws from a kept concept and loads a sample with the server stopped', async () => {
  const { page } = stage;
  await visitWith(stage, { stage1Steps: 2, stage2Steps: 1, batchSize: 1, previewEvery: 1000 }, { steps: 8 });
  await baseReady(page);
  await loadSample(page, 'birthday-cake');
  await at(page, ids.learn).click();
  await untilPhase(page, ['finished']);
  await at(page, ids.keep).click();
  await at(page, ids.tabShelf).click();
  await at(page, 'concept-0').waitFor();
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);

  await stage.stopServer();
  expect(await page.evaluate(() => fetch('base/not-kept').then(() => 'answered', () => 'gone'))).toBe('gone');
  await page.reload();
  await baseReady(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await at(page, ids.tabShelf).click();
  await at(page, 'concept-open-0').click();
  await full(page, ids.twinConcept);
  await full(page, ids.twinBase);
  expect((await twin(page, ids.twinConcept))!.spread).toBeGreaterThan(10);
  await at(page, ids.newConcept).click();
  await loadSample(page, 'guide-dog');
});
