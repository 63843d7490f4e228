import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { beforeEach, describe, expect, it } from 'vitest';
import { deleteCard, getCard, listCards, putCard, renameCard } from './cardStore';
import { DB_VERSION, openDatabase, type CardRecord, type Database } from './db';
import { storageReport } from './quota';

let db: Database;
let count = 0;
beforeEach(async () => { db = await openDatabase(`cards-${count++}`); });

const card = (cardId: string, createdAt: string): CardRecord => ({
  cardId, name: ' my\n monster ', createdAt, base: 'embedded', encoder: 'e', imported: false, classWord: 'ghost', references: 1,
  tokens: { count: 2, width: 3, halves: Uint16Array.from([1, 2, 3, 4, 5, 6]) }, preview: new Blob(['12345']),
  pictures: [{ pictureId: 'p', name: 'monster.png', crop: { x: 0, y: 0, size: 8 }, mask: { side: 2, cells: Uint8Array.from([0, 1, 1, 0]) }, file: new Blob(['picture']) }],
});

describe('cards of the Shelf', () => {
  it('come back whole, newest first', async () => {
    await putCard(db, card('a', '2026-01-01'));
    expect((await putCard(db, card('b', '2026-01-02'))).name).toBe('my monster');
    expect((await listCards(db)).map(({ cardId }) => cardId)).toEqual(['b', 'a']);
    expect(await getCard(db, 'a')).toMatchObject({ tokens: card('a', '').tokens, pictures: [{ mask: { side: 2, cells: Uint8Array.from([0, 1, 1, 0]) } }] });
  });

  it('are renamed and deleted one by one', async () => {
    await putCard(db, card('a', '2026-01-01'));
    await putCard(db, card('b', '2026-01-02'));
    expect((await renameCard(db, 'a', ' its name ')).name).toBe('its name');
    expect((await getCard(db, 'a')).tokens.halves).toHaveLength(6);
    await deleteCard(db, 'a');
    await deleteCard(db, 'a');
    await expect(getCard(db, 'a')).rejects.toMatchObject({ code: 'concept-missing', subject: 'a' });
    await expect(renameCard(db, 'a', 'x')).rejects.toMatchObject({ code: 'concept-missing' });
    expect((await listCards(db)).map(({ name }) => name)).toEqual(['my monster']);
  });

  it('count in what the page takes: tokens, preview, pictures and masks', async () => {
    await putCard(db, card('a', '2026-01-01'));
    expect((await storageReport(db, {})).conceptBytes).toBe(12 + 5 + 7 + 4);
  });
});

it('finds a place in a database of the version before, which keeps what it has', async () => {
  const name = `older-${count++}`;
  const older = await openDB(name, 3, {
    upgrade(made) {
      for (const [store, keyPath] of [['manifests', 'sha256'], ['bases', 'id'], ['concepts', 'conceptId'], ['models', 'modelId']] as const) made.createObjectStore(store, { keyPath });
      for (const store of ['chunks', 'settings', 'landed']) made.createObjectStore(store);
    },
  });
  await older.put('concepts', { conceptId: 'kept', name: 'Guide dog' });
  older.close();
  const opened = await openDatabase(name);
  expect(opened.version).toBe(DB_VERSION);
  expect(await opened.get('concepts', 'kept')).toMatchObject({ name: 'Guide dog' });
  expect(await listCards(opened)).toEqual([]);
  await putCard(opened, card('a', '2026-01-01'));
  expect(await listCards(opened)).toHaveLength(1);
  opened.close();
});
