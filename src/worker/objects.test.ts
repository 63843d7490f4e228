/** One picture over the real session and draft worker, on a tiny base with an object encoder of random weights. */
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { readCard, writeCard } from '../formats/cardFile';
import { likenessRange, plainSeeing } from '../protocol/objects';
import { maskShare } from '../protocol/objectMasks';
import { getCard, putCard } from '../storage/cardStore';
import { openDatabase } from '../storage/db';
import { pixelsOf } from '../testing/session/raster';
import { openTab, sampleFile, type Tab, type TabOptions } from '../testing/session/tab';
import { tinyStored } from '../testing/session/tinyFiles';
import { Objects } from './objects';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const withEncoder: TabOptions = { platform: { ensureBase: (_db, id) => tinyStored(id, { objects: true }) } };
let tabs: Tab[] = [];
const open = async (options: TabOptions = withEncoder) => {
  const tab = await openTab(options);
  tabs.push(tab);
  return tab;
};
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(async () => {
  for (const tab of tabs) await tab.close();
  tabs = [];
});

const drawn = (tab: Tab, what = 'drawn from the picture') => tab.until(what, ({ object, drawing, objectWork, twins: { concept, base } }) => object !== null && objectWork === null && !drawing && concept?.state === 'full' && base?.state === 'full');
/** What is in hand drawn as at the beginning: opening something begins with the defaults. */
async function again(tab: Tab): Promise<string> {
  await drawn(tab);
  tab.now().setParams({ steps: 8 }, false);
  await tab.now().draw();
  return pixelsOf(tab.now().twins.concept!.bitmap);
}
/** One picture dropped, and what follows by itself. */
async function dropped(tab: Tab, ...names: string[]): Promise<void> {
  tab.now().setParams({ steps: 8 }, false);
  for (const name of names.length > 0 ? names : ['one-eyed-monster/1.png']) await tab.now().addFiles([await sampleFile(name)]);
  await drawn(tab);
}

it('draws one dropped picture by itself: mask, tokens, word, prompt, both twins, other places', async () => {
  const tab = await open();
  await dropped(tab);
  const { masks, cards, object, guessed, recipe, prompt, balance, twins } = tab.now();
  const { mask, found, fault } = masks[cards[0]!.pictureId]!;
  expect([found, fault]).toEqual([true, null]);
  expect(maskShare(mask)).toBeGreaterThan(0.1);
  expect(object).toMatchObject({ references: 1, tokens: 3, sizeBytes: 3 * 8 * 2, cardId: null });
  expect(guessed).not.toBeNull();
  expect(recipe).toMatchObject({ classWord: guessed });
  expect(prompt).toBe(`a [V] ${guessed} in the snow`);
  expect(balance).toBe(likenessRange.start.object);
  expect(pixelsOf(twins.concept!.bitmap)).not.toBe(pixelsOf(twins.base!.bitmap));
  await tab.until('judged', ({ objectFigures }) => objectFigures?.revision === twins.concept!.revision);
  expect(tab.now().objectFigures!.likeness).toBeLessThanOrEqual(1);
  expect(tab.now().objectFigures!.copied).toBeGreaterThanOrEqual(0);
  await tab.until('other places', ({ places }) => places.length === 4);
  expect(new Set(tab.now().places.map((place) => pixelsOf(place.bitmap))).size).toBe(4);
});

it('prepares its guesses once the base is there, before anything is dropped', async () => {
  const prepare = vi.spyOn(Objects.prototype, 'prepare');
  onTestFinished(() => prepare.mockRestore());
  await open();
  expect(prepare).toHaveBeenCalledOnce();
  await prepare.mock.results[0]!.value;
});

it('is the base itself at strength 0, bit for bit, in drafts as in pictures; strength moves without a model call', async () => {
  const tab = await open();
  await dropped(tab);
  await tab.until('other places', ({ places }) => places.length === 4);
  const calls = () => tab.asked.filter(({ name }) => ['probe', 'encodeObject'].includes(name)).length;
  const before = calls();
  const draft = async (strength: number) => {
    tab.now().setBalance(strength);
    await tab.until('a draft', ({ twins: { concept } }) => concept?.state === 'draft' && concept.balance === strength);
    return pixelsOf(tab.now().twins.concept!.bitmap);
  };
  const [none, some, much] = [await draft(0), await draft(0.5), await draft(1.4)];
  expect(new Set([none, some, much]).size).toBe(3);
  expect(calls()).toBe(before);
  tab.now().setBalance(0);
  await tab.now().draw();
  expect(tab.now().twins.concept).toMatchObject({ state: 'full', balance: 0 });
  expect(pixelsOf(tab.now().twins.concept!.bitmap)).toBe(pixelsOf(tab.now().twins.base!.bitmap));
});

