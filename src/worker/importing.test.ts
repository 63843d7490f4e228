/** Importing: the embedded base in three layouts, broken off and gone on with, wrong files; all the way to the picture. */
import 'fake-indexeddb/auto';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { blobBytes } from '../formats/checkpointFile';
import { writeSafetensors } from '../formats/safetensorsWriter';
import { purecc } from '../methods/purecc';
import type { BaseFiles } from '../models/weightSource';
import { disposeBase, flowing, loadBase } from '../pipeline/base';
import { encodePrompts } from '../pipeline/prompts';
import { guidedField, untouched } from '../pipeline/sampling/velocityFields';
import { sampleAll } from '../pipeline/sampling/sample';
import { buildDataset, disposeDataset } from '../pipeline/training/dataset';
import { createTrainer } from '../pipeline/training/train';
import { Fault } from '../protocol/faults';
import type { ImportProgress, KeptPrecision } from '../protocol/models';
import { defaultRecipe } from '../protocol/recipe';
import { sha256 } from '../storage/chunks';
import { openDatabase, type Database } from '../storage/db';
import { damagedTensors, deleteModel, getModel, openModel, partFile, reopenPart } from '../storage/modelStore';
import { useBackend } from '../testing/backend';
import { embeddedCheckpoints } from '../testing/fakeCheckpoint/embedded';
import { folderFiles } from '../testing/files';
import { importSurveyed, modelIdOf, surveyFiles, type ImportOptions } from './importing';

let dir: string;
let made: Awaited<ReturnType<typeof embeddedCheckpoints>>;
let drawn: Float32Array;
let db: Database;
let count = 0;

async function everyFile(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
const sources = (paths: readonly string[], root = dir) => Promise.all(paths.map(async (path) => blobBytes(new Blob([new Uint8Array(await readFile(path))]), relative(root, path))));
const options = (precision: KeptPrecision = 'f16', more: Partial<ImportOptions> = {}): ImportOptions => ({ name: 'embedded', precision, clipMerges: () => Promise.reject(new Error('the base has words of its own')), ...more });

/** The pixels of a picture after two guided steps. */
async function draw(files: BaseFiles): Promise<Float32Array> {
  const base = await loadBase('test', files);
  const [words, negative] = [await encodePrompts(base, ['a red dog on a beach'], ''), await encodePrompts(base, [''], '')];
  const latent = await flowing(base, (flow) => sampleAll({ base: flow, field: guidedField(flow, untouched(negative), [{ positive: untouched(words), negative: untouched(negative), weight: 1 }]), seeds: [1], steps: 2, guidance: 3 }));
  const pixels = await base.parts.autoencoder.use((one) => one.decode(latent));
  const values = new Float32Array(await pixels.data<'float32'>());
  tf.dispose([latent, pixels, words.context, words.pooled, negative.context, negative.pooled]);
  disposeBase(base);
  return values;
}
/** Everything that a step of each stage makes of one picture, arrays by their hash: millions of numbers are compared in no time so. */
async function learn(files: BaseFiles): Promise<string> {
  const base = await loadBase('test', files);
  const recipe = { ...defaultRecipe(), classWord: 'dog', stage1Steps: 1, stage2Steps: 1, batchSize: 1, flip: false };
  const pixels = Float32Array.from({ length: 128 * 128 * 3 }, (_, i) => Math.sin(i / 50));
  const dataset = await buildDataset(base, [{ pixels, captions: { complete: 'a [V] dog on grass', base: 'a dog on grass', target: '[V] dog' } }], recipe);
  const state = await flowing(base, async (flow) => {
    const trainer = await createTrainer({ base: flow, method: purecc, recipe, dataset, between: async () => {} });
    for await (const step of trainer.steps()) void step;
    const all = await trainer.exportState();
    trainer.dispose();
    return all;
  });
  disposeDataset(dataset);
  disposeBase(base);
  return JSON.stringify(state, (_, value: unknown) => (ArrayBuffer.isView(value) ? createHash('sha256').update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)).digest('hex') : value));
}
/** Every tensor that is stored: dtype, shape, packing and a hash of its bytes. Which ones share a chunk is a matter of time. */
async function contents(from: Database): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const { sha256: file, sizeBytes, chunks, tensors } of await from.getAll('manifests')) {
    const bytes = new Uint8Array(sizeBytes);
    for (const { n, offset } of chunks) bytes.set(new Uint8Array((await from.get('chunks', [file, n]))!), offset);
    for (const [name, { begin, end, ...tensor }] of Object.entries(tensors!)) all[`${file} ${name}`] = { ...tensor, sha256: await sha256(bytes.subarray(begin, end)) };
  }
  return all;
}
/** Root mean square of the difference over that of the pictures. */
const apart = (a: Float32Array, b: Float32Array) => Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / b.reduce((sum, value) => sum + value ** 2, 0));

