/** A person (PuLID) as the page drives it, on a tiny base with an adapter of random weights: learned along trajectories, drawn, gone on with, kept and opened. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IDBFactory } from 'fake-indexeddb';
import { openTab, sampleFile, type Tab, type TabOptions } from '../testing/session/tab';
import { pixelsOf } from '../testing/session/raster';
import { tinyStored } from '../testing/session/tinyFiles';

// as in session.test.ts
vi.setConfig({ testTimeout: 240_000 });

const withEncoder: TabOptions = { platform: { ensureBase: (_db, id) => tinyStored(id, { objects: true }) } };
let tab: Tab;
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(() => tab.close());

async function givePerson(): Promise<void> {
  const { now } = tab;
  now().setKind('person');
  for (const [key, value] of Object.entries({ likenessSteps: 1, identitySteps: 1, alignmentSteps: 2, walkSteps: 2, rank: 2, previewEvery: 4, learningRate: 0.05 })) now().setField(key as never, value);
  now().setClassWord('monster');
  await now().addFiles([await sampleFile('one-eyed-monster/1.png'), await sampleFile('one-eyed-monster/2.png')]);
  now().setParams({ steps: 8 });
}

it('learns along trajectories, draws with and without, and is the same again from the Shelf', async () => {
  tab = await openTab(withEncoder);
  const { now, until } = tab;
  expect(now().ready).toMatchObject({ persons: true });
  await givePerson();
  await now().learn();
  await until('learned and drawn', ({ run, drawing, twins }) => run?.phase === 'finished' && !drawing && twins.concept?.state === 'full' && twins.base?.state === 'full');
  expect(now().metrics.map(({ stage, losses }) => [stage, Object.keys(losses).sort().join()])).toEqual([
    ['likeness', 'flow,total'], ['identity', 'flow,identity,total'], ['alignment', 'flow,identity,layout,sem,total'], ['alignment', 'flow,identity,layout,sem,total'],
  ]);
  const drawn = () => pixelsOf(now().twins.concept!.bitmap);
  expect(drawn()).not.toBe(pixelsOf(now().twins.base!.bitmap));
  now().setBalance(0);
  await now().draw();
  expect(drawn()).toBe(pixelsOf(now().twins.base!.bitmap));
  now().setBalance(1);
  await now().draw();
  const [before, { prompt, seed }] = [drawn(), now()];

  await now().keep();
  expect(now().kept).toMatchObject({ kind: 'person', classWord: 'monster' });
  const { conceptId } = now().kept!;
  await now().openConcept(conceptId);
  now().setParams({ steps: 8, prompt, seed }, false);
  now().setBalance(1);
  await now().draw();
  expect(drawn()).toBe(before);
  expect(await now().exportConcept(conceptId, { includeCaptions: false, includeRows: false, keys: 'diffusers', author: '', includeThumbnail: false })).toBeNull();
});

it('learns by the head alone where the base tells faces apart', async () => {
  tab = await openTab({ platform: { ensureBase: (_db, id) => tinyStored(id, { faces: true }) } });
  const { now, until } = tab;
  expect(now().ready).toMatchObject({ persons: true, objects: false });
  await givePerson();
  await now().learn();
  await until('learned and drawn', ({ run, drawing, twins }) => run?.phase === 'finished' && !drawing && twins.concept?.state === 'full' && twins.base?.state === 'full');
  expect(now().metrics.map(({ figures }) => Object.keys(figures))).toEqual([[], ['likeness'], ['likeness'], ['likeness']]);
  expect(pixelsOf(now().twins.concept!.bitmap)).not.toBe(pixelsOf(now().twins.base!.bitmap));
});

it('learns the head that was framed by hand, and knows it again after a reload', async () => {
  const faces: TabOptions = { platform: { ensureBase: (_db, id) => tinyStored(id, { faces: true }) } };
  const framed = { left: 0.1, top: 0.55, side: 0.2 };
  const learned = async (head: typeof framed) => {
    tab = await openTab(faces);
    await givePerson();
    const { now, until } = tab;
    now().setField('alignmentSteps' as never, 0 as never);
    const { pictureId } = now().cards[0]!;
    await until('heads found', ({ masks }) => masks[pictureId]?.heads?.chosen !== undefined);
    now().chooseHead(pictureId, head);
    await now().learn();
    await until('learned', ({ run }) => run?.phase === 'finished');
    return now().metrics.map(({ losses }) => losses.total!);
  };
  const elsewhere = await learned({ ...framed, left: 0.7 });
  await tab.close();
  globalThis.indexedDB = new IDBFactory();
  (await learned(framed)).forEach((loss, i) => expect(loss).not.toBe(elsewhere[i]));

  await tab.close();
  tab = await openTab(faces);
  const { now } = tab;
  await now().findUnfinished();
  const { pictures } = now().unfinished!;
  expect(pictures.map(({ head }) => head)).toEqual([framed, undefined]);
  await now().continueRun();
  expect(now().masks[pictures[0]!.pictureId]!.heads).toMatchObject({ chosen: framed });
});

it('is refused in words where the base has no adapter', async () => {
  tab = await openTab();
  const { now } = tab;
  expect(now().ready).toMatchObject({ persons: false });
  await givePerson();
  await now().learn();
  expect(now().runFault).toMatchObject({ code: 'base-mismatch' });
});