it('encodes again what was brushed, and neither what is unusable nor what is the same', async () => {
  const tab = await open();
  await dropped(tab);
  const { pictureId } = tab.now().cards[0]!;
  const encodings = () => tab.asked.filter(({ name }) => name === 'encodeObject').length;
  const first = pixelsOf(tab.now().twins.concept!.bitmap);
  expect(encodings()).toBe(1);
  tab.now().brushMask(pictureId, { u: 0.1, w: 0.9 }, { u: 0.9, w: 0.9 }, false);
  await tab.until('encoded anew', ({ object }) => object?.revision === 2);
  await drawn(tab);
  expect(pixelsOf(tab.now().twins.concept!.bitmap)).not.toBe(first);
  tab.now().invertMask(pictureId);
  tab.now().invertMask(pictureId);
  await tab.now().refreshObject();
  expect(encodings()).toBe(2);
  tab.now().findMaskAgain(pictureId);
  await tab.until('the mask as it was found', ({ object }) => object?.revision === 3);
  await drawn(tab);
  expect(pixelsOf(tab.now().twins.concept!.bitmap)).toBe(first);
  for (let w = 0; w <= 1; w += 0.04) tab.now().brushMask(pictureId, { u: 0, w }, { u: 1, w }, true);
  expect(tab.now().masks[pictureId]!.fault).toMatchObject({ code: 'mask-empty', subject: pictureId });
  await tab.now().refreshObject();
  expect(encodings()).toBe(3);
  await expect(tab.request('encodeObject', { kind: 'object', seeing: plainSeeing, pictures: [{ pictureId, crop: tab.now().cards[0]!.crop!, mask: tab.now().masks[pictureId]!.mask }] })).rejects.toMatchObject({ code: 'mask-empty' });
});

it('shows no draft of the object before, once another is encoded', async () => {
  const tab = await open();
  await dropped(tab);
  await tab.until('other places', ({ places }) => places.length === 4);
  const at = (strength: number) => tab.pictures.filter(({ slot, state, balance }) => slot.kind === 'concept' && state.startsWith('draft') && balance === strength);
  tab.now().setBalance(0.5);
  await tab.until('a draft', ({ twins: { concept } }) => concept?.state === 'draft' && concept.balance === 0.5);
  const before = new Set(at(0.5).map(({ bitmap }) => pixelsOf(bitmap)));
  tab.now().setBalance(0.8);
  tab.now().brushMask(tab.now().cards[0]!.pictureId, { u: 0.1, w: 0.9 }, { u: 0.9, w: 0.9 }, false);
  await tab.until('encoded anew', ({ object }) => object?.revision === 2);
  // the slider moves on before the new object was ever drawn
  tab.now().setBalance(0.5);
  const { twins: { concept } } = await tab.until('a picture at ½', ({ twins }) => twins.concept?.balance === 0.5);
  expect(before).not.toContain(pixelsOf(concept!.bitmap));
  await drawn(tab);
  tab.now().setBalance(0.3);
  await tab.until('a draft of the new object', ({ twins }) => twins.concept?.state === 'draft' && twins.concept.balance === 0.3 && twins.concept.object === 2);
});

it.each(['finding', 'encoding'] as const)('goes on where the worker dies while it is %s, and leaves no fault', async (work) => {
  const tab = await open();
  const { now } = tab;
  now().setParams({ steps: 8 }, false);
  void now().addFiles([await sampleFile('one-eyed-monster/1.png')]);
  for (const times of work === 'encoding' ? [1, 2] : [1]) {
    await tab.until(`${work}, the ${times}. time`, ({ objectWork, restarting }) => objectWork === work && restarting === null);
    tab.crash();
    expect(now().restarting).not.toBeNull();
    await tab.until('a new worker', ({ restarting }) => restarting === null);
  }
  await drawn(tab);
  expect(now()).toMatchObject({ object: { references: 1 }, objectFault: null, inputFault: null, deviceFault: null });
});