beforeAll(async () => {
  await useBackend('wasm');
  dir = await mkdtemp(join(tmpdir(), 'lamina-import-'));
  made = await embeddedCheckpoints('public/base', dir);
  drawn = await draw(folderFiles('public/base'));
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => { db = await openDatabase(`import-${++count}`); });
afterEach(() => db.close());

describe('the embedded base, imported', () => {
  it.each(['single', 'separate', 'folder'] as const)('from the layout “%s” draws the same pictures bit for bit in f16', async (layout) => {
    const from = made[layout];
    const surveyed = await surveyFiles(await sources(Array.isArray(from) ? from : layout === 'folder' ? await everyFile(from as string) : [from as string]));
    expect(surveyed.lacking).toEqual([]);
    expect(surveyed.notes).toEqual([]);
    const { modelId, installed } = await importSurveyed(db, surveyed, options());
    expect(installed).toBe(true);
    expect(await draw(await openModel(db, modelId))).toEqual(drawn);
  }, 60_000);

  it.each([['int8', 0.02, 0.1], ['int4', 0.1, 0.6]] as const)('as %s draws nearly the same', async (precision, least, most) => {
    const { modelId, parts } = await importSurveyed(db, await surveyFiles(await sources([made.single])), options(precision));
    const difference = apart(await draw(await openModel(db, modelId)), drawn);
    console.info(`${precision}: pictures differ by ${difference.toFixed(3)} of their own size; ${parts.reduce((total, { storedBytes }) => total + storedBytes, 0)} bytes`);
    expect(difference).toBeLessThan(most);
    expect(difference).toBeGreaterThan(least / 10);
  }, 60_000);

  it('keeps networks in precisions of their own, packed so, and draws', async () => {
    const record = await importSurveyed(db, await surveyFiles(await sources([made.single])), options('int8', { own: { transformer: 'f16', text_encoder: 'int4' } }));
    const bits = async (folder: string) => {
      const { tensors } = (await db.get('manifests', partFile(record.modelId, folder)))!;
      return [...new Set(Object.values(tensors!).flatMap(({ packing }) => (packing ? [packing.precision] : [])))];
    };
    expect([await bits('transformer'), await bits('text_encoder'), await bits('image_encoder')]).toEqual([['f16'], ['int4'], ['int8']]);
    for (const { folder, storedBytes: counted } of record.parts) expect((await db.get('manifests', partFile(record.modelId, folder)))!.sizeBytes, folder).toBe(counted);
    const difference = apart(await draw(await openModel(db, record.modelId)), drawn);
    expect(difference).toBeGreaterThan(0);
    expect(difference).toBeLessThan(0.6);
  }, 60_000);

  it('in f16 learns the same concept, number for number', async () => {
    const { modelId } = await importSurveyed(db, await surveyFiles(await sources([made.single])), options());
    const [shipped, imported] = [await learn(folderFiles('public/base')), await learn(await openModel(db, modelId))];
    expect(imported).toBe(shipped);
    expect(shipped.match(/[0-9a-f]{64}/g)!.length).toBeGreaterThan(5);
  }, 60_000);
});

describe('an import that was broken off', () => {
  it('goes on behind the last tensor that landed, in a new visit and from any tensor', async () => {
    const surveyed = await surveyFiles(await sources([made.single]));
    for (const stopAt of [1, 40, 200]) {
      const stop = new AbortController();
      let tensors = 0;
      await expect(importSurveyed(db, surveyed, options('int8', { signal: stop.signal, between: async () => { if (++tensors === stopAt) stop.abort(); } }))).rejects.toThrow();
      expect((await getModel(db, modelIdOf(surveyed, 'int8')))?.installed).toBe(false);
      await expect(openModel(db, modelIdOf(surveyed, 'int8'))).rejects.toThrow(expect.objectContaining({ code: 'base-incomplete' }));
    }
    const landedBefore = (await db.getAll('landed')).reduce((total, group) => total + group.tensors.length, 0) + (await db.getAll('manifests')).reduce((total, { tensors }) => total + Object.keys(tensors!).length, 0);
    expect(landedBefore).toBeGreaterThan(150);
    let written = 0;
    const seen: ImportProgress[] = [];
    const again = await surveyFiles(await sources([made.single]));
    const record = await importSurveyed(db, again, options('int8', { between: async () => { written++; }, onProgress: (progress) => seen.push(progress) }));
    const tensors = record.parts.reduce((total, part) => total + part.tensors, 0);
    expect(written).toBe(tensors - landedBefore);
    expect(seen.at(-1)).toMatchObject({ readBytes: seen[0]!.sourceBytes, storedBytes: record.parts.reduce((total, part) => total + part.storedBytes, 0) });
    expect(record.installed).toBe(true);
    const whole = await openDatabase(`import-${++count}`);
    await importSurveyed(whole, surveyed, options('int8'));
    expect(await contents(db)).toEqual(await contents(whole));
    expect(await damagedTensors(db, record, () => {})).toEqual({});
    whole.close();
  }, 60_000);

  it('is another one in another precision', async () => {
    const surveyed = await surveyFiles(await sources([made.single]));
    const ids = [modelIdOf(surveyed, 'int8'), modelIdOf(surveyed, 'int4'), modelIdOf(surveyed, 'int8', { vae: 'f16' }), modelIdOf(surveyed, 'int8', { transformer: 'int4' }), modelIdOf(surveyed, 'int8', { transformer: 'f16' })];
    expect(new Set(ids).size).toBe(5);
    expect(modelIdOf(surveyed, 'int8', { transformer: 'int8' })).toBe(ids[0]);
  });
});

describe('an imported model', () => {
  it('is checked, mended by its own files, and deleted without a trace', async () => {
    const surveyed = await surveyFiles(await sources([made.single]));
    const record = await importSurveyed(db, surveyed, options('int8'));
    let bytes = 0;
    expect(await damagedTensors(db, record, (more) => { bytes += more; })).toEqual({});
    expect(bytes).toBe(record.parts.reduce((total, { storedBytes }) => total + storedBytes, 0));

    const file = partFile(record.modelId, 'transformer');
    const { tensors, chunks } = (await db.get('manifests', file))!;
    const name = 'transformer_blocks.1.attn.to_k.weight';
    const { n, offset, sizeBytes } = chunks.find((chunk) => chunk.offset <= tensors![name]!.begin && tensors![name]!.begin < chunk.offset + chunk.sizeBytes)!;
    const beside = Object.keys(tensors!).filter((other) => tensors![other]!.begin >= offset && tensors![other]!.end <= offset + sizeBytes);
    const bitten = new Uint8Array((await db.get('chunks', [file, n]))!);
    bitten[7]! ^= 1;
    await db.put('chunks', bitten.buffer, [file, n]);
    const damaged = await damagedTensors(db, record, () => {});
    expect({ transformer: damaged.transformer!.toSorted() }).toEqual({ transformer: beside.toSorted() });
    expect(beside).toContain(name);
    await expect((await openModel(db, record.modelId)).weights('transformer').then((source) => source.read(name))).rejects.toThrow(expect.objectContaining({ code: 'base-corrupt' }));

    await reopenPart(db, file, damaged.transformer!);
    const written: number[] = [];
    await importSurveyed(db, surveyed, options('int8', { onProgress: ({ folder, done }) => { if (folder === 'transformer') written.push(done); } }));
    const total = surveyed.parts.find(({ part }) => part.part === 'transformer')!.tensors.length;
    expect(beside.length).toBeLessThan(total);
    expect([written[0], written.at(-1)]).toEqual([total - beside.length, total]);
    expect((await db.getAllKeys('chunks')).length).toBe((await db.getAll('manifests')).reduce((sum, manifest) => sum + manifest.chunks.length, 0)); // none is left over
    expect(await damagedTensors(db, record, () => {})).toEqual({});

    await deleteModel(db, record.modelId);
    for (const store of ['models', 'manifests', 'chunks', 'landed'] as const) expect(await db.count(store), store).toBe(0);
  }, 60_000);
});

describe('files that are something else', () => {
  const file = (path: string, bytes: Uint8Array<ArrayBuffer> | string) => blobBytes(new Blob([bytes]), path);
  const named = (...keys: string[]) => writeSafetensors(Object.fromEntries(keys.map((key) => [key, { shape: [2, 2], data: new Float32Array(4) }])));
  it.each([
    ['a pickle', [file('model.ckpt', 'PK\u0003\u0004 and so on, and so on')], 'file-unrecognised', /can run code/],
    ['a bare pickle', [file('model.bin', new Uint8Array([0x80, 2, 0x7d, 0x71, 0, 0, 0, 0, 0, 0]))], 'file-unrecognised', /pickle/],
    ['GGUF', [file('sd3.gguf', 'GGUF and so on, and so on')], 'file-unrecognised', /GGUF/],
    ['a pointer', [file('a.safetensors', 'version https://git-lfs.github.com/spec/v1\noid sha256:0')], 'file-unrecognised', /pointer/],
    ['a page', [file('a.safetensors', '<!DOCTYPE html><html><body>Log in</body></html>')], 'file-unrecognised', /web page/],
    ['an empty file', [file('a.safetensors', '')], 'file-empty', /empty/],
    ['Flux', [file('flux.safetensors', named('double_blocks.0.img_attn.qkv.weight'))], 'file-unrecognised', /Flux/],
    ['SDXL', [file('xl.safetensors', named('model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight'))], 'file-unrecognised', /U-Net/],
    ['a LoRA', [file('lora.safetensors', named('transformer.transformer_blocks.0.attn.to_q.lora_A.weight'))], 'file-unrecognised', /a LoRA/],
    ['something unknown', [file('x.safetensors', named('a.weight', 'b.weight'))], 'file-unrecognised', /“a.weight”, “b.weight”/],
    ['a part of a transformer', [file('t.safetensors', named('joint_blocks.0.x_block.attn.qkv.weight'))], 'tensor-missing', /not complete/],
    ['no model at all', [file('README.md', 'hello')], 'file-unrecognised', /no model file/],
  ] as const)('%s is told by what it is', async (_name, given, code, message) => {
    const error = await surveyFiles(given).then(() => null, (fault: unknown) => fault);
    expect(Fault.is(error, code), String(error)).toBe(true);
    expect((error as Fault).message).toMatch(message);
    expect((error as Fault).remedy).not.toBe('');
  });

  it('a file that was cut short, a folder without one of its shards, a model without its text encoder', async () => {
    const whole = new Uint8Array(await readFile(made.single));
    await expect(surveyFiles([file('cut.safetensors', whole.slice(0, whole.length - 1000))])).rejects.toThrow(expect.objectContaining({ code: 'safetensors-invalid' }));
    const all = await everyFile(made.folder);
    await expect(surveyFiles(await sources(all.filter((path) => !path.includes('00002-of-'))))).rejects.toThrow(/1 of them is missing: .*00002-of-00003/);
    const halves = await surveyFiles(await sources(made.separate.slice(0, 2)));
    expect(halves.lacking).toEqual(['text_encoder']);
    await expect(importSurveyed(db, halves, options())).rejects.toThrow(/lacks Text encoder CLIP-L/);
    const doubled = await surveyFiles(await sources([made.single, made.separate[1]!]));
    expect(doubled.notes).toEqual([expect.stringContaining('Autoencoder: there twice, in embedded.safetensors and separate/ae.safetensors')]);
  });
});
