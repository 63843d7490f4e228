import 'fake-indexeddb/auto';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listBase } from '../../scripts/baseManifest.mjs';
import type { BaseFiles } from '../models/weightSource';
import { folderFiles } from '../testing/files';
import { planChunks } from './chunks';
import { openDatabase, type Database } from './db';
import { openSafetensors } from '../formats/safetensors';
import { packHalfRuns } from '../formats/halfRuns';
import { writeSafetensors } from '../formats/safetensorsWriter';
import { ensureBase, LIST_NAME, type EnsureOptions, type LoadProgress, type StoredBase } from './weightStore';

/** Small chunks, so that small files have many: the transformer below has a tensor of 40 rows of 256 bytes, cut at rows. */
const LIMIT = 1024;
const ramp = (length: number) => Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(i)));
const weights = {
  'a.weight': { shape: [40, 64], data: ramp(2560) },
  'a.bias': { shape: [64], data: ramp(64) },
  'b.bias': { shape: [64], data: ramp(64) },
  'b.wide': { shape: [2, 500], data: ramp(1000) },
};
const goodFiles = (): Record<string, Uint8Array<ArrayBuffer>> => ({
  'transformer/config.json': new TextEncoder().encode('{"num_layers": 2}'),
  'tokenizer/merges.txt': new TextEncoder().encode('a b\nb c ä\n'.repeat(300)),
  'transformer/model.safetensors': writeSafetensors(weights, { format: 'pt' }),
});
const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const listOf = (files: Record<string, Uint8Array>) => ({ version: 1, files: Object.entries(files).map(([path, bytes]) => ({ path, sizeBytes: bytes.length, sha256: hash(bytes) })) });

/** A server: what it lists and what it sends may differ; `broken` answers instead of a file, once per entry in the list. */
function server(files = goodFiles()) {
  const state = { files, list: listOf(files) as unknown, online: true, asked: [] as string[], broken: {} as Record<string, (() => Response)[]> };
  const fetchImpl = (async (url: string, init?: RequestInit) => {
    init?.signal?.throwIfAborted();
    if (!state.online) throw new TypeError('Failed to fetch');
    const path = String(url).replace('base/', '');
    state.asked.push(path);
    const broken = state.broken[path]?.shift();
    if (broken) return broken();
    if (path === LIST_NAME) return Response.json(state.list);
    const bytes = state.files[path];
    return bytes ? new Response(bytes.slice()) : new Response('no', { status: 404 });
  }) as unknown as typeof fetch;
  return Object.assign(state, { fetch: fetchImpl });
}

let db: Database;
let count = 0;
beforeEach(async () => {
  db = await openDatabase(`weights-${count++}`);
});
afterEach(() => vi.unstubAllGlobals());
const ensure = (from: { fetch: typeof fetch }, options: EnsureOptions = {}) => ensureBase(db, 'embedded', 'base', { fetch: from.fetch, chunkBytes: LIMIT, ...options });
const model = 'transformer/model.safetensors';

async function expectGood(base: StoredBase): Promise<void> {
  const files: BaseFiles = base;
  expect(await files.json('transformer/config.json')).toEqual({ num_layers: 2 });
  expect(await files.text('tokenizer/merges.txt')).toBe('a b\nb c ä\n'.repeat(300));
  const source = await files.weights('transformer');
  expect(source.keys()).toEqual(Object.keys(weights));
  const all = await Promise.all(source.keys().map((key) => source.read(key)));
  Object.values(weights).forEach(({ data }, i) => expect(all[i]).toEqual(data));
  expect(await source.readRows('a.weight', 2, 9)).toEqual(weights['a.weight'].data.slice(128, 576));
}
async function flipByte(path: string, n: number): Promise<void> {
  const key: [string, number] = [hash(goodFiles()[path]!), n];
  const bytes = new Uint8Array((await db.get('chunks', key))!);
  bytes[3]! ^= 1;
  await db.put('chunks', bytes.buffer, key);
}

