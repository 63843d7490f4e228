import { beforeAll, describe, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { encodeText, encodeTextAsync, loadClipText } from '../clip';
import { loadT5 } from '../t5';
import { openTokenTable } from '../tokenTable';
import type { WeightSource } from '../weightSource';
import { WeightReader } from '../weights';
import { clipTower, joinText, padded, sd3Tower, type EncodedTokens, type TextTokens, type TextTower } from './index';

const at = (file: string) => safetensorsFile(`fixtures/sd3/${file}.safetensors`);
const rowsOf = (values: Float32Array, length: number) => Array.from({ length: values.length / length }, (_, i) => [...values.subarray(i * length, (i + 1) * length)]);
const worst = (found: ArrayLike<number>, wanted: ArrayLike<number>) => Array.from(found).reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
const numbers = (x: tf.Tensor) => x.dataSync() as Float32Array;
const free = ({ context, pooled }: EncodedTokens) => tf.dispose([context, pooled]);

describe('text towers', () => {
  let e2e: WeightSource;
  let tokens: TextTokens;
  let configs: Record<string, unknown>;
  beforeAll(async () => {
    await useBackend('wasm');
    e2e = await at('e2e.io');
    configs = JSON.parse(await readFile('fixtures/sd3/config.json', 'utf8')) as Record<string, unknown>;
    tokens = { clip: rowsOf(await e2e.read('clip_l.ids'), 77), t5: rowsOf(await e2e.read('t5.ids'), e2e.shape('t5.ids')[1]!) };
  });
  const clip = async (name: string) => loadClipText(await at(name), configs[name]);
  const pair = async () => [{ encoder: await clip('clip_l'), padId: 319 }, { encoder: await clip('clip_g'), padId: 0 }];

  it('fill up CLIP-G’s prompts its own way', async () => {
    expect(tokens.clip.map((row) => padded(row, 319, 0))).toEqual(rowsOf(await e2e.read('clip_g.ids'), 77));
  });

  it('join two CLIPs and T5 as the reference does, and free everything', async () => {
    await expectNoLeak(async () => {
      const tower = sd3Tower({ clip: await pair(), t5: await loadT5(await at('t5')), contextWidth: 96 });
      expect([tower.pooledWidth, tower.readsT5]).toEqual([80, true]);
      let gaps = 0;
      const found = await tower.encode(tokens, async () => { gaps++; });
      expect(gaps).toBe(2 + 3 + 2); // every layer but each CLIP's last
      expect(found.context.shape).toEqual([...e2e.shape('with_t5.prompt_embeds')]);
      expect(worst(numbers(found.context), await e2e.read('with_t5.prompt_embeds'))).toBeLessThan(2e-4);
      expect(worst(numbers(found.pooled), await e2e.read('pooled'))).toBeLessThan(2e-4);
      free(found);
      await expect(tower.encode({ clip: tokens.clip })).rejects.toThrow('T5’s tokens');
      await expect(tower.encode(tokens, async () => { if (--gaps === 0) throw new Error('stop'); })).rejects.toThrow('stop');
      tower.dispose();
    });
  });

  it('put as many zero tokens in T5’s place as they are told to, or none', async () => {
    const golden = await e2e.read('with_t5.prompt_embeds');
    const encoders = await pair();
    for (const zeroTokens of [13, 0]) {
      const tower: TextTower = sd3Tower({ clip: encoders, t5: null, contextWidth: 96, zeroTokens });
      const found = await tower.encode(tokens);
      expect(found.context.shape).toEqual([2, 77 + zeroTokens, 96]);
      const values = numbers(found.context);
      for (const row of [0, 1]) {
        const mine = values.subarray(row * (77 + zeroTokens) * 96, (row + 1) * (77 + zeroTokens) * 96);
        expect(worst(mine.subarray(0, 77 * 96), golden.subarray(row * 90 * 96, (row * 90 + 77) * 96))).toBeLessThan(2e-4);
        expect(mine.subarray(77 * 96).every((value) => value === 0)).toBe(true);
      }
      free(found);
    }
  });

  it('of one CLIP give what the encoder gives, also by another rule and with added tokens', async () => {
    const encoder = await clip('clip_l');
    const tower = clipTower(encoder);
    expect([tower.contextWidth, tower.pooledWidth, tower.readsT5]).toEqual([32, 32, false]);
    const io = await at('clip.io');
    const [ids, added] = [rowsOf(await io.read('clip_l.concept.ids'), 77), tf.tensor2d(await io.read('clip_l.concept.row'), [1, 32])];
    const found = await tower.encode({ clip: ids }, undefined, { added: [added], pooling: 'largest-id' });
    expect(worst(numbers(found.context), await io.read('clip_l.concept.penultimate'))).toBeLessThan(2e-4);
    expect(worst(numbers(found.pooled), await io.read('clip_l.concept.pooled_projected.argmax'))).toBeLessThan(2e-4);
    free(found);
    tower.dispose();
  });

  it('refuse what does not fit together', () => {
    const encoded = (rows: number, length: number, width: number): EncodedTokens => ({ context: tf.zeros([rows, length, width]), pooled: tf.zeros([rows, width]) });
    expect(() => joinText([encoded(1, 4, 6)], 5, 0)).toThrow('that reads 5');
    expect(() => joinText([encoded(1, 4, 2), encoded(1, 3, 2)], 5, 0)).toThrow('different prompts');
    expect(() => joinText([encoded(1, 4, 2)], 5, tf.zeros([1, 3, 4]))).toThrow('1 × 5');
  });
});

describe('token tables', () => {
  it('that are too large for a tensor are read row by row, each once and in order, and give the same', async () => {
    await useBackend('wasm');
    const source = await at('clip_l');
    const [model, io] = [await loadClipText(source, { num_attention_heads: 2 }), await at('clip.io')];
    const ids = rowsOf(await io.read('clip_l.concept.ids'), 77);
    const added = tf.tensor2d(await io.read('clip_l.concept.row'), [1, 32]);
    const wanted = encodeText(model, ids, { added });
    const read: number[] = [];
    const counting: WeightSource = { ...source, readRows: (key, from, to) => { read.push(from); return source.readRows(key, from, to); } };
    const lying = { ...model, tokens: await openTokenTable(new WeightReader(counting), 'text_model.embeddings.token_embedding.weight', 0) };
    expect(lying.tokens.table).toBeNull();
    await expectNoLeak(async () => {
      const found = await encodeTextAsync(lying, ids, async () => {}, { added });
      expect([...numbers(found.context)]).toEqual([...numbers(wanted.context)]);
      tf.dispose([found.context, found.pooled, found.lastNormed]);
      expect(read).toEqual([...new Set(ids.flat().filter((id) => id < 320))].sort((a, b) => a - b));
    });
    expect(() => encodeText(lying, ids, { added })).toThrow('asynchronous');
    await expect(encodeTextAsync(model, [[1, 321, 319]], async () => {}, { added })).rejects.toThrow('0…320');
  });
});