it('keeps what was put together before a card, and what was made of the card with more pictures', async () => {
  const before = await open();
  await dropped(before);
  await before.now().keepObject();
  const { cardId } = before.now().card!;
  before.now().startOver();
  await before.until('put away', ({ object, cards }) => object === null && cards.length === 0);
  await dropped(before, 'guide-dog/1.png');
  const mine = before.now().cards[0]!.pictureId;
  await new Promise((resolve) => setTimeout(resolve, 800));
  await before.now().openCard(cardId);
  await drawn(before);
  await before.now().addFiles([await sampleFile('one-eyed-monster/2.png')]);
  await before.until('two pictures', ({ object }) => object?.references === 2);
  const both = before.now().cards.map(({ pictureId }) => pictureId);
  await new Promise((resolve) => setTimeout(resolve, 800));
  await before.close();
  tabs = [];

  const tab = await open();
  await tab.until('the card with one more', ({ cards }) => cards.length === 2 && cards.every(({ state }) => state === 'ready'));
  expect(tab.now().cards.map(({ pictureId }) => pictureId)).toEqual(both);
  tab.now().newConcept();
  await tab.until('what was before the card', ({ cards, dataSetRead }) => dataSetRead && cards.length === 1);
  expect(tab.now().cards[0]!.pictureId).toBe(mine);
  // what was put away can be had again, beside what is here
  await tab.until('an offer', ({ notices }) => notices.some(({ offer }) => offer?.label === 'Add them here'));
  tab.now().notices.find(({ offer }) => offer?.label === 'Add them here')!.offer!.accept();
  await tab.until('all three', ({ cards }) => cards.length === 3 && cards.every(({ state }) => state === 'ready'));
  tab.now().undo();
  expect(tab.now().cards.map(({ pictureId }) => pictureId)).toEqual([mine]);
  await new Promise((resolve) => setTimeout(resolve, 800));
  await tab.close();
  tabs = [];
  const after = await open();
  await after.until('the same again', ({ cards }) => cards.length === 1 && cards[0]!.pictureId === mine);
});

it('takes several pictures of one thing together, and lets go of them for learning', async () => {
  const tab = await open();
  await dropped(tab, 'one-eyed-monster/1.png', 'one-eyed-monster/2.png');
  await tab.until('two pictures', ({ object }) => object?.references === 2);
  await drawn(tab);
  expect(tab.now().object).toMatchObject({ tokens: 6, sizeBytes: 6 * 8 * 2 });
  for (const [key, value] of Object.entries({ stage1Steps: 3, stage2Steps: 0, batchSize: 1, rank: 2 })) tab.now().setField(key as never, value);
  await tab.now().learn();
  expect(tab.now()).toMatchObject({ object: null, places: [], run: { phase: expect.any(String) } });
  await tab.until('learned', ({ run }) => run?.phase === 'finished');
});

it('keeps a card, opens it to the same picture, and gives it away without the picture', async () => {
  const tab = await open();
  await dropped(tab);
  const { now } = tab;
  const first = pixelsOf(now().twins.concept!.bitmap);
  const { guessed } = now();
  await now().keepObject();
  expect(now().objectCards).toHaveLength(1);
  const [kept] = now().objectCards;
  expect(now().object!.cardId).toBe(kept!.cardId);
  await now().keepObject();
  expect(now().objectCards).toHaveLength(1);
  const made = (await now().exportCard(kept!.cardId))!;
  expect(made.file.size).toBeLessThan(1500);
  expect(readCard(new Uint8Array(await made.file.arrayBuffer()), made.fileName)).toMatchObject({ classWord: guessed, references: 1, encoder: 'tiny', tokens: { count: 3, width: 8 } });

  now().startOver();
  await tab.until('nothing in hand', ({ object, cards }) => object === null && cards.length === 0);
  await now().openCard(kept!.cardId);
  expect(await again(tab)).toBe(first);
  expect(now().cards).toHaveLength(1);
  expect(now().card?.cardId).toBe(kept!.cardId);

  await now().deleteCard(kept!.cardId);
  expect(now().objectCards).toEqual([]);
  now().newConcept();
  now().startOver();
  await tab.until('nothing in hand', ({ object, cards }) => object === null && cards.length === 0);
  await now().importFiles([{ file: made.file, name: made.fileName }]);
  expect(now().objectCards).toMatchObject([{ imported: true, pictured: false, classWord: guessed }]);
  await now().openCard(now().objectCards[0]!.cardId);
  expect(await again(tab)).toBe(first);
  expect(now().cards).toEqual([]);
});