describe('cutting', () => {
  it('cuts between tensors, and inside a large one between rows, without gaps', () => {
    const { header } = openSafetensors(goodFiles()[model]!);
    const cuts = planChunks(header, goodFiles()[model]!.length, LIMIT);
    let at = 0;
    for (const { offset, sizeBytes } of cuts) {
      expect(offset).toBe(at);
      expect(sizeBytes).toBeGreaterThan(0);
      expect(sizeBytes).toBeLessThanOrEqual(LIMIT);
      at += sizeBytes;
    }
    expect(at).toBe(goodFiles()[model]!.length);
    const starts = cuts.map(({ offset }) => offset - header.dataBegin).filter((offset) => offset >= 0);
    // a.weight: ten chunks of four rows; then both biases together; then rows wider than a chunk, cut where they must be.
    expect(starts).toEqual([0, 1024, 2048, 3072, 4096, 5120, 6144, 7168, 8192, 9216, 10_240, 10_752, 11_776, 12_800, 13_824]);
  });
});

describe('cutting rows', () => {
  it('never divides a row that fits a chunk', () => {
    const file = writeSafetensors({ w: { shape: [10, 100], data: ramp(1000) } });
    const { header } = openSafetensors(file);
    const starts = planChunks(header, file.length, LIMIT).map(({ offset }) => offset - header.dataBegin).filter((offset) => offset >= 0);
    // Rows of 400 bytes: two fit 1,024.
    expect(starts).toEqual([0, 800, 1600, 2400, 3200]);
  });
});

describe('a first start', () => {
  it('stores every file and reads it back exactly, with progress from both sides', async () => {
    const progress: LoadProgress[] = [];
    const base = await ensure(server(), { onProgress: (p) => progress.push(p) });
    await expectGood(base);
    const total = Object.values(goodFiles()).reduce((sum, { length }) => sum + length, 0);
    expect(base.sizeBytes).toBe(total);
    for (const source of ['network', 'storage'] as const) {
      const mine = progress.filter((p) => p.source === source);
      expect(mine.at(-1)).toMatchObject({ doneBytes: total, totalBytes: total });
      expect(mine.every((p, i) => i === 0 || p.doneBytes >= mine[i - 1]!.doneBytes)).toBe(true);
    }
  });

  it('needs a network when nothing is stored', async () => {
    const from = Object.assign(server(), { online: false });
    await expect(ensure(from)).rejects.toMatchObject({ code: 'network' });
  });

  it('says so when the server sends a page instead of the list, or lacks a file', async () => {
    const from = server();
    from.broken[LIST_NAME] = [() => new Response('<!doctype html>')];
    await expect(ensure(from)).rejects.toMatchObject({ code: 'network', subject: LIST_NAME });
    delete from.files[model];
    await expect(ensure(from)).rejects.toThrow('404');
  });

  it('never holds more than a few chunks: what has come in is stored before more is asked for', async () => {
    const big = writeSafetensors({ w: { shape: [4096, 64], data: ramp(4096 * 64) } });
    const from = server({ [model]: big });
    const piece = 512;
    let worst = 0;
    from.broken[model] = [() => {
      let at = 0;
      const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
        const stored = (await db.count('chunks')) * LIMIT;
        worst = Math.max(worst, at - stored);
        if (at >= big.length) return controller.close();
        controller.enqueue(big.slice(at, (at += piece)));
      };
      return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
    }];
    await ensure(from);
    // One chunk being filled, one being written, one piece in hand.
    expect(worst).toBeLessThanOrEqual(2 * LIMIT + piece);
  });

  it('stops when asked to, and leaves nothing half', async () => {
    const controller = new AbortController();
    const onProgress = ({ file }: LoadProgress) => file === model && controller.abort(new DOMException('Stopped.', 'AbortError'));
    await expect(ensure(server(), { signal: controller.signal, onProgress })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await db.count('chunks', IDBKeyRange.bound([hash(goodFiles()[model]!), 0], [hash(goodFiles()[model]!), Infinity]))).toBe(0);
    await expectGood(await ensure(server()));
  });
});

