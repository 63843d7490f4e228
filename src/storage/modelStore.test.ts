/** Tensors on their way into the database: what shares a chunk, what is left when one cannot be read, and records of earlier versions. */
import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { beforeEach, expect, it } from 'vitest';
import { DB_VERSION, MODEL_CHUNK_BYTES, openDatabase, type Database, type LandedTensor } from './db';
import { completePart, landedOf, partWriter, putModel, openModel, type TensorToWrite } from './modelStore';

let db: Database;
let count = 0;
beforeEach(async () => { db = await openDatabase(`models-${count++}`); });

const FILE = 'm/transformer';
const values = (floats: number, seed: number) => Float32Array.from({ length: floats }, (_, i) => Math.fround(Math.sin(seed + i)));
/** A float32 tensor in pieces of so many bytes, all in the same memory. */
function tensor(index: number, data: Float32Array, pieceBytes: number, failAt = Infinity): TensorToWrite {
  const bytes = new Uint8Array(data.buffer);
  const memory = new Uint8Array(pieceBytes);
  return {
    index, name: `t${index}`, dtype: 'F32', shape: [data.length], sizeBytes: bytes.byteLength, sourceBytes: bytes.byteLength,
    pieces: (function* () {
      for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
        if (at >= failAt) throw new Error('unreadable');
        const piece = bytes.subarray(at, at + pieceBytes);
        memory.set(piece);
        yield memory.subarray(0, piece.byteLength);
      }
    })(),
  };
}
async function readAll(names: readonly string[]): Promise<Float32Array[]> {
  await putModel(db, { modelId: 'm', name: 'm', createdAt: '', installed: true, precision: 'f16', from: { names: [], address: null }, parts: [{ folder: 'transformer', sourceBytes: 0, storedBytes: 0, tensors: names.length }], texts: {} });
  const source = await (await openModel(db, 'm')).weights('transformer');
  return Promise.all(names.map((name) => source.read(name)));
}

it('small tensors share chunks, a large one has several, and all of them come back', async () => {
  const large = values(MODEL_CHUNK_BYTES / 2 + 1000, 5); // two chunks and 4000 bytes
  const all = [...Array.from({ length: 9 }, (_, i) => values(100 + i, i)), large, values(7, 3), values(MODEL_CHUNK_BYTES / 4, 9), values(1, 1)];
  const told: LandedTensor[] = [];
  const writer = partWriter(db, FILE, (written) => told.push(...written));
  for (const [index, data] of all.entries()) await writer.add(tensor(index, data, 300_001));
  await writer.end();
  expect(new Set(told.map(({ name }) => name))).toEqual(new Set(all.map((_, i) => `t${i}`)));
  expect(told).toHaveLength(all.length);
  expect(await landedOf(db, FILE)).toMatchObject({ names: new Set(all.map((_, i) => `t${i}`)), storedBytes: all.reduce((total, { byteLength }) => total + byteLength, 0) });
  const groups = await db.getAll('landed');
  expect(groups.length).toBeLessThan(all.length); // the first goes alone, those behind it gather
  for (const { tensors, chunks } of groups) {
    expect(chunks.length === 1 || tensors.length === 1).toBe(true);
    for (const { sizeBytes } of chunks) expect(sizeBytes).toBeLessThanOrEqual(MODEL_CHUNK_BYTES);
  }
  await completePart(db, FILE);
  expect(await db.count('landed')).toBe(0);
  const back = await readAll(all.map((_, i) => `t${i}`));
  for (const [i, data] of all.entries()) expect(Buffer.compare(Buffer.from(back[i]!.buffer), Buffer.from(data.buffer)), `t${i}`).toBe(0);
}, 30_000);

it.each([['a small one', 400, 800], ['a large one', MODEL_CHUNK_BYTES / 2, MODEL_CHUNK_BYTES + 5]])('%s that cannot be read to its end leaves those before it whole', async (_what, floats, failAt) => {
  const before = [values(64, 1), values(65, 2), values(66, 3)];
  const writer = partWriter(db, FILE, () => {});
  for (const [index, data] of before.entries()) await writer.add(tensor(index, data, 4096));
  await expect(writer.add(tensor(3, values(floats, 4), 400, failAt))).rejects.toThrow('unreadable');
  await writer.end();
  expect([...(await landedOf(db, FILE)).names]).toEqual(['t0', 't1', 't2']);
  const again = partWriter(db, FILE, () => {});
  await again.add(tensor(3, values(floats, 4), 4096));
  await again.end();
  await completePart(db, FILE);
  const back = await readAll(['t0', 't1', 't2', 't3']);
  for (const [i, data] of [...before, values(floats, 4)].entries()) expect(Buffer.compare(Buffer.from(back[i]!.buffer), Buffer.from(data.buffer)), `t${i}`).toBe(0);
}, 30_000);

it('a half import of an earlier version, whose tensors had a record each, goes on', async () => {
  const name = `models-older-${count}`;
  const older = await openDB(name, 4, {
    upgrade(made) {
      for (const [store, keyPath] of [['manifests', 'sha256'], ['models', 'modelId']] as const) made.createObjectStore(store, { keyPath });
      for (const store of ['chunks', 'landed', 'settings']) made.createObjectStore(store);
    },
  });
  const data = values(10, 1);
  await older.put('chunks', data.buffer, [FILE, 2 * 4096]);
  const sha256 = [...new Uint8Array(await crypto.subtle.digest('SHA-256', data))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  await older.put('landed', { name: 't2', dtype: 'F32', shape: [10], sourceBytes: 40, chunks: [{ n: 2 * 4096, sizeBytes: 40, sha256 }] }, [FILE, 2]);
  older.close();
  db = await openDatabase(name);
  expect(db.version).toBe(DB_VERSION);
  expect(await landedOf(db, FILE)).toEqual({ names: new Set(['t2']), storedBytes: 40, sourceBytes: 40 });
  await completePart(db, FILE);
  expect(await readAll(['t2'])).toEqual([data]);
});
