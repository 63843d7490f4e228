/** axe-core finds nothing wrong on the first visit, with pictures in, in the recipe, and on the Shelf, in both themes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { violationsInBothThemes } from './axe';
import { at, baseReady, ids, loadSample, openStage, visit, type Stage } from './studio';
import { closePrivate } from './watch';

let stage: Stage;
beforeAll(async () => { stage = await openStage({ firstVisit: true }); });
afterAll(() => closePrivate(stage));

it('reads well from the first visit to the Shelf', async () => {
  const { page } = stage;
  await visit(stage);
  await baseReady(page);
  expect(await violationsInBothThemes(page)).toEqual([]);
  await loadSample(page, 'guide-dog');
  expect(await violationsInBothThemes(page)).toEqual([]);
  await at(page, ids.recipe).click();
  await at(page, 'recipe-panel').waitFor();
  expect(await violationsInBothThemes(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await at(page, ids.tabShelf).click();
  await at(page, ids.shelf).waitFor();
  expect(await violationsInBothThemes(page)).toEqual([]);
});
