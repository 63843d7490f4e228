import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it } from 'vitest';
import { cleanName, deleteConcept, getConcept, listConcepts, putConcept, renameConcept, updateConcept } from './conceptStore';
import { openDatabase, type ConceptRecord, type Database } from './db';
import { askPersistence, isQuotaError, storageReport, withRoom } from './quota';

let db: Database;
let count = 0;
beforeEach(async () => {
  db = await openDatabase(`concepts-${count++}`);
});

const concept = (conceptId: string, createdAt: string): ConceptRecord => ({
  conceptId, name: ` guide\n dog  ${conceptId}`, createdAt, base: 'embedded', imported: false, recipe: { rank: 4 }, measures: null, lambda: 1.2, preview: new Blob(['12345']),
  tensors: { rows: { shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) } }, captions: ['a [V] dog on grass'],
});

describe('the Shelf', () => {
  it('lists newest first with sizes and without tensors, and gives one back whole', async () => {
    await putConcept(db, concept('a', '2026-01-01'));
    expect(await putConcept(db, concept('b', '2026-01-02'))).toMatchObject({ name: 'guide dog b', sizeBytes: 29 });
    const list = await listConcepts(db);
    expect(list.map(({ conceptId }) => conceptId)).toEqual(['b', 'a']);
    expect(list[0]).not.toHaveProperty('tensors');
    expect((await getConcept(db, 'a')).tensors).toEqual(concept('a', '').tensors);
  });

  it('renames, changes and deletes one without touching others', async () => {
    await putConcept(db, concept('a', '2026-01-01'));
    await putConcept(db, concept('b', '2026-01-02'));
    expect((await renameConcept(db, 'a', '  my dog ')).name).toBe('my dog');
    await updateConcept(db, 'a', { measures: { likeness: 0.9 } });
    expect(await getConcept(db, 'a')).toMatchObject({ name: 'my dog', measures: { likeness: 0.9 }, tensors: concept('a', '').tensors });
    await deleteConcept(db, 'a');
    await deleteConcept(db, 'a');
    await expect(getConcept(db, 'a')).rejects.toMatchObject({ code: 'concept-missing', subject: 'a' });
    await expect(renameConcept(db, 'a', 'x')).rejects.toMatchObject({ code: 'concept-missing' });
    expect((await listConcepts(db)).map(({ name }) => name)).toEqual(['guide dog b']);
  });

  it('never has an empty name', () => {
    expect(cleanName(' \n ')).toBe('Unnamed concept');
    expect(cleanName('x'.repeat(200))).toHaveLength(80);
  });
});

describe('room', () => {
  it('reports what the browser says and what concepts and bases take', async () => {
    await putConcept(db, concept('a', '2026-01-01'));
    await db.put('manifests', { sha256: 'x', sizeBytes: 1000, chunks: [], tensors: null });
    const room = { estimate: async () => ({ usage: 5, quota: 10 }), persisted: async () => true };
    expect(await storageReport(db, room)).toEqual({ usageBytes: 5, quotaBytes: 10, persisted: true, baseBytes: 1000, conceptBytes: 29 });
    expect(await storageReport(db, {})).toMatchObject({ usageBytes: 0, quotaBytes: 0, persisted: false });
  });

  it('asks to be kept only where it is not yet, and where it can be asked', async () => {
    let asked = 0;
    const persist = async () => ++asked > 0;
    expect(await askPersistence({ persisted: async () => true, persist })).toBe(true);
    expect(asked).toBe(0);
    expect(await askPersistence({ persisted: async () => false, persist })).toBe(true);
    expect(asked).toBe(1);
    expect(await askPersistence({ persisted: async () => false })).toBe(false);
  });

  it('turns a full disk into words and leaves other errors alone', async () => {
    const full = () => Promise.reject(new DOMException('', 'QuotaExceededError'));
    await expect(withRoom('it', full, { estimate: async () => ({ usage: 1_500_000, quota: 2_000_000_000 }) })).rejects.toThrow('no room left for it. It allows 2,000 MB, of which 1.5 MB are in use.');
    await expect(withRoom('it', full, {})).rejects.toMatchObject({ code: 'storage-full' });
    await expect(withRoom('it', full, { estimate: () => Promise.reject(new Error('no')) })).rejects.toThrow('does not say');
    await expect(withRoom('it', () => Promise.reject(new Error('else')))).rejects.toThrow('else');
    expect(isQuotaError(new DOMException('', 'AbortError'))).toBe(false);
  });
});
