/** The session as the page drives it: store, client, session and draft worker together, over message channels, on a tiny base. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IDBFactory } from 'fake-indexeddb';
import type { ParamsOf } from '../protocol/messages';
import { openDatabase } from '../storage/db';
import { tabLocks } from '../testing/session/locks';
import { pixelsOf } from '../testing/session/raster';
import { tinyStored } from '../testing/session/tinyFiles';
import { giveDog, openTab, type Tab, type TabOptions } from '../testing/session/tab';

// ten seconds each on a machine of one's own; other programs may take most of it
vi.setConfig({ testTimeout: 240_000 });

let tabs: Tab[] = [];
const open = async (options: TabOptions = {}): Promise<Tab> => {
  const tab = await openTab(options);
  tabs.push(tab);
  return tab;
};
const until = <T>(read: () => T, is: (value: T) => boolean) => vi.waitFor(() => expect(is(read())).toBe(true), { timeout: 90_000 });
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(async () => {
  for (const tab of tabs) await tab.close();
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
  const db = await openDatabase();
  expect(await db.count('latents')).toBe(2);
  db.close();
  await until('idle pictures', ({ ticks }) => ticks.length >= 4);
  await now().keep();
  await now().measure();
  expect(now().measureFault).toBeNull();
  expect(now().measures?.prompts).toHaveLength(8);
  expect(now().concepts).toHaveLength(1);
  await now().openConcept(now().concepts[0]!.conceptId);
  await until('drawn', ({ drawing, twins }) => !drawing && twins.concept?.state === 'full');
  expect(now().opened?.name).toBe('My dog');
  expect(now().opened?.measures?.prompts).toHaveLength(8);

  // its pictures are kept with it, so it is measured again as it was, from the Shelf too
  const { measures } = now();
  await now().measure();
  expect(now().measureFault).toBeNull();
  expect(now().measures).toEqual(measures);
  expect(now().measures).not.toBe(measures);
  expect(now().opened).toMatchObject({ pictured: true });
  const { file } = (await now().exportConcept(now().opened!.conceptId, { includeCaptions: false, includeRows: true, keys: 'diffusers', author: '', includeThumbnail: false }))!;
  await now().importFiles([{ file, name: 'dog.safetensors' }]);
  expect(now().concepts.map(({ imported, pictured }) => [imported, pictured])).toEqual([[true, false], [false, true]]);
  await now().openConcept(now().concepts[0]!.conceptId);
  await now().measure();
  expect(now().measureFault).toMatchObject({ code: 'too-few-pictures' });
});

it('is ready before the networks that it can draw without are in, and loads them when nothing else is asked for', async () => {
  const loaded: string[] = [];
  const ensureBase = async (_db: unknown, id: string) => {
    const files = await tinyStored(id, { objects: true, faces: true });
    return { ...files, weights: (folder: string) => { loaded.push(folder); return files.weights(folder); } };
  };
  const { now } = await open({ platform: { ensureBase } });
  expect(now().ready).toMatchObject({ objects: true, faces: true });
  await until(() => loaded, (all) => ['student', 'object_adapter', 'identity_encoder', 'identity_adapter'].every((folder) => all.indexOf(folder) > all.indexOf('transformer')));
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
  await now().draw();
  expect(now().twins.concept).toMatchObject({ state: 'full', balance: 0 });
  expect(pixelsOf(now().twins.concept?.bitmap)).toBe(pixelsOf(now().twins.base?.bitmap));
});

it('draws by the sampler that was asked for, and leaves skip-layer guidance out on a model without those layers', async () => {
  const { now } = await open();
  await giveDog({ now });
  const drawn = async (changes: Parameters<ReturnType<typeof now>['setParams']>[0]) => {
    now().setParams({ steps: 8, ...changes });
    await now().draw();
    expect(now().twins.base).toMatchObject({ state: 'full', sampler: changes.sampler, skipLayers: false });
    return pixelsOf(now().twins.base?.bitmap);
  };
  const euler = await drawn({ sampler: 'euler' });
  expect(await drawn({ sampler: 'dpmpp-2m' })).not.toBe(euler);
  expect(now().ready?.skips).toBe(false);
  expect(await drawn({ sampler: 'euler', skipLayers: true })).toBe(euler);
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

it('goes on after Stop, and with more steps after the last, as if the recipe had said so at once', async () => {
  const { now, until } = await open();
  const ended = (phase: string) => until(phase, ({ run, drawing, twins: { concept } }) => run?.phase === phase && !drawing && concept?.state === 'full' && concept.atStep === run.step);
  now().setParams({ steps: 8 });
  await giveDog({ now }, { stage1Steps: 60, stage2Steps: 30 });
  await now().learn();
  await ended('finished');
  const straight = pixelsOf(now().twins.concept?.bitmap);
  await now().keep();
  now().newConcept();
  await until('nothing in hand', ({ run, runBusy }) => run === null && !runBusy);

  now().setParams({ steps: 8 });
  await giveDog({ now }, { stage1Steps: 60, stage2Steps: 20 });
  await now().learn();
  await now().stop();
  expect(now().run).toMatchObject({ phase: 'stopped' });
  expect(now().run!.step).toBeLessThan(80);
  await now().goOn();
  await ended('finished');
  expect(now().run!.step).toBe(80);
  await now().keep();
  const { conceptId } = now().kept!;
  await now().goOn(10);
  expect(now().run!.recipe).toMatchObject({ stage2Steps: 30 });
  await ended('finished');
  expect(now().run!.step).toBe(90);
  expect(now().metrics.map(({ step }) => step)).toEqual(Array.from({ length: 90 }, (_, n) => n + 1));
  expect(pixelsOf(now().twins.concept?.bitmap)).toBe(straight);
  // what was kept before it went on is kept again, not twice
  await now().keep();
  expect(now().kept!.conceptId).toBe(conceptId);
  expect(now().concepts).toHaveLength(2);
});

it('opens a concept while another is read or learned, and offers the run afterwards', async () => {
  const { now, until } = await open();
  await giveDog({ now }, { stage1Steps: 3, stage2Steps: 0 });
  await now().learn();
  await until('learned', ({ run }) => run?.phase === 'finished');
  await now().keep();
  const { conceptId } = now().kept!;
  now().newConcept();
  await until('nothing in hand', ({ run, runBusy }) => run === null && !runBusy);
  expect(now().unfinished).toBeNull();

  await giveDog({ now }, { stage1Steps: 2000 });
  const learning = now().learn();
  await now().openConcept(conceptId);
  await learning;
  // long enough for a run that begins behind the concept's back to say so
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  expect(now()).toMatchObject({ run: null, opened: { conceptId } });
  await now().draw();
  expect(now().twins.concept).toMatchObject({ state: 'full', atStep: null });

  await until('offered', ({ unfinished, runBusy }) => unfinished !== null && !runBusy);
  await now().continueRun();
  expect(now()).toMatchObject({ opened: null, unfinished: null });
  await until('steps', ({ run }) => run!.step >= 5);
  await now().openConcept(conceptId);
  expect(now().notices.at(-1)?.text).toMatch(/“My dog” waits at step \d+, to be continued/);
  expect(now().unfinished?.run.step).toBeGreaterThanOrEqual(5);
});

it('drops what was measured of a concept that has been put away', async () => {
  const { now, until, asked } = await open();
  await giveDog({ now }, { stage1Steps: 3, stage2Steps: 0 });
  await now().learn();
  await until('learned', ({ run, drawing }) => run?.phase === 'finished' && !drawing);
  await now().keep();
  const measuring = now().measure();
  await until('measuring', (state) => (state.measuring?.done ?? 0) > 0);
  await now().openConcept(now().kept!.conceptId);
  await measuring;
  expect(now()).toMatchObject({ measures: null, measuring: null, measureFault: null });
  expect(asked.some(({ name }) => name === 'measure')).toBe(true);
});

it('has pictures, captions, crop, class word and recipe again after a reload', async () => {
  const first = await open();
  await giveDog(first, { rank: 3 });
  const [card] = first.now().cards;
  first.now().setCaption(card!.pictureId, 'complete', 'a [V] dog on a beach');
  first.now().setCrop(card!.pictureId, { x: 10, y: 12, size: 64 });
  first.now().setConceptName('Rex');
  await until(() => first.asked.findLast(({ name }) => name === 'keepDataSet')?.params as ParamsOf<'keepDataSet'> | undefined, (kept) => kept?.dataSet?.name === 'Rex');
  await first.close();
  tabs = [];
  const second = await open();
  await second.until('cards', ({ cards, dataSetRead }) => dataSetRead && cards.length === 2);
  const now = second.now();
  expect(now.cards[0]).toMatchObject({ state: 'ready', crop: { x: 10, y: 12, size: 64 }, captions: { complete: 'a [V] dog on a beach', base: 'a dog on a beach' } });
  expect(now).toMatchObject({ conceptName: 'Rex', recipe: { classWord: 'dog', rank: 3 }, prompt: 'a [V] dog in the snow' });
  await now.learn();
  await second.until('learning', ({ run }) => run!.step > 0);
  await until(() => second.asked.findLast(({ name }) => name === 'keepDataSet'), (kept) => (kept?.params as ParamsOf<'keepDataSet'> | undefined)?.dataSet === null);
});

it('has strip, figures, twins and measures of a run again after a reload', async () => {
  const first = await open();
  await giveDog(first, { stage1Steps: 30, stage2Steps: 2000, previewEvery: 20 });
  await first.now().learn();
  await first.until('two previews', ({ strip }) => strip.length >= 2);
  await first.now().pause();
  await first.until('paused', ({ run }) => run?.phase === 'paused');
  await first.now().measure();
  const { strip, changed, metrics, measures, run } = first.now();
  const shown = strip.map((entry) => [entry.step, pixelsOf(entry.concept?.bitmap), pixelsOf(entry.customBase?.bitmap)]);
  await first.close();
  tabs = [];

  const second = await open();
  await second.until('offered', ({ unfinished }) => unfinished !== null);
  await second.now().continueRun();
  const now = second.now();
  expect(now.strip.map((entry) => [entry.step, pixelsOf(entry.concept?.bitmap), pixelsOf(entry.customBase?.bitmap)])).toEqual(shown);
  expect(now.original).toMatchObject({ state: 'full', balance: 0 });
  expect(now).toMatchObject({ changed, measures, prompt: 'a [V] dog in the snow' });
  expect(now.metrics.slice(0, metrics.length)).toEqual(metrics);
  expect(now.run!.step).toBeGreaterThanOrEqual(run!.step);
  await second.until('a draft', ({ twins }) => twins.concept?.state === 'draft');
});

it('gives the bitmaps of a run back that is discarded or put away', async () => {
  const { now, until, bitmaps } = await open();
  await giveDog({ now }, { stage1Steps: 30, stage2Steps: 2000, previewEvery: 20 });
  await now().learn();
  await until('a preview', ({ strip }) => strip.length >= 1);
  await now().stop();
  await until('drawn', ({ drawing, twins }) => !drawing && twins.concept?.state === 'full');
  now().newConcept();
  await until('offered', ({ unfinished }) => unfinished !== null);
  const { pictures, strip } = now().unfinished!;
  expect(bitmaps.open.size).toBe(pictures.length + strip.length);
  await now().discardRun();
  expect(bitmaps.open.size).toBe(0);
});

it('shows another tab’s run, takes it over, and takes it back', async () => {
  const locks = tabLocks();
  const first = await open({ locks });
  await giveDog(first, { stage1Steps: 30, stage2Steps: 2000, previewEvery: 20 });
  await first.now().learn();
  await first.until('a preview', ({ strip }) => strip.length >= 1);
  await first.now().pause();
  await first.until('paused', ({ run }) => run?.phase === 'paused');

  const second = await open({ locks });
  await second.until('looked', ({ elsewhere }) => elsewhere !== null);
  expect(second.now()).toMatchObject({ run: { runId: first.now().run!.runId, step: first.now().run!.step, phase: 'paused' }, unfinished: null });
  expect(second.now().cards).toHaveLength(2);
  expect(second.now().strip).toHaveLength(first.now().strip.length);
  expect(second.now().metrics.length).toBe(first.now().metrics.length);

  for (const [taking, losing] of [[second, first], [first, second]] as const) {
    await taking.now().takeBack();
    expect(taking.now()).toMatchObject({ elsewhere: null, runFault: null });
    expect(taking.now().cards).toHaveLength(2);
    await losing.until('lost', ({ elsewhere }) => elsewhere !== null);
    expect(losing.now().run?.phase).toBe('paused');
    const step = taking.now().run!.step;
    await taking.until('goes on', ({ run }) => run!.step > step && run!.phase === 'learning');
    // its pictures are still the worker's
    await taking.now().checkFit(taking.now().cards[0]!.pictureId);
    expect(taking.now().cards[0]).toMatchObject({ fitState: 'done', fault: null });
    await taking.now().pause();
    await taking.until('paused', ({ run }) => run?.phase === 'paused');
  }
});
