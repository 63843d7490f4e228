/** Skip-layer guidance from the page's switch to the picture, on an imported model with the depth and names of Stable Diffusion 3.5 Medium. */
import 'fake-indexeddb/auto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import * as tf from '../engine/tf';
import { toHalf } from '../formats/float16';
import { disposeBase, flowing, loadBase } from '../pipeline/base';
import { disposePrompts, encodePrompts } from '../pipeline/prompts';
import { normal } from '../pipeline/random';
import { guidedField, untouched } from '../pipeline/sampling/velocityFields';
import { sampleAll } from '../pipeline/sampling/sample';
import { openDatabase } from '../storage/db';
import { openModel } from '../storage/modelStore';
import { writeCheckpoint, type TensorBytes } from '../testing/fakeCheckpoint/container';
import { FAKE_MODELS, randomTensors } from '../testing/fakeCheckpoint/random';
import { pixelsOf } from '../testing/session/raster';
import { openTab } from '../testing/session/tab';

vi.setConfig({ testTimeout: 400_000 });

const STEPS = 6, GUIDANCE = 4, SEED = 3, PROMPT = 'a red dog on a beach';

/** Weights large enough that every block is seen in the picture. */
const loud = (tensor: TensorBytes, step: number): TensorBytes => (/joint_blocks|final_layer|x_embedder/.test(tensor.key) && /weight$/.test(tensor.key) && !/ln_[qk]/.test(tensor.key)
  ? { ...tensor, pieces: () => [new Uint8Array(Uint16Array.from(normal([tensor.shape.reduce((a, b) => a * b, 1)], { seed: 2, purpose: 'test', step }), (value) => toHalf(0.2 * value)).buffer)] }
  : tensor);

it('leaves the published layers out in the published part of the steps, and says so with the picture', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lamina-skip-'));
  const merges = new Uint8Array(await readFile('public/clip/merges.txt'));
  const platform = { fetch: (async (address: string) => (address.endsWith('clip/merges.txt') ? new Response(merges) : new Response(null, { status: 404 }))) as unknown as typeof fetch };
  const memory = new Map<string, string>();
  try {
    const files = await Promise.all(FAKE_MODELS.map(async (model) => {
      const path = join(dir, `${model.replace('-', '_')}.safetensors`);
      await writeCheckpoint(path, (await randomTensors(model, 0.0003)).map(loud));
      return { path: basename(path), file: new File([new Uint8Array(await readFile(path))], basename(path)) };
    }));
    const importing = await openTab({ platform, memory });
    await importing.now().addModelFiles(files);
    await importing.now().importModel();
    const { models, modelFault } = importing.now();
    expect(modelFault).toBeNull();
    const { modelId } = models[1]!;
    importing.now().useModel(modelId);
    await importing.close();

    const { now, close } = await openTab({ platform, memory });
    expect(now().ready).toMatchObject({ base: modelId, skips: true });
    const drawn = async (skipLayers: boolean) => {
      now().setParams({ prompt: PROMPT, negative: '', steps: STEPS, sampler: 'euler', guidance: GUIDANCE, seed: SEED, skipLayers });
      await now().draw();
      expect(now().drawFault).toBeNull();
      expect(now().twins.base).toMatchObject({ state: 'full', skipLayers });
      return pixelsOf(now().twins.base?.bitmap);
    };
    const [plain, skipped] = [await drawn(false), await drawn(true)];
    await close();

    // by hand, from the published numbers: blocks 7, 8, 9 and 2.5, strictly between 1 % and 20 % of six steps, which is the second alone
    const db = await openDatabase();
    const base = await loadBase('by hand', await openModel(db, modelId));
    const [words, negative] = [await encodePrompts(base, [PROMPT], ''), await encodePrompts(base, [''], '')];
    const text = untouched(words);
    const byHand = async (): Promise<string> => {
      let step = 0;
      const latent = await flowing(base, (flow) => {
        const field = guidedField(flow, untouched(negative), [{ positive: text, negative: untouched(negative), weight: 1 }, { positive: text, negative: { ...text, skip: [7, 8, 9] }, weight: () => (step === 1 ? 2.5 / GUIDANCE : 0) }]);
        return sampleAll({ base: flow, field: { ...field, evaluate: async (...given) => { const v = await field.evaluate(...given); step++; return v; } }, seeds: [SEED], steps: STEPS, guidance: GUIDANCE });
      });
      const pixels = await base.parts.autoencoder.use((one) => one.decode(latent));
      const values = await pixels.data<'float32'>();
      const rgba = new Uint8ClampedArray((values.length / 3) * 4).fill(255);
      values.forEach((value, i) => { rgba[4 * Math.floor(i / 3) + (i % 3)] = Math.round((value + 1) * 127.5); });
      tf.dispose([latent, pixels]);
      return Buffer.from(rgba).toString('base64');
    };
    expect(await byHand()).toBe(skipped);
    expect(skipped).not.toBe(plain);
    [words, negative].forEach(disposePrompts);
    disposeBase(base);
    db.close();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
