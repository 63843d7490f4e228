/** A face of one picture over the real session and draft worker, on a tiny base with an identity adapter and encoder of random weights. */
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readCard } from '../formats/cardFile';
import { newObjectSource } from '../protocol/mix';
import { blankMask } from '../protocol/objectMasks';
import { plainSeeing } from '../protocol/objects';
import { isOnePicture } from '../state/objects';
import { pixelsOf } from '../testing/session/raster';
import { openTab, sampleFile, type Tab, type TabOptions } from '../testing/session/tab';
import { tinyStored } from '../testing/session/tinyFiles';

vi.setConfig({ testTimeout: 240_000 });

const withFaces: TabOptions = { platform: { ensureBase: (_db, id) => tinyStored(id, { faces: true }) } };
let tab: Tab;
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(() => tab.close());

const drawn = () => tab.until('drawn from the face', ({ object, drawing, objectWork, twins: { concept, base } }) => object !== null && objectWork === null && !drawing && concept?.state === 'full' && base?.state === 'full');
const shown = () => pixelsOf(tab.now().twins.concept!.bitmap);
async function dropped(...names: string[]): Promise<void> {
  tab = await openTab(withFaces);
  tab.now().setKind('person');
  tab.now().setParams({ steps: 8 }, false);
  for (const name of names.length > 0 ? names : ['one-eyed-monster/1.png']) await tab.now().addFiles([await sampleFile(name)]);
  await drawn();
}
const firstId = () => tab.now().cards[0]!.pictureId;

it('finds the head, encodes it in one pass and draws it; at strength 0 it is the base, bit for bit', async () => {
  await dropped();
  const { now, until } = tab;
  expect(now().ready).toMatchObject({ objects: false, faces: true });
  expect(isOnePicture(now())).toBe(true);
  expect(now().object).toMatchObject({ kind: 'identity', references: 1, tokens: 3 });
  expect(now().balance).toBe(1);
  const { heads } = now().masks[firstId()]!;
  expect(heads).toMatchObject({ all: [heads!.chosen], fault: null });
  expect(shown()).not.toBe(pixelsOf(now().twins.base!.bitmap));
  expect(now().twins.concept).toMatchObject({ kind: 'person' });
  const { revision } = now().twins.concept!;
  await until('judged', ({ objectFigures }) => objectFigures?.revision === revision);
  await until('other places', ({ places }) => places.length === 4);
  const calls = () => tab.asked.filter(({ name }) => ['probe', 'encodeObject'].includes(name)).length;
  const before = calls();
  now().setBalance(0.5);
  await until('a draft', ({ twins: { concept } }) => concept?.state === 'draft' && concept.balance === 0.5);
  expect(calls()).toBe(before);
  now().setBalance(0);
  await now().draw();
  expect(shown()).toBe(pixelsOf(now().twins.base!.bitmap));
});

it('asks the base’s own head finder where there is one: its head is taken, and without one nobody is drawn before a head is chosen', async () => {
  tab = await openTab({ platform: { ensureBase: (_db, id) => tinyStored(id, { faces: true, heads: 'one' }) } });
  tab.now().setKind('person');
  tab.now().setParams({ steps: 8 }, false);
  await tab.now().addFiles([await sampleFile('one-eyed-monster/1.png')]);
  await drawn();
  const seen = tab.now().masks[firstId()]!.heads!;
  expect(seen).toMatchObject({ fault: null, all: [{ side: 0.75 }], chosen: { side: 0.75 } });
  expect(tab.now().masks[firstId()]!.mask.cells.some((cell) => cell === 1)).toBe(true); // looked for around the head
  const { revision } = tab.now().twins.concept!;
  await tab.until('judged', ({ objectFigures }) => objectFigures?.revision === revision);
  expect(tab.now().objectFigures!.likeness).not.toBeNull();
  await tab.close();

  globalThis.indexedDB = new IDBFactory();
  tab = await openTab({ platform: { ensureBase: (_db, id) => tinyStored(id, { faces: true, heads: 'none' }) } });
  tab.now().setKind('person');
  tab.now().setParams({ steps: 8 }, false);
  await tab.now().addFiles([await sampleFile('one-eyed-monster/1.png')]);
  await tab.until('looked for', ({ masks, objectWork }) => Object.keys(masks).length === 1 && objectWork === null);
  const { heads } = tab.now().masks[firstId()]!;
  expect(heads).toMatchObject({ chosen: null, fault: { code: 'face-unseen' } });
  expect(heads!.all).toHaveLength(1); // what stands out by its mask is offered
  expect(tab.now().object).toBeNull();
  tab.now().chooseHead(firstId(), heads!.all[0]!);
  await drawn();
  const { revision: second } = tab.now().twins.concept!;
  await tab.until('judged', ({ objectFigures }) => objectFigures?.revision === second);
  expect(tab.now().objectFigures!.likeness).toBeNull(); // no head in what was drawn either
});

