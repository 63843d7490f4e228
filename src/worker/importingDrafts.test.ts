/** TAESD3's own files beside a model's: from an import to a draft that is decoded. */
import 'fake-indexeddb/auto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { blobBytes, type ByteSource } from '../formats/checkpointFile';
import { writeSafetensors } from '../formats/safetensorsWriter';
import { loadAutoencoder } from '../models/vae';
import { originalTinyKey, type Half } from '../models/vae/keys';
import { normal } from '../pipeline/random';
import { LATENT_RGB, readLatentToRgb } from '../pipeline/sampling/latentToRgb';
import type { FromDrafts, Probe, SessionToDrafts, ToDrafts } from '../protocol/drafts';
import type { DraftKey } from '../protocol/pictures';
import type { Wire } from '../protocol/wire';
import { openDatabase, type Database } from '../storage/db';
import { openModel } from '../storage/modelStore';
import { useBackend } from '../testing/backend';
import { embeddedCheckpoints } from '../testing/fakeCheckpoint/embedded';
import { safetensorsFile } from '../testing/files';
import { wasmFolder } from '../testing/nodeBackend';
import { nodeRaster, pixelsOf } from '../testing/session/raster';
import { serveDrafts } from './drafting';
import { importSurveyed, surveyFiles } from './importing';
import { decoderParts } from './opening';
import { shownBatch } from './present';

const TINY = 'public/base/vae/diffusion_pytorch_model.safetensors';
let dir: string;
let db: Database;
/** A model with a large autoencoder: the embedded one's transformer and words, SD3's layout of an autoencoder. */
let model: ByteSource[];

const opened = async (path: string) => blobBytes(new Blob([new Uint8Array(await readFile(path))]), basename(path));

/** That half of the embedded base's autoencoder as the original writes it; `change` may leave tensors out or make others of them. */
async function original(half: Half, name = `taesd3_${half}.safetensors`, change: (key: string, shape: readonly number[]) => readonly number[] | null = (_, shape) => shape): Promise<ByteSource> {
  const source = await safetensorsFile(TINY);
  const tensors: Parameters<typeof writeSafetensors>[0] = {};
  for (const key of source.keys().filter((each) => each.startsWith(`${half}.`))) {
    const bare = originalTinyKey(half, key);
    const shape = change(bare, source.shape(key));
    if (shape) tensors[bare] = { shape, data: (await source.read(key)).slice(0, shape.reduce((product, size) => product * size, 1)) };
  }
  return blobBytes(new Blob([writeSafetensors(tensors)]), name);
}

beforeAll(async () => {
  await useBackend('wasm');
  dir = await mkdtemp(join(tmpdir(), 'lamina-drafts-'));
  const { separate: [transformer, , clip] } = await embeddedCheckpoints('public/base', dir);
  model = [await opened(transformer!), await opened(clip!), await opened('fixtures/sd3/vae.original.safetensors')];
  db = await openDatabase('import-drafts');
}, 60_000);
afterAll(async () => {
  db.close();
  await rm(dir, { recursive: true, force: true });
});

