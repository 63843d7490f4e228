/** The Models page as the store drives it: files are looked at, imported, stopped and gone on with, checked, deleted, and used. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { IDBFactory } from 'fake-indexeddb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { FOUND } from '../state/models';
import { normal } from '../pipeline/random';
import { keptBytes, keptId, type ModelFile } from '../protocol/models';
import { openDatabase } from '../storage/db';
import { embeddedCheckpoints } from '../testing/fakeCheckpoint/embedded';
import { writePng } from '../testing/png';
import { openTab, type Tab, type TabOptions } from '../testing/session/tab';

vi.setConfig({ testTimeout: 240_000 });

let dir: string;
let made: Awaited<ReturnType<typeof embeddedCheckpoints>>;
let tabs: Tab[] = [];
const open = async (options: TabOptions = {}): Promise<Tab> => {
  const tab = await openTab(options);
  tabs.push(tab);
  return tab;
};
const close = async () => {
  for (const tab of tabs) await tab.close();
  tabs = [];
};
const file = async (path: string, bytes?: Uint8Array<ArrayBuffer>): Promise<ModelFile> => ({ path: basename(path), file: new File([bytes ?? new Uint8Array(await readFile(path))], basename(path)) });

/** As grainy as a photograph. */
const noise = () => ({ file: new Blob([new Uint8Array(writePng({ width: 128, height: 128, pixels: normal([128 * 128 * 3], { seed: 1, purpose: 'test', step: 0 }) }))], { type: 'image/png' }), name: 'noise.png' });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lamina-models-'));
  made = await embeddedCheckpoints('public/base', dir);
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(() => { globalThis.indexedDB = new IDBFactory(); });
afterEach(close);

it('says before anything is read that there is no room, and how much is missing', async () => {
  const room = { quota: 20e6, usage: 5e6 };
  vi.stubGlobal('navigator', { storage: { estimate: async () => room } });
  try {
    const { now } = await open();
    await now().addModelFiles([await file(made.single)]);
    expect(now().survey).toMatchObject({ freeBytes: 15e6, lacking: [] });
    await now().importModel();
    expect(now().modelFault).toMatchObject({ modelId: null, during: 'importing', fault: { code: 'storage-full', message: expect.stringMatching(/^The model takes \d\d MB more, and the browser allows this page 15 MB more\.$/) } });
    expect(now().models.map(({ kind }) => kind)).toEqual(['embedded']);
    // the files are still in hand
    room.quota = 1e12;
    await now().importModel();
    expect(now().modelFault).toBeNull();
    expect(now().models.map(({ kind, installed }) => [kind, installed])).toEqual([['embedded', true], ['imported', true]]);
  } finally {
    vi.unstubAllGlobals();
  }
});

it('imports separate files together, and draws on the model after the page has begun anew', async () => {
  const memory = new Map<string, string>();
  const { now, reloads } = await open({ memory });
  await now().addFiles([noise()]);
  expect(now().cards[0]!.fit?.outside).toBe(true);
  const [transformer, autoencoder, ...others] = await Promise.all(made.separate.map((path) => file(path)));
  await now().addModelFiles([transformer!, autoencoder!]);
  expect(now()).toMatchObject({ shownModel: FOUND, survey: { lacking: ['Text encoder CLIP-L'], resumes: null }, modelFault: null });
  await now().importModel();
  expect(now().modelFault).toMatchObject({ modelId: null, during: 'importing', fault: { code: 'base-incomplete' } });
  await now().addModelFiles(others);
  const { survey } = now();
  expect(survey!.lacking).toEqual([]);
  expect(survey!.parts[0]).toMatchObject({ folder: 'transformer', state: 'found' });
  for (const precision of ['f16', 'int8', 'int4'] as const) expect(survey!.parts.reduce((sum, { storedAs }) => sum + storedAs[precision], 0)).toBe(survey!.storedBytes[precision]);
  now().setImportPrecision('int8');
  now().setPartPrecision('text_encoder', 'int4');
  now().setPartPrecision('transformer', 'f16');
  now().setPartPrecision('transformer', 'int8');
  const kept = { precision: 'int8', own: { text_encoder: 'int4' } } as const;
  expect(now()).toMatchObject({ importPrecision: kept.precision, importOwn: kept.own });
  await now().importModel();
  expect(now().modelFault).toBeNull();
  const [embedded, model] = now().models;
  expect(embedded).toMatchObject({ modelId: 'embedded', kind: 'embedded', installed: true });
  expect(model).toMatchObject({ kind: 'imported', installed: true, ...kept, share: 1, storedBytes: keptBytes(survey!.parts, kept) });
  expect(keptBytes(survey!.parts, kept)).toBeLessThan(survey!.storedBytes.int8);
  expect(model!.parts.map(({ folder, precision }) => [folder, precision])).toEqual(expect.arrayContaining([['transformer', 'int8'], ['text_encoder', 'int4']]));
  expect(model!.parts.every(({ state }) => state === 'stored')).toBe(true);
  expect(now()).toMatchObject({ survey: null, modelFiles: [], shownModel: model!.modelId });

  now().useModel(model!.modelId);
  expect(reloads()).toBe(1);
  await close();
  const anew = await open({ memory });
  expect(anew.now()).toMatchObject({ usedBase: { id: model!.modelId, name: model!.name }, ready: { base: model!.modelId, name: model!.name, imageSize: 128, sees: true } });
  anew.now().setParams({ steps: 2, prompt: 'a dog on a beach' });
  await anew.now().draw();
  await anew.until('a picture', ({ twins }) => twins.base?.state === 'full');
  expect(anew.now().twins.base?.bitmap.width).toBe(128);
  // only of the embedded base is it known what lies outside its world
  await anew.now().addFiles([noise()]);
  expect(anew.now().cards[0]!.fit?.outside).toBe(false);
  // what is in use stays
  await anew.now().deleteModel(model!.modelId);
  expect(anew.now().modelFault).toMatchObject({ modelId: model!.modelId, fault: { code: 'busy' } });
  anew.now().useModel('embedded');
  expect(memory.get('lamina.base')).toBe('embedded');
});

