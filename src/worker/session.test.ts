/** The session as the page drives it: store, client, session and draft worker together, over message channels, on a tiny base. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { IDBFactory } from 'fake-indexeddb';
import { pixelsOf } from '../testing/session/raster';
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

it('draws the base as often as the concept, whatever stood there before', async () => {
  const { now, until } = await open();
  await giveDog({ now }, { previewEvery: 20 });
  now().setParams({ steps: 8 });
  await now().draw();
  // before there is a concept the base is drawn once, into its own frame
  expect(now().twins).toMatchObject({ base: { state: 'full', steps: 8 }, concept: null });
  await now().learn();
  await until('learned and drawn', ({ run, drawing, twins }) => run?.phase === 'finished' && !drawing && twins.concept?.state === 'full');
  const { base, concept } = now().twins;
  for (const key of ['steps', 'seed', 'guidance', 'negative', 'prompt', 'kind'] as const) expect(base?.[key]).toBe(concept?.[key]);
  now().setBalance(0);
  await until('drawn at 0', ({ drawing, twins }) => !drawing && twins.concept?.state === 'full' && twins.concept.balance === 0);
  expect(pixelsOf(now().twins.concept?.bitmap)).toBe(pixelsOf(now().twins.base?.bitmap));
});

it('keeps a picture that was waited for while steps are made, and says of which step it is', async () => {
  const { now, until, pictures } = await open();
  await giveDog({ now }, { stage1Steps: 2000, previewEvery: 10 });
  now().setParams({ steps: 8 });
  await now().learn();
  await until('a draft', ({ twins }) => twins.concept?.state === 'draft');
  await now().draw();
  const drawn = now().twins.concept!;
  expect(drawn).toMatchObject({ state: 'full', prompt: 'a [V] dog in the snow' });
  const entries = now().strip.length;
  await until('two more previews', ({ strip }) => strip.length >= entries + 2);
  expect(now().twins.concept).toBe(drawn);
  expect(drawn.atStep).toBeLessThan(now().run!.step);
  // the slider still has its drafts, and they know what they are of
  now().setBalance(0.5);
  await until('a draft of the new balance', ({ twins }) => twins.concept?.state === 'draft' && twins.concept.balance === 0.5);
  expect(now().twins.concept).toMatchObject({ prompt: 'a [V] dog in the snow', seed: 42, steps: 0 });
  expect(pictures.filter(({ slot }) => slot.kind === 'original')).toHaveLength(1);
});