describe('a later start', () => {
  it('needs no network', async () => {
    await ensure(server());
    await expectGood(await ensure(Object.assign(server(), { online: false })));
  });

  it('asks for the list only, when nothing has changed', async () => {
    await ensure(server());
    const from = server();
    await expectGood(await ensure(from));
    expect(from.asked).toEqual([LIST_NAME]);
  });

  it('fetches a changed file, and drops the old one', async () => {
    await ensure(server());
    const from = server({ ...goodFiles(), 'transformer/config.json': new TextEncoder().encode('{"num_layers": 3}') });
    const base = await ensure(from);
    expect(from.asked).toEqual([LIST_NAME, 'transformer/config.json']);
    expect(await base.json('transformer/config.json')).toEqual({ num_layers: 3 });
    expect(await db.get('manifests', hash(goodFiles()['transformer/config.json']!))).toBeUndefined();
  });

  it('keeps using what it has when an update fails', async () => {
    await ensure(server());
    const from = server();
    from.list = { version: 1, files: [{ path: model, sizeBytes: 10, sha256: '0'.repeat(64) }] };
    await expectGood(await ensure(from));
  });

  it('fetches a file without manifest again, which was never finished', async () => {
    await ensure(server());
    await db.delete('manifests', hash(goodFiles()[model]!));
    const from = server();
    await expectGood(await ensure(from));
    expect(from.asked).toEqual([LIST_NAME, model]);
  });

  it('fetches a file with a lost chunk again', async () => {
    await ensure(server());
    await db.delete('chunks', [hash(goodFiles()[model]!), 4]);
    await expect(ensure(Object.assign(server(), { online: false }))).rejects.toMatchObject({ code: 'network' });
    await expectGood(await ensure(server()));
  });
});

describe('damage', () => {
  it('notices a flipped byte when the chunk is read, and fetches the file again, once', async () => {
    await ensure(server());
    await flipByte(model, 5);
    const from = server();
    await expectGood(await ensure(from));
    expect(from.asked).toEqual([LIST_NAME, model]);
    const later = Object.assign(server(), { online: false });
    await expectGood(await ensure(later));
  });

  /** The database, with the number of chunks read so far, at this moment, and at most at once. */
  const counted = () => {
    const reads = { all: 0, now: 0, most: 0 };
    const proxy = new Proxy(db, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          const result = Reflect.apply(value as (...args: unknown[]) => Promise<unknown>, target, args);
          if (name !== 'get' || args[0] !== 'chunks') return result;
          reads.all += 1;
          reads.most = Math.max(reads.most, ++reads.now);
          return result.finally(() => (reads.now -= 1));
        };
      },
    });
    return { proxy, reads };
  };

  it('reads one chunk at a time, however many tensors are asked for at once', async () => {
    await ensure(server());
    const { proxy, reads } = counted();
    await expectGood(await ensureBase(proxy, 'embedded', 'base', { fetch: server().fetch }));
    expect(reads.most).toBe(1);
  });

  it('keeps the last few chunks and no more', async () => {
    await ensure(server());
    const { proxy, reads } = counted();
    const source = await (await ensureBase(proxy, 'embedded', 'base', { fetch: server().fetch })).weights('transformer');
    await source.read('a.bias');
    await source.read('b.bias');
    // Both biases lie in one chunk.
    expect(reads.all).toBe(1);
    await source.read('a.weight');
    await source.read('a.weight');
    // Ten chunks each time: by the end of the first reading its beginning is gone.
    expect(reads.all).toBe(21);
  });

  it('repairs once for concurrent readers, text files too', async () => {
    await ensure(server());
    await flipByte(model, 5);
    await flipByte(model, 7);
    await flipByte('tokenizer/merges.txt', 1);
    const from = server();
    const base = await ensure(from);
    await Promise.all([expectGood(base), expectGood(base), expectGood(base)]);
    expect(from.asked.filter((path) => path === model)).toHaveLength(1);
    expect(from.asked.filter((path) => path === 'tokenizer/merges.txt')).toHaveLength(1);
  });

  it('says so when it cannot repair without a network, and works again with one', async () => {
    await ensure(server());
    await flipByte(model, 5);
    const from = Object.assign(server(), { online: false });
    const base = await ensure(from);
    await expect((await base.weights('transformer')).read('a.weight')).rejects.toMatchObject({ code: 'network' });
    expect(await (await base.weights('transformer')).read('b.wide')).toEqual(weights['b.wide'].data);
    await expectGood(await ensure(server()));
  });

  it('does not overwrite good chunks with a bad answer during a repair', async () => {
    await ensure(server());
    await flipByte(model, 5);
    const from = server();
    const wrong = goodFiles()[model]!;
    wrong[wrong.length - 1]! ^= 1;
    from.broken[model] = [() => new Response(wrong), () => new Response(wrong)];
    const base = await ensure(from);
    await expect((await base.weights('transformer')).read('a.weight')).rejects.toMatchObject({ code: 'base-corrupt' });
    expect(await (await (await ensure(Object.assign(server(), { online: false }))).weights('transformer')).read('b.wide')).toEqual(weights['b.wide'].data);
  });
});

