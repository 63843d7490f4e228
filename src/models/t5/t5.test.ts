import { beforeAll, describe, expect, it } from 'vitest';
import type * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { packedLayer } from '../weights';
import type { WeightSource } from '../weightSource';
import { disposeT5, encodeT5, encodeT5Async, loadT5 } from './index';
import { bucketOf } from './positions';

const rowsOf = (values: Float32Array, length: number) => Array.from({ length: values.length / length }, (_, i) => [...values.subarray(i * length, (i + 1) * length)]);
const worst = (found: tf.Tensor, wanted: Float32Array) => (found.dataSync() as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);

/** Root mean square of the difference, in units of the wanted values' own. */
const rms = (found: tf.Tensor, wanted: Float32Array) => Math.sqrt((found.dataSync() as Float32Array).reduce((sum, value, i) => sum + (value - wanted[i]!) ** 2, 0) / wanted.reduce((sum, value) => sum + value ** 2, 0));

describe('T5 encoder', () => {
  let source: WeightSource;
  let ids: number[][];
  let hidden: Float32Array;
  beforeAll(async () => {
    await useBackend('wasm');
    source = await safetensorsFile('fixtures/sd3/t5.safetensors');
    const io = await safetensorsFile('fixtures/sd3/t5.io.safetensors');
    ids = rowsOf(await io.read('ids'), io.shape('ids')[1]!);
    hidden = await io.read('hidden');
  });

  it('reproduces the reference from tensor shapes alone, and frees everything', async () => {
    await expectNoLeak(async () => {
      const model = await loadT5(source);
      const found = encodeT5(model, ids);
      expect(worst(found, hidden)).toBeLessThan(2e-4);
      found.dispose();
      disposeT5(model);
    });
  });

  it('takes its layers packed, lets others in between them, and can be stopped there without a leak', async () => {
    const model = await loadT5(source, undefined, { layer: packedLayer({ precision: 'int8' }) });
    await expectNoLeak(async () => {
      let gaps = 0;
      const found = await encodeT5Async(model, ids, async () => { gaps++; });
      expect(gaps).toBe(model.layers.length);
      expect(rms(found, hidden)).toBeLessThan(0.06); // eight bits: scores that are not scaled sharpen the error (0.04 measured)
      expect(rms(found, hidden)).toBeGreaterThan(1e-3);
      found.dispose();
      await expect(encodeT5Async(model, ids, async () => { throw new Error('stop'); })).rejects.toThrow('stop');
    });
    disposeT5(model);
  });

  it('waits for layers that are streamed', async () => {
    const model = await loadT5(source);
    const events: string[] = [];
    model.residency = { enter: async (index) => { await Promise.resolve(); events.push(`enter ${index}`); }, leave: (index) => { events.push(`leave ${index}`); } };
    (await encodeT5Async(model, ids, async () => {})).dispose();
    expect(events).toEqual(['enter 0', 'leave 0', 'enter 1', 'leave 1']);
    disposeT5(model);
  });

  it('reads what stands behind a prefix, also where the embeddings lie twice', async () => {
    const at = 'text_encoders.t5xxl.transformer.';
    const bare = (key: string) => key.slice(at.length).replace('encoder.embed_tokens', 'shared');
    const keys = [...source.keys(), 'encoder.embed_tokens.weight'].map((key) => at + key);
    const inside: WeightSource = { keys: () => [...keys, 'decoder.other'], has: (key) => keys.includes(key), shape: (key) => source.shape(bare(key)), read: (key) => source.read(bare(key)), readRows: (key, from, to) => source.readRows(bare(key), from, to) };
    const model = await loadT5(inside, undefined, { prefix: at });
    const found = encodeT5(model, ids);
    expect(worst(found, hidden)).toBeLessThan(2e-4);
    found.dispose();
    disposeT5(model);
    await expect(loadT5({ ...inside, keys: () => [...keys, `${at}lm_head.weight`] }, undefined, { prefix: at })).rejects.toMatchObject({ code: 'tensor-unknown', subject: `${at}lm_head.weight` });
    await expect(loadT5(source, { num_heads: 7 })).rejects.toMatchObject({ code: 'base-mismatch', subject: 'text_encoder_3/config.json' });
  });
});

describe('buckets of distances', () => {
  it('are exact near by and as wide as their distance far off', () => {
    expect([0, -1, -7, -8, -15, -16, -31, -32, -64, -127, -128, -1000].map((d) => bucketOf(d, 32, 128))).toEqual([0, 1, 7, 8, 9, 10, 11, 12, 14, 15, 15, 15]);
    expect([1, 7, 8, 1000].map((d) => bucketOf(d, 32, 128))).toEqual([17, 23, 24, 31]);
  });
});
