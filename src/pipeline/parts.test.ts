import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import type { BaseFiles } from '../models/weightSource';
import { defaultRecipe } from '../protocol/recipe';
import { expectNoLeak, useBackend } from '../testing/backend';
import { tinyStored } from '../testing/session/tinyFiles';
import { disposeBase, flowing, leaseFlow, loadBase } from './base';
import { embedPictures } from './measuring/nearness';
import { Part } from './parts';
import { baseField, disposeFieldWords, encodeFieldWords } from './sampling/velocityFields';
import { sampleAll } from './sampling/sample';
import { buildDataset, disposeDataset } from './training/dataset';

function counted({ stays = false, fails = 0 } = {}) {
  const seen = { loads: 0, frees: 0 };
  const load = async () => {
    if (++seen.loads <= fails) throw new Error('no answer');
    await new Promise((resolve) => setTimeout(resolve, 1));
    return seen.loads;
  };
  return { seen, part: new Part(load, () => void seen.frees++, stays) };
}

describe('a part', () => {
  it('is loaded for the first of its users and freed after the last, whoever comes first', async () => {
    const { seen, part } = counted();
    const [one, other] = await Promise.all([part.lease(), part.lease()]);
    expect([one.part, other.part]).toEqual([1, 1]);
    one.release();
    one.release();
    expect(seen).toEqual({ loads: 1, frees: 0 });
    other.release();
    expect(seen).toEqual({ loads: 1, frees: 1 });
    expect(await part.use((n) => n)).toBe(2);
    expect(seen).toEqual({ loads: 2, frees: 2 });
  });

  it('that stays is loaded once and freed with the base, after its last user', async () => {
    const { seen, part } = counted({ stays: true });
    await part.use(() => undefined);
    const { release } = await part.lease();
    part.dispose();
    expect(seen).toEqual({ loads: 1, frees: 0 });
    release();
    expect(seen).toEqual({ loads: 1, frees: 1 });
    await expect(part.lease()).rejects.toThrow('disposed of');
  });

  it('that could not be loaded is tried again, and work that fails gives it back', async () => {
    const { seen, part } = counted({ fails: 1 });
    await expect(part.use(() => undefined)).rejects.toThrow('no answer');
    await expect(part.use(() => { throw new Error('work'); })).rejects.toThrow('work');
    expect(seen).toEqual({ loads: 2, frees: 1 });
  });

  it('lingers over several short uses, and is not loaded for none', async () => {
    const { seen, part } = counted();
    await part.lingering(async () => undefined);
    expect(seen).toEqual({ loads: 0, frees: 0 });
    await part.lingering(async () => {
      await part.use(() => undefined);
      await part.use(() => undefined);
      expect(seen).toEqual({ loads: 1, frees: 0 });
    });
    expect(seen).toEqual({ loads: 1, frees: 1 });
  });
});

describe('a base whose parts do not stay', () => {
  beforeAll(async () => void (await useBackend('wasm')));

  /** How often each network was read since the last time this was asked. */
  async function open(partsStay: boolean) {
    const stored = await tinyStored('tiny');
    let reads: string[] = [];
    const files: BaseFiles = { ...stored, weights: async (folder) => (reads.push(folder), stored.weights(folder)) };
    const base = await loadBase('tiny', files, { partsStay });
    return { base, read: () => [reads.sort().join(' '), (reads = [])][0] };
  }
  const recipe = { ...defaultRecipe(), classWord: 'dog', flip: false, shiftCells: 0 };
  const items = [{ pixels: new Float32Array(16 * 16 * 3), captions: { complete: 'a [V] dog', base: 'a dog', target: '[V] dog' } }];

  it.each([[false, ['text_encoder vae', 'text_encoder vae', 'text_encoder', 'transformer', 'vae', 'image_encoder', '']], [true, ['image_encoder text_encoder transformer vae', '', '', '', '', '', '']]])('(stay: %s) reads each for its phase, and nothing is left behind', (partsStay, phases) => expectNoLeak(async () => {
    const { base, read } = await open(partsStay);
    const found = [read()];
    disposeDataset(await buildDataset(base, items, recipe));
    found.push(read());
    const words = await encodeFieldWords(base, ['a [V] dog'], '', recipe);
    found.push(read());
    const latent = await flowing(base, (flow) => sampleAll({ base: flow, field: baseField(flow, words), seeds: [1], steps: 2, guidance: 3 }));
    found.push(read());
    const pixels = await base.parts.autoencoder.use((autoencoder) => autoencoder.decode(latent));
    found.push(read());
    const seen = await embedPictures(base, pixels);
    found.push(read());
    disposeFieldWords(words);
    disposeFieldWords(await encodeFieldWords(base, ['a [V] dog'], '', recipe));
    found.push(read());
    expect(found).toEqual(phases);
    tf.dispose([latent, pixels, seen]);
    disposeBase(base);
  }));

  it('has a data set read with as many zero tokens as the recipe asks for', () => expectNoLeak(async () => {
    const { base } = await open(true);
    const length = base.null.context.shape[1];
    // as if the last three tokens stood in place of T5's
    for (const [zeroTokens, behind] of [['77', 77], ['256', 256], ['none', 0]] as const) {
      const dataset = await buildDataset({ ...base, zeroTokens: 3 }, items, { ...recipe, zeroTokens });
      for (const words of Object.values(dataset.words)) expect(words.context.shape[1]).toBe(length - 3 + behind);
      disposeDataset(dataset);
      const plain = await buildDataset(base, items, { ...recipe, zeroTokens });
      for (const words of Object.values(plain.words)) expect(words.context.shape[1]).toBe(length);
      disposeDataset(plain);
    }
    disposeBase(base);
  }));

  it('holds only the empty prompt between phases, and one transformer for all who sample', () => expectNoLeak(async () => {
    const before = tf.memory().numTensors;
    const { base, read } = await open(false);
    expect(tf.memory().numTensors - before).toBe(2);
    read();
    const [one, other] = await Promise.all([leaseFlow(base), leaseFlow(base)]);
    expect(one.part.mmdit).toBe(other.part.mmdit);
    expect(read()).toBe('transformer');
    one.release();
    other.release();
    expect(tf.memory().numTensors - before).toBe(2);
    disposeBase(base);
  }));

  it('names the config that is not as expected', async () => {
    const stored = await tinyStored('tiny');
    const wrong = (path: string, config: unknown): BaseFiles => ({ ...stored, json: async (asked) => (asked === path ? config : stored.json(asked)) });
    for (const [path, config] of [['transformer/config.json', { sample_size: 'wide' }], ['text_encoder/config.json', null], ['scheduler/scheduler_config.json', { shift: Infinity }]] as const) {
      await expect(loadBase('tiny', wrong(path, config))).rejects.toMatchObject({ code: 'base-mismatch', subject: path });
    }
  });
});