describe('a bad download', () => {
  const cut = () => new Response(goodFiles()[model]!.slice(0, 5000));
  const changed = (at: number) => () => {
    const bytes = goodFiles()[model]!;
    bytes[at]! ^= 1;
    return new Response(bytes);
  };
  const torn = () => new Response(new ReadableStream({ start: (c) => c.enqueue(goodFiles()[model]!.slice(0, 3000)), pull: (c) => c.error(new TypeError('network error')) }));
  const tail = () => new Response(new Blob([goodFiles()[model]!, 'x']));

  it.each([['truncated', cut], ['torn', torn], ['changed in its data', changed(9000)], ['changed in its header', changed(40)], ['too long', tail], ['a page', () => new Response('<!doctype html>'.repeat(2000))]])('%s is tried again', async (_, answer) => {
    const from = server();
    from.broken[model] = [answer];
    await expectGood(await ensure(from));
  });

  it.each([['truncated', cut, 'base-incomplete'], ['torn', torn, 'base-incomplete'], ['changed', changed(9000), 'base-corrupt'], ['changed in its header', changed(40), 'base-corrupt'], ['too long', tail, 'base-corrupt']] as const)('%s twice is a fault, leaves nothing behind and can be tried later', async (_, answer, code) => {
    const from = server();
    from.broken[model] = [answer, answer];
    await expect(ensure(from)).rejects.toMatchObject({ code, subject: model });
    expect(await db.get('manifests', hash(goodFiles()[model]!))).toBeUndefined();
    expect(await db.count('chunks', IDBKeyRange.bound([hash(goodFiles()[model]!), 0], [hash(goodFiles()[model]!), Infinity]))).toBe(0);
    await expectGood(await ensure(from));
  });
});

describe('a full disk', () => {
  it('is told with figures, removes what was half written, and leaves the store usable', async () => {
    vi.stubGlobal('navigator', { storage: { estimate: async () => ({ usage: 12_300_000, quota: 50_000_000 }) } });
    let writes = 0;
    const full = new Proxy(db, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (name === 'transaction' && args[0] === 'chunks' && ++writes > 9) throw new DOMException('Quota exceeded', 'QuotaExceededError');
          return Reflect.apply(value as (...args: unknown[]) => unknown, target, args);
        };
      },
    });
    const result = ensureBase(full, 'embedded', 'base', { fetch: server().fetch, chunkBytes: LIMIT });
    await expect(result).rejects.toMatchObject({ code: 'storage-full' });
    await expect(result).rejects.toThrow('It allows 50 MB, of which 12 MB are in use.');
    expect(writes).toBe(10);
    expect(await db.count('chunks', IDBKeyRange.bound([hash(goodFiles()[model]!), 0], [hash(goodFiles()[model]!), Infinity]))).toBe(0);
    await expectGood(await ensure(server()));
  });
});

