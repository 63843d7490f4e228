import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { folderFiles, safetensorsFile } from '../../testing/files';
import { Fault } from '../../protocol/faults';
import { drain } from '../steps';
import type { WeightSource } from '../weightSource';
import { packedLayer } from '../weights';
import { disposeClipText, disposeClipVision, encodeImage, encodeText, imageVjp, loadClipText, loadClipVision } from './index';

/** Float32 against PyTorch: values up to about 6, so 2e-4 is five digits. */
const TOLERANCE = 2e-4;

const worst = (found: tf.Tensor, wanted: Float32Array) => (found.dataSync() as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
const rowsOf = (values: Float32Array, length: number) => Array.from({ length: values.length / length }, (_, i) => [...values.subarray(i * length, (i + 1) * length)]);

describe('text encoder', () => {
  beforeAll(() => useBackend('wasm'));

  it.each(['clip_l', 'clip_g'])('reproduces %s, with an added token under both pooling rules', async (name) => {
    const config = (JSON.parse(await readFile('fixtures/sd3/config.json', 'utf8')) as Record<string, unknown>)[name];
    const model = await loadClipText(await safetensorsFile(`fixtures/sd3/${name}.safetensors`), config);
    const golden = await safetensorsFile('fixtures/sd3/clip.io.safetensors');
    const read = (key: string) => golden.read(`${name}.${key}`);
    const encoded = encodeText(model, rowsOf(await read('ids'), 77));
    expect(worst(encoded.context, await read('penultimate'))).toBeLessThan(TOLERANCE);
    expect(worst(encoded.lastNormed, await read('last_normed'))).toBeLessThan(TOLERANCE);
    expect(worst(encoded.pooled, await read('pooled_projected'))).toBeLessThan(TOLERANCE);
    const added = tf.tensor2d(await read('concept.row'), [1, model.tokens.width]);
    for (const [rule, pooling] of [['argmax', 'largest-id'], ['first_eos', 'first-end']] as const) {
      const concept = encodeText(model, rowsOf(await read('concept.ids'), 77), { added, pooling });
      expect(worst(concept.context, await read('concept.penultimate'))).toBeLessThan(TOLERANCE);
      expect(worst(concept.pooled, await read(`concept.pooled_projected.${rule}`))).toBeLessThan(TOLERANCE);
    }
  });

  it('frees everything', async () => {
    const files = folderFiles('public/base');
    await expectNoLeak(async () => {
      const config = await files.json('text_encoder/config.json') as { bos_token_id: number; eos_token_id: number };
      const model = await loadClipText(await files.weights('text_encoder'), config);
      tf.dispose(encodeText(model, [[config.bos_token_id, 12, config.eos_token_id]]) as unknown as tf.TensorContainer);
      disposeClipText(model);
    });
  });

  it('refuses a file with a tensor too few or too many', async () => {
    const whole = await safetensorsFile('fixtures/sd3/clip_l.safetensors');
    const settings = { num_attention_heads: 2 };
    const without = (key: string): WeightSource => ({ ...whole, has: (k) => k !== key && whole.has(k), keys: () => whole.keys().filter((k) => k !== key) });
    const missing = await loadClipText(without('text_model.encoder.layers.1.mlp.fc2.bias'), settings).catch((error: unknown) => error);
    expect(Fault.is(missing, 'tensor-missing')).toBe(true);
    const unknown = await loadClipText({ ...whole, keys: () => [...whole.keys(), 'text_model.extra'] }, settings).catch((error: unknown) => error);
    expect(Fault.is(unknown, 'tensor-unknown') && unknown.subject).toBe('text_model.extra');
  });
});

describe('text encoder in a file with others', () => {
  it('is read behind its prefix, its layers packed where that is asked for', async () => {
    await useBackend('wasm');
    const whole = await safetensorsFile('fixtures/sd3/clip_l.safetensors');
    const at = 'text_encoders.clip_l.transformer.';
    const bare = (key: string) => key.slice(at.length);
    const inside: WeightSource = { keys: () => [...whole.keys().map((key) => at + key), 'other.weight'], has: (key) => key.startsWith(at) && whole.has(bare(key)), shape: (key) => whole.shape(bare(key)), read: (key) => whole.read(bare(key)), readRows: (key, from, to) => whole.readRows(bare(key), from, to) };
    const [plain, model, packed] = [await loadClipText(whole, { num_attention_heads: 2 }), await loadClipText(inside, { num_attention_heads: 2 }, { prefix: at }), await loadClipText(inside, { num_attention_heads: 2 }, { prefix: at, layer: packedLayer({ precision: 'int8' }) })];
    const ids = [[318, 5, 6, 319]];
    const wanted = encodeText(plain, ids).context.dataSync() as Float32Array;
    expect(worst(encodeText(model, ids).context, wanted)).toBe(0);
    expect(packed.layers.every(({ q, up }) => q.packed?.precision === 'int8' && up.packed?.precision === 'int8')).toBe(true);
    expect(worst(encodeText(packed, ids).context, wanted)).toBeGreaterThan(0);
    expect(worst(encodeText(packed, ids).context, wanted)).toBeLessThan(0.1);
    await expect(loadClipText({ ...inside, keys: () => [...inside.keys(), `${at}extra`] }, { num_attention_heads: 2 }, { prefix: at })).rejects.toMatchObject({ code: 'tensor-unknown', subject: `${at}extra` });
  });
});

describe('image encoder', () => {
  it('has a gradient in the pixels that agrees with central differences, for the embedding it has without', async () => {
    const files = folderFiles('public/base');
    const model = await loadClipVision(await files.weights('image_encoder'), await files.json('image_encoder/config.json'));
    const random = (seed: number, shape: [number, number, number, number]) => tf.randomNormal(shape, 0, 1, 'float32', seed) as tf.Tensor4D;
    const [pixels, towards] = [tf.mul(random(1, [1, 128, 128, 3]), 0.3) as tf.Tensor4D, random(2, [1, 128, 128, 3])];
    const weight = tf.tensor2d(Float32Array.from({ length: encodeImage(model, pixels).size }, (_, i) => Math.sin(3 * i)), [1, encodeImage(model, pixels).size]);
    const run = await imageVjp(model, pixels, async () => {});
    expect(run.output.dataSync()).toEqual(encodeImage(model, pixels).dataSync());
    const dx = drain(run.backward(weight));
    const value = (step: number) => tf.tidy(() => tf.sum(tf.mul(weight, encodeImage(model, tf.add(pixels, tf.mul(towards, step))))).dataSync()[0]!);
    const [numeric, found] = [(value(1e-2) - value(-1e-2)) / 2e-2, tf.tidy(() => tf.sum(tf.mul(dx, towards)).dataSync()[0]!)];
    expect(Math.abs(numeric)).toBeGreaterThan(0.05);
    expect(Math.abs(found - numeric)).toBeLessThan(0.02 * Math.abs(numeric));
    disposeClipVision(model);
  });

  beforeAll(() => useBackend('wasm'));

  it('reproduces the golden embeddings and frees everything', async () => {
    const golden = await safetensorsFile('fixtures/base/golden.safetensors');
    const files = folderFiles('public/base');
    const pictures = tf.tensor4d(await golden.read('picture'), [4, 3, 128, 128]);
    const pixels = tf.transpose(pictures, [0, 2, 3, 1]);
    const wanted = await golden.read('picture_embeds');
    await expectNoLeak(async () => {
      const model = await loadClipVision(await files.weights('image_encoder'), await files.json('image_encoder/config.json'));
      const found = encodeImage(model, pixels);
      expect(worst(found, wanted)).toBeLessThan(5e-5);
      found.dispose();
      disposeClipVision(model);
    });
  });
});
