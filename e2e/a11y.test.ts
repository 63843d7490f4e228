/** axe-core finds nothing wrong on the first visit, with pictures in, in the recipe, and on the Shelf, in both themes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { colours, violations } from './axe';
import { at, baseReady, ids, loadSample, openStage, visit, type Stage } from './studio';
import { closePrivate } from './watch';

let stage: Stage;
beforeAll(async () => { stage = await openStage({ firstVisit: true }); });
afterAll(() => closePrivate(stage));

/** In both themes, dark last. */
async function expectReadable(): Promise<void> {
  const { page } = stage;
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await violations(page), 'light').toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await violations(page, colours), 'dark').toEqual([]);
}

it('reads well from the first visit to the Shelf', async () => {
  const { page } = stage;
  await visit(stage);
  await baseReady(page);
  await expectReadable();
  await loadSample(page, 'guide-dog');
  await expectReadable();
  await at(page, ids.recipe).click();
  await at(page, 'recipe-panel').waitFor();
  await expectReadable();
  await page.keyboard.press('Escape');
  await at(page, ids.tabShelf).click();
  await at(page, ids.shelf).waitFor();
  await expectReadable();
});