it('stops in the middle, says how far it is, and goes on in another visit', async () => {
  const first = await open();
  const whole = await file(made.single);
  await first.now().addModelFiles([whole]);
  const importing = first.now().importModel();
  await first.until('the tenth tensor', ({ importProgress }) => (importProgress?.done ?? 0) >= 10);
  expect(first.now().modelWork).toEqual({ kind: 'importing', modelId: null });
  await first.now().addModelFiles([whole]); // refused while it imports
  expect(first.now().notices.at(-1)!.text).toMatch(/being imported/);
  first.now().stopModelWork();
  await importing;
  const { survey, models, modelFault } = first.now();
  expect(modelFault).toBeNull();
  expect(survey!.resumes!.share).toBeGreaterThan(0);
  expect(survey!.resumes!.share).toBeLessThan(1);
  const unfinished = models.find(({ kind }) => kind === 'imported')!;
  expect(unfinished).toMatchObject({ installed: false, share: survey!.resumes!.share });
  expect(keptId(survey!.fingerprint, survey!.resumes!)).toBe(unfinished.modelId);
  await close();

  const second = await open();
  await second.now().refreshModels();
  expect(second.now().models[1]).toMatchObject({ installed: false, share: unfinished.share });
  await second.now().addModelFiles([whole]);
  expect(second.now().survey!.resumes).toEqual({ precision: 'f16', own: {}, share: unfinished.share });
  let firstRead: number | null = null;
  const going = second.now().importModel();
  await second.until('the first word of it', ({ importProgress }) => { firstRead ??= importProgress?.readBytes ?? null; return importProgress !== null; });
  await going;
  expect(firstRead!).toBeGreaterThan(0.9 * unfinished.share * whole.file.size);
  expect(second.now().models[1]).toMatchObject({ installed: true, share: 1 });
});

it('finds what is damaged, mends it with the same files, and deletes', async () => {
  const { now } = await open();
  const whole = await file(made.single);
  await now().addModelFiles([whole]);
  await now().importModel();
  const { modelId } = now().models[1]!;
  await now().checkModel(modelId);
  expect(now().modelChecked).toEqual({ modelId, damaged: [] });
  const db = await openDatabase();
  const [key] = (await db.getAllKeys('chunks')).filter(([name]) => name === `${modelId}/vae`);
  const bytes = new Uint8Array((await db.get('chunks', key!))!);
  bytes[3]! ^= 1;
  await db.put('chunks', bytes.buffer, key!);
  await now().checkModel(modelId);
  expect(now().modelChecked).toEqual({ modelId, damaged: [{ label: 'Autoencoder', tensors: 1 }] });
  expect(now().models[1]!.installed).toBe(false);
  await now().addModelFiles([whole]);
  await now().importModel();
  await now().checkModel(modelId);
  expect(now().modelChecked).toEqual({ modelId, damaged: [] });
  await now().deleteModel(modelId);
  expect(now().models.map(({ kind }) => kind)).toEqual(['embedded']);
  expect(await db.count('chunks')).toBe(0);
  db.close();
});

