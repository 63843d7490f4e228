/** A model with the names, depth and layout of Stable Diffusion 3.5 Medium, made narrow: from its files to a picture, streamed and not. */
import 'fake-indexeddb/auto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { blobBytes } from '../formats/checkpointFile';
import { disposeBase, flowing, loadBase, type BaseOptions } from '../pipeline/base';
import { disposePrompts, encodePrompts } from '../pipeline/prompts';
import { guidedField, untouched } from '../pipeline/sampling/fields';
import { sampleAll } from '../pipeline/sampling/sample';
import { ZERO_TOKENS } from '../pipeline/textTower';
import { openDatabase, type Database } from '../storage/db';
import { openModel } from '../storage/modelStore';
import { useBackend } from '../testing/backend';
import { writeCheckpoint } from '../testing/fakeCheckpoint/container';
import { FAKE_MODELS, randomTensors } from '../testing/fakeCheckpoint/random';
import { importSurveyed, surveyFiles } from './importing';

const SIZE = { height: 64, width: 96 };
let dir: string;
let db: Database;
let modelId: string;

beforeAll(async () => {
  await useBackend('wasm');
  dir = await mkdtemp(join(tmpdir(), 'lamina-sd35-'));
  db = await openDatabase('sd35');
  const paths = await Promise.all(FAKE_MODELS.map(async (model) => {
    const path = join(dir, `${model.replace('-', '_')}.safetensors`);
    await writeCheckpoint(path, await randomTensors(model, 0.001));
    return path;
  }));
  const surveyed = await surveyFiles(await Promise.all(paths.map(async (path) => blobBytes(new Blob([new Uint8Array(await readFile(path))]), basename(path)))));
  expect(surveyed.lacking).toEqual([]);
  expect(surveyed.notes).toEqual([]);
  expect(surveyed.parts.map(({ part }) => part.part).sort()).toEqual(['text_encoder', 'text_encoder_2', 'transformer', 'vae']);
  ({ modelId } = await importSurveyed(db, surveyed, { name: 'narrow', precision: 'int8', clipMerges: () => readFile('public/clip/merges.txt', 'utf8') }));
}, 120_000);
afterAll(async () => {
  db.close();
  await rm(dir, { recursive: true, force: true });
});

async function draw(options: BaseOptions): Promise<{ pixels: Float32Array; most: number; context: readonly number[] }> {
  const base = await loadBase('narrow', await openModel(db, modelId), options);
  const [words, negative] = [await encodePrompts(base, ['a red dog on a beach'], ''), await encodePrompts(base, [''], '')];
  let most = 0;
  const latent = await flowing(base, (flow) => sampleAll({
    base: { ...flow, latentShape: () => base.latentShape(SIZE) }, field: guidedField(flow, untouched(negative), [{ positive: untouched(words), negative: untouched(negative), weight: 1 }]), seeds: [1], steps: 2, guidance: 3,
    between: async () => { most = Math.max(most, flow.mmdit.blocks.filter(({ x }) => x.attention.q.packed !== null).length); },
  }));
  const pixels = await base.parts.autoencoder.use((one) => one.decode(latent));
  const again = await base.parts.autoencoder.use((one) => one.encode(pixels));
  expect(again.shape).toEqual(latent.shape);
  expect(pixels.shape).toEqual([1, SIZE.height, SIZE.width, 3]);
  const values = new Float32Array(await pixels.data<'float32'>());
  const context = words.context.shape;
  tf.dispose([latent, pixels, again]);
  [words, negative].forEach(disposePrompts);
  disposeBase(base);
  return { pixels: values, most, context };
}

describe('Stable Diffusion 3.5 Medium’s own layout', () => {
  it('draws the same whether its networks stay or come by phase, its blocks stay or are streamed', async () => {
    const before = tf.memory().numTensors;
    const staying = await draw({});
    expect(staying.context).toEqual([1, 77 + ZERO_TOKENS, expect.any(Number)]);
    expect(staying.pixels.every(Number.isFinite)).toBe(true);
    expect(new Set(staying.pixels).size).toBeGreaterThan(100);
    const streamed = await draw({ partsStay: false, streamBytes: 0 });
    expect([staying.most, streamed.most]).toEqual([24, 1]);
    expect(streamed.pixels).toEqual(staying.pixels);
    expect(tf.memory().numTensors).toBe(before);
  }, 120_000);
});
