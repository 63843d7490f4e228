/**
 * The Shelf's concepts on the device. Lists leave the tensors out, since there may be hundreds of megabytes of them;
 * one is read whole only to be opened or exported.
 */
import { Fault } from '../protocol/faults';
import type { ConceptRecord, Database } from './db';
import { conceptSize, withRoom } from './quota';

/** A concept without its tensors and pictures, the bytes it takes, and what they are of. */
export type ConceptEntry = Omit<ConceptRecord, 'tensors' | 'pictures'> & { sizeBytes: number; pictured: boolean; lora: boolean; wordTokens: number | null };

const MAX_NAME = 80;

export function conceptEntry({ tensors, pictures = [], ...rest }: ConceptRecord): ConceptEntry {
  return { ...rest, sizeBytes: conceptSize({ tensors, preview: rest.preview, pictures }), pictured: pictures.length > 0, lora: Object.keys(tensors).some((name) => name.endsWith('.a')), wordTokens: tensors['word.clip_l']?.shape[0] ?? null };
}

const missing = (conceptId: string) => new Fault('concept-missing', 'This concept is no longer on this device.', 'Import its file, or learn it again.', { subject: conceptId });

/** A name as it is stored: trimmed, one line, never empty. */
export const cleanName = (name: string): string => name.replace(/\s+/g, ' ').trim().slice(0, MAX_NAME) || 'Unnamed concept';

/** Newest first. */
export async function listConcepts(db: Database): Promise<ConceptEntry[]> {
  const entries: ConceptEntry[] = [];
  for (let cursor = await db.transaction('concepts').store.openCursor(); cursor; cursor = await cursor.continue()) entries.push(conceptEntry(cursor.value));
  return entries.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

/** Faults: `concept-missing`. */
export async function getConcept(db: Database, conceptId: string): Promise<ConceptRecord> {
  const concept = await db.get('concepts', conceptId);
  if (!concept) throw missing(conceptId);
  return concept;
}

/** Stores a new concept or replaces one. Faults: `storage-full`; the Shelf is then as before. */
export async function putConcept(db: Database, concept: ConceptRecord): Promise<ConceptEntry> {
  const record = { ...concept, name: cleanName(concept.name) };
  await withRoom(`the concept “${record.name}”`, async () => {
    const transaction = db.transaction('concepts', 'readwrite', { durability: 'strict' });
    await Promise.all([transaction.store.put(record), transaction.done]);
  });
  return conceptEntry(record);
}

/** Changes some of a concept's fields in one transaction, so that two tabs cannot undo each other. Faults: `concept-missing`, `storage-full`. */
export async function updateConcept(db: Database, conceptId: string, change: Partial<Omit<ConceptRecord, 'conceptId'>>): Promise<ConceptEntry> {
  return withRoom('this concept', async () => {
    const transaction = db.transaction('concepts', 'readwrite');
    const concept = await transaction.store.get(conceptId);
    if (!concept) throw missing(conceptId);
    const changed: ConceptRecord = { ...concept, ...change };
    await Promise.all([transaction.store.put(changed), transaction.done]);
    return conceptEntry(changed);
  });
}

/** Faults: `concept-missing`, `storage-full`. */
export const renameConcept = (db: Database, conceptId: string, name: string): Promise<ConceptEntry> => updateConcept(db, conceptId, { name: cleanName(name) });

/** Deleting what is gone already is no error. */
export async function deleteConcept(db: Database, conceptId: string): Promise<void> {
  await db.delete('concepts', conceptId);
}
