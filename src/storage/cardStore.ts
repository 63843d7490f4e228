/** Concept cards on the device: tokens of somebody's pictures, with the pictures. They are small, so lists read them whole. */
import { Fault } from '../protocol/faults';
import { cleanName } from './conceptStore';
import type { CardRecord, Database } from './db';
import { withRoom } from './quota';

const missing = (cardId: string) => new Fault('concept-missing', 'This card is no longer on this device.', 'Drop its picture or its file again.', { subject: cardId });

/** Newest first. */
export async function listCards(db: Database): Promise<CardRecord[]> {
  return (await db.getAll('cards')).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

/** Faults: `concept-missing`. */
export async function getCard(db: Database, cardId: string): Promise<CardRecord> {
  const card = await db.get('cards', cardId);
  if (!card) throw missing(cardId);
  return card;
}

/** Stores a new card or replaces one. Faults: `storage-full`; the Shelf is then as before. */
export async function putCard(db: Database, card: CardRecord): Promise<CardRecord> {
  const record = { ...card, name: cleanName(card.name) };
  await withRoom(`the card “${record.name}”`, async () => {
    const transaction = db.transaction('cards', 'readwrite', { durability: 'strict' });
    await Promise.all([transaction.store.put(record), transaction.done]);
  });
  return record;
}

/** In one transaction, so that two tabs can't undo each other. Faults: `concept-missing`, `storage-full`. */
export async function renameCard(db: Database, cardId: string, name: string): Promise<CardRecord> {
  return withRoom('this card', async () => {
    const transaction = db.transaction('cards', 'readwrite');
    const card = await transaction.store.get(cardId);
    if (!card) throw missing(cardId);
    const changed = { ...card, name: cleanName(name) };
    await Promise.all([transaction.store.put(changed), transaction.done]);
    return changed;
  });
}

/** Deleting what is gone already is no error. */
export async function deleteCard(db: Database, cardId: string): Promise<void> {
  await db.delete('cards', cardId);
}
