/** A card of the Shelf in a mix, over the real session on a tiny base with an object encoder of random weights. */
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { toHalf } from '../formats/float16';
import { newObjectSource } from '../protocol/mix';
import { putCard } from '../storage/cardStore';
import { openDatabase, type CardRecord } from '../storage/db';
import { noise } from '../testing/kernels/suite';
import { pixelsOf } from '../testing/session/raster';
import { openTab, type Tab } from '../testing/session/tab';
import { tinyStored } from '../testing/session/tinyFiles';

vi.setConfig({ testTimeout: 240_000 });

let tab: Tab | null = null;
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(() => tab?.close());

const card = (change: Partial<CardRecord> = {}): CardRecord => ({
  cardId: 'card', name: 'Monster', createdAt: '', base: 'embedded', encoder: 'tiny', imported: false, classWord: 'ghost', references: 1, preview: null, pictures: [],
  tokens: { count: 3, width: 8, halves: Uint16Array.from(noise(24, 1), toHalf) }, ...change,
});

async function mixing(objects = true): Promise<Tab> {
  tab = await openTab({ platform: { ensureBase: (_db, id) => tinyStored(id, { objects }) } });
  tab.now().setTab('mix');
  tab.now().enterMix();
  tab.now().setMix({ prompt: 'a dog in the snow', seed: 7, steps: 4 });
  return tab;
}
async function drawn({ now, until }: Tab): Promise<string> {
  await now().drawMix();
  await until('a full picture of the mix', ({ mixPicture, mixDrawing }) => !mixDrawing && mixPicture?.state === 'full');
  return pixelsOf(now().mixPicture!.bitmap);
}

it('is drawn with the words, live by its weight, and leaves the base’s picture where it is muted', async () => {
  const session = await mixing();
  await putCard(await openDatabase(), card());
  await session.now().refreshCards();
  const plain = await drawn(session);
  session.now().addGuidance(newObjectSource('card'));
  const { id } = session.now().mix.guidances.at(-1)!;
  const seen = await drawn(session);
  expect(seen).not.toBe(plain);
  session.now().setGuidance(id, { weight: 0.4 });
  expect(await drawn(session)).not.toBe(seen);
  session.now().setGuidance(id, { muted: true });
  expect(await drawn(session)).toBe(plain);
});

it('says what is missing: the card, its encoder, any encoder', async () => {
  const session = await mixing();
  const asked = () => session.request('drawMix', { mix: session.now().mix, merged: false });
  session.now().addGuidance(newObjectSource('card', { name: 'Monster', classWord: 'ghost' }));
  const { mix } = session.now();
  await expect(asked()).rejects.toMatchObject({ code: 'concept-missing', message: '“Monster” is not on the Shelf.' });
  const muted = { ...mix, guidances: mix.guidances.map((each) => ({ ...each, muted: each.source.kind === 'object' })) };
  await session.request('drawMix', { mix: muted, merged: false });
  await putCard(await openDatabase(), card({ encoder: 'another' }));
  await expect(asked()).rejects.toMatchObject({ code: 'base-mismatch', subject: 'card' });
  await putCard(await openDatabase(), card({ base: 'other' }));
  await expect(asked()).rejects.toMatchObject({ code: 'base-mismatch' });
  await session.close();
  const blind = await mixing(false);
  blind.now().addGuidance(newObjectSource('card'));
  await drawn(blind);
  await expect(blind.request('drawMix', { mix: blind.now().mix, merged: false })).rejects.toMatchObject({ code: 'base-mismatch' });
});
