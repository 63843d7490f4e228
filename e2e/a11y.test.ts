/** axe-core finds nothing wrong on the first visit, with pictures in, in the recipe, and on the Shelf, in both themes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { violations } from './axe';
import { at, baseReady, ids, loadSample, openStage, visit, type Stage } from './studio';
import { closePrivate } from './watch';

let stage: Stage;
beforeAll(async () => { stage = await openStage({ firstVisit: true }); });
afterAll(() => closePrivate(stage));

for (const colorScheme of ['dark', 'light'] as const) {
  it(`reads well in the ${colorScheme} theme`, async () => {
    const { page } = stage;
    await page.emulateMedia({ colorScheme });
    await visit(stage);
    await page.reload();
    await baseReady(page);
    expect(await violations(page)).toEqual([]);
    await loadSample(page, 'guide-dog');
    expect(await violations(page)).toEqual([]);
    await at(page, ids.recipe).click();
    await at(page, 'recipe-panel').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await at(page, ids.tabShelf).click();
    await at(page, ids.shelf).waitFor();
    expect(await violations(page)).toEqual([]);
  });
}