describe('a file that is sent packed', () => {
  const halves = { 'a.weight': { shape: [32, 64], data: Uint16Array.from({ length: 2048 }, (_, i) => 0x3000 + 16 * (i % 16)) } };
  const plain = writeSafetensors(halves, { format: 'pt' });
  const packed = packHalfRuns(plain, model);
  /** The list names the file itself; the server has the packed one alone. */
  const packing = () => {
    const from = server({ 'a.txt': new TextEncoder().encode('a'), [`${model}.packed`]: packed });
    from.list = { version: 1, files: [{ path: 'a.txt', sizeBytes: 1, sha256: hash(new TextEncoder().encode('a')) }, { path: model, sizeBytes: plain.length, sha256: hash(plain), packed: { path: `${model}.packed`, sizeBytes: packed.length } }] };
    return from;
  };
  const expectPlain = async (base: StoredBase) => expect((await (await base.weights('transformer')).read('a.weight')).slice(0, 3)).toEqual(Float32Array.of(0.125, 0.125 + 2 ** -9, 0.125 + 2 ** -8));

  it('is stored as what it is, and its progress counts what is sent', async () => {
    const from = packing();
    const progress: LoadProgress[] = [];
    const base = await ensure(from, { onProgress: (p) => progress.push(p) });
    await expectPlain(base);
    expect(packed.length).toBeLessThan(0.6 * plain.length);
    expect(base.sizeBytes).toBe(1 + plain.length);
    expect(progress.filter(({ source }) => source === 'network').at(-1)).toMatchObject({ doneBytes: 1 + packed.length, totalBytes: 1 + packed.length });
    expect(from.asked).toEqual([LIST_NAME, 'a.txt', `${model}.packed`]);
  });

  it('is asked for once more when it breaks off or is another, and named then', async () => {
    const from = packing();
    from.broken[`${model}.packed`] = [() => new Response(packed.slice(0, 900))];
    await expectPlain(await ensure(from));
    const worse = packing();
    worse.broken[`${model}.packed`] = [() => new Response(plain.slice()), () => new Response(plain.slice())];
    db = await openDatabase(`weights-${count++}`);
    await expect(ensure(worse)).rejects.toMatchObject({ code: 'base-corrupt', subject: model });
    const altered = packed.slice();
    altered[altered.length - 1]! ^= 1;
    worse.broken[`${model}.packed`] = [() => new Response(altered), () => new Response(altered)];
    await expect(ensure(worse)).rejects.toMatchObject({ code: 'base-corrupt' });
    await expectPlain(await ensure(worse));
  });

  it('is repaired from what is sent, chunk by chunk', async () => {
    const from = packing();
    const base = await ensure(from);
    const key: [string, number] = [hash(plain), 2];
    const bytes = new Uint8Array((await db.get('chunks', key))!);
    bytes[3]! ^= 1;
    await db.put('chunks', bytes.buffer, key);
    await expectPlain(base);
    expect(from.asked.filter((path) => path.endsWith('.packed'))).toHaveLength(2);
  });
});

describe('the embedded base', () => {
  it('is listed as it is: run `node scripts/baseManifest.mjs` after a change in public/base', async () => {
    expect(JSON.parse(await readFile('public/base/files.json', 'utf8'))).toEqual(await listBase('public/base'));
  });

  it('comes out of the store as it is on disk, in chunks of at most 8 MiB', async () => {
    const fromDisk = (async (url: string) => new Response(new Uint8Array(await readFile(join('public', url))))) as unknown as typeof fetch;
    const base = await ensureBase(db, 'embedded', 'base/', { fetch: fromDisk });
    const [stored, disk] = [await base.weights('transformer'), await folderFiles('public/base').weights('transformer')];
    expect(stored.keys()).toEqual(disk.keys());
    for (const key of stored.keys()) expect(Buffer.compare(Buffer.from((await stored.read(key)).buffer), Buffer.from((await disk.read(key)).buffer)), key).toBe(0);
    for (const { chunks } of await db.getAll('manifests')) expect(Math.max(...chunks.map(({ sizeBytes }) => sizeBytes))).toBeLessThanOrEqual(8 * 1024 * 1024);
  });
});