it('has the picture again after a reload, as it was brushed, and opens a card over it', async () => {
  const before = await open();
  await dropped(before);
  before.now().brushMask(before.now().cards[0]!.pictureId, { u: 0.1, w: 0.9 }, { u: 0.9, w: 0.9 }, false);
  await before.until('encoded anew', ({ object }) => object?.revision === 2);
  await drawn(before);
  await before.now().keepObject();
  const { mask: brushed } = before.now().masks[before.now().cards[0]!.pictureId]!;
  const first = pixelsOf(before.now().twins.concept!.bitmap);
  await new Promise((resolve) => setTimeout(resolve, 800));
  const tab = await open();
  const { now } = tab;
  expect(now().masks[now().cards[0]!.pictureId]).toMatchObject({ found: false, mask: brushed });
  await tab.until('the Shelf, while the picture is encoded', ({ objectCards, objectWork }) => objectCards.length === 1 && objectWork === 'encoding');
  await now().openCard(now().objectCards[0]!.cardId);
  expect(await again(tab)).toBe(first);
  expect(now().shelfFault).toBeNull();
  expect(now().object!.cardId).toBe(now().card!.cardId);
});

it('leaves what is open as it is where a card cannot be opened', async () => {
  const tab = await open();
  await dropped(tab);
  await tab.now().keepObject();
  const { cardId } = tab.now().card!;
  const db = await openDatabase();
  await putCard(db, { ...(await getCard(db, cardId)), encoder: 'another' });
  db.close();
  for (const [key, value] of Object.entries({ stage1Steps: 3, stage2Steps: 0, batchSize: 1, rank: 2 })) tab.now().setField(key as never, value);
  await tab.now().learn();
  await tab.until('learned', ({ run }) => run?.phase === 'finished');
  await expect(tab.request('openCard', { cardId })).rejects.toMatchObject({ code: 'base-mismatch' });
  await expect(tab.request('keep', { name: 'Mine' })).resolves.toMatchObject({ name: 'Mine' });
});

it('has nothing in hand where the picture was put away while it was encoded', async () => {
  const tab = await open();
  const { now } = tab;
  void now().addFiles([await sampleFile('one-eyed-monster/1.png')]);
  await tab.until('encoding', ({ objectWork }) => objectWork === 'encoding');
  now().startOver();
  await tab.until('the encoding is over', ({ objectWork, object }) => objectWork === null && object === null);
  // what was encoded nevertheless would be drawn as well
  await tab.request('draw', { prompt: 'a cat', negative: '', seed: 1, steps: 2, sampler: 'euler', skipLayers: false, guidance: 3, balance: 1, kind: 'instance', withBase: true });
  expect(tab.pictures.filter(({ prompt, state }) => prompt === 'a cat' && state === 'full').map(({ slot }) => slot.kind)).toEqual(['base']);
});

it('asks nothing of a base without an object encoder', async () => {
  const tab = await open({});
  await tab.now().addFiles([await sampleFile('one-eyed-monster/1.png')]);
  await tab.now().refreshObject();
  expect(tab.asked.filter(({ name }) => ['findMask', 'encodeObject'].includes(name))).toEqual([]);
  expect(tab.now()).toMatchObject({ object: null, ready: { objects: false } });
  const card = writeCard({ kind: 'object', name: 'An owl', classWord: 'owl', references: 1, tokens: { count: 3, width: 8, halves: new Uint16Array(24) }, base: 'embedded', encoder: 'tiny' });
  await tab.now().importFiles([{ file: new Blob([card as Uint8Array<ArrayBuffer>]), name: 'an-owl.card.safetensors' }]);
  expect(tab.now()).toMatchObject({ objectCards: [], shelfFault: { fault: { code: 'base-mismatch', message: expect.stringContaining('no object encoder') } } });
});
