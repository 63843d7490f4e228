/** The session as the page drives it: store, client, session and draft worker together, over message channels, on a tiny base. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { IDBFactory } from 'fake-indexeddb';
import { giveDog, openTab, type Tab, type TabOptions } from '../testing/session/tab';

let tabs: Tab[] = [];
const open = async (options: TabOptions = {}): Promise<Tab> => {
  const tab = await openTab(options);
  tabs.push(tab);
  return tab;
};
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(() => {
  for (const tab of tabs) tab.close();
  tabs = [];
});

it('learns, draws, keeps, measures, and opens what was kept', async () => {
  const { now, until } = await open();
  await giveDog({ now }, { previewEvery: 20 });
  expect(now().cards.map(({ state, fitState }) => [state, fitState])).toEqual([['ready', 'done'], ['ready', 'done']]);
  now().setParams({ steps: 8 });
  await now().learn();
  await until('learned', ({ run }) => run?.phase === 'finished');
  await until('drawn', ({ drawing, twins }) => !drawing && twins.concept?.state === 'full');
  expect(now().metrics.map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
  expect(now().strip.map(({ step }) => step)).toEqual([20, 40]);
  await until('idle pictures', ({ anchors }) => anchors.length >= 4);
  await now().keep();
  await now().measure();
  expect(now().measureFault).toBeNull();
  expect(now().measures?.prompts).toHaveLength(8);
  expect(now().concepts).toHaveLength(1);
  await now().openConcept(now().concepts[0]!.conceptId);
  await until('drawn', ({ drawing, twins }) => !drawing && twins.concept?.state === 'full');
  expect(now().opened?.name).toBe('My dog');
  expect(now().opened?.measures?.prompts).toHaveLength(8);
});