it('says of a wrong file what it is, and keeps the files that were right', async () => {
  const { now } = await open();
  await now().addModelFiles([await file(made.separate[0]!)]);
  await now().addModelFiles([await file('model.ckpt', new Uint8Array([0x80, 2, 0x7d, 0x71, 0, 0, 0, 0, 0, 0]))]);
  expect(now().modelFault).toMatchObject({ modelId: null, during: 'surveying', fault: { code: 'file-unrecognised' } });
  expect(now().modelFiles).toHaveLength(1);
  expect(now().survey).not.toBeNull();
  now().forgetModelFiles();
  expect(now()).toMatchObject({ survey: null, modelFault: null, shownModel: null });
});

it('draws at the size it was given, and refuses sizes it cannot draw', async () => {
  const memory = new Map<string, string>();
  const { now, request } = await open({ memory });
  await now().addModelFiles([await file(made.single)]);
  await now().importModel();
  const model = now().models.find(({ kind }) => kind === 'imported')!;
  expect(model).toMatchObject({ pictureSide: 128 });
  await expect(request('setPictureSide', { modelId: model.modelId, side: 100 })).rejects.toMatchObject({ code: 'base-mismatch' });
  await expect(request('setPictureSide', { modelId: model.modelId, side: 1024 })).rejects.toMatchObject({ code: 'base-mismatch', message: expect.stringContaining('up to 256') as string });
  await now().setPictureSide(model.modelId, 192);
  expect(now().models.find(({ modelId }) => modelId === model.modelId)).toMatchObject({ pictureSide: 192, storedBytes: model.storedBytes });
  // the same files once more leave it as it is
  await now().addModelFiles([await file(made.single)]);
  await request('importModel', { precision: model.precision!, own: model.own, name: model.name });
  await now().refreshModels();
  expect(now().models.find(({ modelId }) => modelId === model.modelId)).toMatchObject({ pictureSide: 192, installed: true });
  now().useModel(model.modelId);
  await close();
  const again = await open({ memory });
  expect(again.now().ready).toMatchObject({ base: model.modelId, imageSize: 192 });
  again.now().setParams({ steps: 2, prompt: 'a dog on a beach' });
  await again.now().draw();
  await again.until('a picture', ({ twins }) => twins.base?.state === 'full');
  expect(again.now().twins.base?.bitmap.width).toBe(192);
});

it('imports from an address by ranges, and sends the token to that server alone', async () => {
  const bytes = new Uint8Array(await readFile(made.single));
  const asked: { address: string; authorization: string | undefined }[] = [];
  const server = (async (address: string, init?: RequestInit) => {
    const headers = (init?.headers ?? {}) as Record<string, string>;
    asked.push({ address, authorization: headers.Authorization });
    if (headers.Authorization !== 'Bearer secret') return new Response('', { status: 401 });
    const [, begin, end] = /bytes=(\d+)-(\d+)/.exec(headers.Range!)!.map(Number);
    return new Response(bytes.slice(begin, end! + 1), { status: 206, headers: { 'Content-Range': `bytes ${begin}-${end}/${bytes.length}` } });
  }) as unknown as typeof fetch;
  const { now } = await open({ platform: { fetch: server } });
  const address = 'https://models.example/embedded.safetensors';
  await now().addModelAddress(address, '');
  expect(now().modelFault?.fault).toMatchObject({ code: 'network', remedy: expect.stringContaining('token') as string });
  await now().addModelAddress(address, 'secret');
  expect(now().survey?.lacking).toEqual([]);
  await now().importModel();
  expect(now().models.find(({ kind }) => kind === 'imported')).toMatchObject({ installed: true, address });
  expect(asked.every(({ address: to }) => to === address)).toBe(true);
  expect(asked.filter(({ authorization }) => authorization === undefined)).toHaveLength(1);
});

it('stops to wait for a server that is busy when it is told to', async () => {
  let asked = 0;
  const { now } = await open({ platform: { fetch: (async () => { asked++; return new Response('', { status: 429, headers: { 'Retry-After': '1' } }); }) as unknown as typeof fetch } });
  const reading = now().addModelAddress('https://models.example/embedded.safetensors', '');
  await vi.waitFor(() => expect(asked).toBe(1));
  expect(now().modelWork?.kind).toBe('surveying');
  now().stopModelWork();
  await reading;
  expect(now()).toMatchObject({ modelWork: null, modelFault: null, survey: null, modelAddresses: [] });
  await new Promise((later) => setTimeout(later, 1300));
  expect(asked).toBe(1);
});