it('I2: sees nothing before the start step, and has two ways between face and style', async () => {
  await dropped();
  const { now, until } = tab;
  const seen = async (change: Partial<typeof plainSeeing>) => {
    const { revision } = now().object!;
    now().setSeeing(change);
    await until('seen so', ({ object }) => object!.revision > revision);
    await now().draw();
    return shown();
  };
  const plain = shown();
  const [late, never] = [await seen({ startStep: 4 }), await seen({ startStep: 8 })];
  expect(late).not.toBe(plain);
  expect(never).toBe(pixelsOf(now().twins.base!.bitmap));
  const [faithful, style] = [await seen({ startStep: 0, look: 'faithful' }), await seen({ look: 'style' })];
  expect(new Set([plain, faithful, style]).size).toBe(3);
  expect(await seen(plainSeeing)).toBe(plain);
  expect(tab.asked.filter(({ name }) => name === 'encodeObject')).toHaveLength(1);
});

it('takes another frame, several pictures, and says why it can’t without a head', async () => {
  await dropped();
  const { now, until } = tab;
  const first = shown();
  now().chooseHead(firstId(), { left: 0.4, top: 0.4, side: 0.4 });
  await until('framed anew', ({ object }) => object?.revision === 2);
  await drawn();
  expect(shown()).not.toBe(first);
  await now().addFiles([await sampleFile('one-eyed-monster/2.png')]);
  await until('two pictures', ({ object }) => object?.references === 2);
  await drawn();
  expect(now().object).toMatchObject({ tokens: 6 });
  expect(isOnePicture(now())).toBe(true);
  const { pictureId, crop } = now().cards[0]!;
  await expect(tab.request('encodeObject', { kind: 'identity', seeing: plainSeeing, pictures: [{ pictureId, crop: crop!, mask: blankMask() }] })).rejects.toMatchObject({ code: 'face-unseen', subject: pictureId });
  await expect(tab.request('encodeObject', { kind: 'object', seeing: plainSeeing, pictures: [{ pictureId, crop: crop!, mask: now().masks[pictureId]!.mask }] })).rejects.toMatchObject({ code: 'base-mismatch' });
});

it('mixes two people by a share: none of the second is the first alone, bit for bit', async () => {
  await dropped();
  const { now, until } = tab;
  const first = shown();
  await now().addFiles([await sampleFile('one-eyed-monster/2.png')]);
  await until('two pictures', ({ object }) => object?.references === 2);
  await drawn();
  const beside = shown();
  const mixed = async (share: number | null) => {
    const { revision } = now().object!;
    now().setSeeing({ share });
    await until('mixed so', ({ object }) => object!.revision > revision);
    await now().draw();
    return shown();
  };
  expect(await mixed(0)).toBe(first);
  const [half, second] = [await mixed(0.5), await mixed(1)];
  expect(new Set([first, half, second, beside]).size).toBe(4);
  expect(await mixed(null)).toBe(beside);
  await mixed(0.5);
  // whoever is left is not mixed with anybody
  now().removeCard(firstId());
  await until('one picture', ({ object, objectWork }) => object?.references === 1 && objectWork === null);
  await drawn();
  expect(now().seeing.share).toBeNull();
  expect(shown()).toBe(second);
});

it('keeps a card, opens it to the same picture, gives it away, and lends it to a mix', async () => {
  await dropped();
  const { now, until } = tab;
  const first = shown();
  await now().keepObject();
  const [kept] = now().objectCards;
  expect(kept).toMatchObject({ kind: 'identity', references: 1 });
  const made = (await now().exportCard(kept!.cardId))!;
  expect(readCard(new Uint8Array(await made.file.arrayBuffer()), made.fileName)).toMatchObject({ kind: 'identity', tokens: { count: 3, width: 8 } });
  const { prompt } = now();
  now().startOver();
  await until('nothing in hand', ({ object, cards }) => object === null && cards.length === 0);
  await now().openCard(kept!.cardId);
  expect(now()).toMatchObject({ recipe: { kind: 'person' }, object: { kind: 'identity' } });
  await drawn();
  now().setParams({ steps: 8, prompt }, false);
  await now().draw();
  expect(shown()).toBe(first);
  now().setTab('mix');
  now().enterMix();
  now().setMix({ prompt: 'a dog in the snow', seed: 7, steps: 4 });
  const mixed = async () => {
    await now().drawMix();
    await until('a full picture of the mix', ({ mixPicture, mixDrawing }) => !mixDrawing && mixPicture?.state === 'full');
    return pixelsOf(now().mixPicture!.bitmap);
  };
  const without = await mixed();
  now().addGuidance(newObjectSource(kept!.cardId));
  expect(await mixed()).not.toBe(without);
});