it('draws drafts with the decoder of TAESD3’s own file, dropped alone beside a model', async () => {
  const surveyed = await surveyFiles([await original('decoder'), ...model]);
  expect([surveyed.lacking, surveyed.notes]).toEqual([[], []]);
  const { modelId } = await importSurveyed(db, surveyed, { name: 'narrow', precision: 'int8', clipMerges: () => Promise.reject(new Error('the words came along')) });
  const stored = await openModel(db, modelId);
  expect((await loadAutoencoder(await stored.weights('vae'), await stored.json('vae/config.json'))).latentChannels).toBe(16);
  const decoder = await decoderParts({ stored, base: { latentToRgb: readLatentToRgb(await stored.json(LATENT_RGB), 16) } });

  const [session, theirs] = [new MessageChannel(), new MessageChannel()];
  serveDrafts(theirs.port2 as unknown as Wire, { raster: nodeRaster, wasmPaths: wasmFolder });
  theirs.port2.start();
  const drafted = new Promise<FromDrafts>((resolve) => { theirs.port1.onmessage = ({ data }: MessageEvent<FromDrafts>) => { if (data.kind !== 'draft' || data.state === 'draft') resolve(data); }; });
  const random = (step: number) => normal([4 * 4 * 16], { seed: 7, purpose: 'test', step });
  const probe: Probe = { revision: 1, height: 4, width: 4, channels: 16, sigma: 0.5, guidance: 1, xSigma: random(0), vNull: random(1), vBase: random(2), directions: [] };
  theirs.port1.postMessage({ kind: 'open', port: session.port2 } satisfies ToDrafts, [session.port2]);
  session.port1.postMessage({ kind: 'decoder', decoder } satisfies SessionToDrafts);
  session.port1.postMessage({ kind: 'probe', probe, of: {} as DraftKey } satisfies SessionToDrafts);
  theirs.port1.postMessage({ kind: 'balance', balance: 0, revision: 1 } satisfies ToDrafts);
  const answer = await drafted;
  expect(answer).toMatchObject({ kind: 'draft', state: 'draft', bitmap: { width: 32, height: 32 } });

  const tiny = await loadAutoencoder(await safetensorsFile(TINY), { _class_name: 'AutoencoderTiny' });
  const pixels = await tiny.decode(tf.tensor4d(probe.xSigma.map((x, i) => x - probe.sigma * probe.vBase[i]!), [1, 4, 4, 16]));
  const [wanted] = await shownBatch(pixels);
  const shown = Buffer.from(pixelsOf((answer as { bitmap: ImageBitmap }).bitmap), 'base64');
  expect(shown.every((value, i) => Math.abs(value - wanted!.rgba[i]!) <= 1)).toBe(true);
  expect(new Set(shown).size).toBeGreaterThan(50);
  [session.port1, theirs.port1, theirs.port2].forEach((port) => port.close());
}, 60_000);

it('joins its two files, and takes them for the model’s own where it has no other', async () => {
  const halves = [await original('encoder', 'taesd/taesd3_encoder.safetensors'), await original('decoder', 'taesd/taesd3_decoder.safetensors')];
  const [, , large] = model;
  const partsOf = async (...sources: ByteSource[]) => (await surveyFiles(sources)).parts.map(({ part: { part, paths }, tensors }) => [part, paths.length, tensors.length]);
  const all = (await safetensorsFile(TINY)).keys().length;
  expect(await partsOf(...halves, large!)).toEqual([['vae_preview', 2, all], ['vae', 1, 240]]);
  expect(await partsOf(...halves)).toEqual([['vae', 2, all]]);
  const { parts, lacking } = await surveyFiles([halves[1]!]);
  expect([parts.map(({ part }) => part.part), lacking]).toEqual([['vae_preview'], ['transformer', 'vae', 'text_encoder']]);
  await expect(surveyFiles([halves[0]!])).rejects.toThrow('taesd3_decoder.safetensors');
  const { notes } = await surveyFiles([halves[0]!, large!]);
  expect(notes).toEqual([expect.stringContaining('stay behind: ')]);
});

it('says what lacks of it, and leaves one behind that was made for other latents', async () => {
  const broken = await original('decoder', 'taesd3_decoder.safetensors', (key, shape) => (key === '4.conv.2.bias' ? null : shape));
  await expect(surveyFiles([broken, ...model])).rejects.toMatchObject({ code: 'tensor-missing', message: expect.stringContaining('“decoder.layers.3.conv.2.bias”') as string });
  const other = await original('decoder', 'taesd_decoder.safetensors', (key, shape) => (key === '1.weight' ? [shape[0]!, 4, 3, 3] : shape));
  const { parts, notes } = await surveyFiles([other, ...model]);
  expect(parts.map(({ part }) => part.part)).not.toContain('vae_preview');
  expect(notes).toEqual([expect.stringContaining('its latents have 4 channels, the model’s 16')]);
});
