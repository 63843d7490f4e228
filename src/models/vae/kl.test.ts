import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { normal } from '../../pipeline/random';
import type { WeightSource } from '../weightSource';
import { loadAutoencoder, originalVaeKey, ORIGINAL_VAE_PREFIX } from './index';
import { klMoments, klPixels } from './kl';
import { disposeKlWeights, loadKlWeights } from './klWeights';
import { tilesOf } from './tiles';

const LEVELS = 4;
const worst = (found: tf.Tensor, wanted: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(found, wanted))).dataSync()[0]!);

const relativeRms = (found: tf.Tensor, wanted: tf.Tensor) => tf.tidy(() => tf.sqrt(tf.div(tf.mean(tf.square(tf.sub(found, wanted))), tf.mean(tf.square(wanted)))).dataSync()[0]!);

/** How much x [1,H,W,C] changes from one column to the next at the cuts, in units of what it does at other multiples of 8 (where doubled pixels meet). */
function cutRatio(x: tf.Tensor, cuts: readonly number[]): number {
  const [, height = 0, width = 0, channels = 0] = x.shape;
  const steps = tf.tidy(() => tf.mean(tf.abs(tf.sub(tf.slice(x, [0, 0, 1, 0], [1, height, width - 1, channels]), tf.slice(x, [0, 0, 0, 0], [1, height, width - 1, channels]))), [0, 1, 3]).dataSync<'float32'>());
  const others = [...steps].filter((_step, i) => (i + 1) % 8 === 0 && !cuts.includes(i + 1));
  const average = others.reduce((sum, step) => sum + step, 0) / others.length;
  return Math.max(...cuts.map((cut) => steps[cut - 1]! / average));
}

/** The file as seen through other keys. `shapes` where they change too. */
function under(source: WeightSource, keyOf: Map<string, string>, shapeOf: (shape: readonly number[], name: string) => readonly number[] = (shape) => shape): WeightSource {
  return {
    keys: () => [...keyOf.keys()],
    has: (name) => keyOf.has(name),
    shape: (name) => shapeOf(source.shape(keyOf.get(name)!), name),
    read: (name) => source.read(keyOf.get(name)!),
    readRows: (name, from, to) => source.readRows(keyOf.get(name)!, from, to),
  };
}

describe('AutoencoderKL', () => {
  let source: WeightSource;
  let io: WeightSource;
  let map: [original: string, diffusers: string][];
  const picture = async (key: string): Promise<tf.Tensor4D> => {
    const values = await io.read(key);
    return tf.tidy(() => tf.transpose(tf.tensor4d(values, [...io.shape(key)] as [number, number, number, number]), [0, 2, 3, 1]));
  };
  beforeAll(async () => {
    await useBackend('wasm');
    source = await safetensorsFile('fixtures/sd3/vae.original.safetensors');
    io = await safetensorsFile('fixtures/sd3/vae.io.safetensors');
    map = (JSON.parse(await readFile('fixtures/sd3/keymap_vae.json', 'utf8')) as { map: [string, string][] }).map;
  });

  it('encodes and decodes as the reference does, without a config, and frees everything', async () => {
    const [image, latent, wanted, decoded] = [await picture('enc.image'), await picture('dec.latent'), await picture('enc.latent_from_mean'), await picture('dec.image')];
    await expectNoLeak(async () => {
      const vae = await loadAutoencoder(source);
      expect([vae.latentChannels, vae.downscale]).toEqual([16, 8]);
      const [found, pixels] = [await vae.encode(image), await vae.decode(latent)];
      expect(worst(found, wanted)).toBeLessThan(5e-5);
      const clamped = tf.clipByValue(decoded, -1, 1);
      expect(worst(pixels, clamped)).toBeLessThan(5e-5);
      tf.dispose([found, pixels, clamped]);
      vae.dispose();
    });
  });

  it('knows every tensor of the key map by both names', () => {
    expect(map.length).toBeGreaterThan(200);
    expect(map.map(([, name]) => originalVaeKey(name, ORIGINAL_VAE_PREFIX, LEVELS).key)).toEqual(map.map(([key]) => ORIGINAL_VAE_PREFIX + key));
    expect(originalVaeKey('quant_conv.weight', '', LEVELS)).toEqual({ key: 'quant_conv.weight' });
  });

  it('reads diffusers’ layout, with its linear attention, to the same bits', async () => {
    const linear = (shape: readonly number[], name: string) => (/attentions.*(to_[qkv]|to_out\.0)\.weight$/.test(name) ? shape.slice(0, 2) : shape);
    const renamed = under(source, new Map(map.map(([key, name]) => [name, ORIGINAL_VAE_PREFIX + key])), linear);
    const [vae, other] = [await loadAutoencoder(source), await loadAutoencoder(renamed, { _class_name: 'AutoencoderKL', scaling_factor: 1.5305, shift_factor: 0.0609, norm_num_groups: 32 })];
    const latent = await picture('dec.latent');
    expect(worst(await other.decode(latent), await vae.decode(latent))).toBe(0);
    const image = await picture('enc.image');
    expect(worst(await other.encode(image), await vae.encode(image))).toBe(0);
    [vae, other].forEach((one) => one.dispose());
  });

  it('draws and reads large pictures in tiles: nearly the same as at once, and no cut to be seen', async () => {
    const weights = await loadKlWeights(source, undefined);
    const latent = tf.tensor4d(normal([16 * 20 * 16], { seed: 1, purpose: 'test', step: 0 }), [1, 16, 20, 16]);
    const whole = await klPixels(weights, latent);
    await expectNoLeak(async () => {
      const tiled = await klPixels(weights, latent, { tile: 8 });
      const difference = tf.sub(tiled, whole);
      expect(cutRatio(difference, [0, 1, 2].map((i) => 8 * Math.round((i * 20) / 3)).slice(1))).toBeLessThan(1.3);
      expect(relativeRms(tiled, whole)).toBeLessThan(0.04); // 0.025 measured on tiles this small: the first run's averages stem from the tiles' own
      tf.dispose([tiled, difference]);
      let gaps = 0;
      await expect(klPixels(weights, latent, { tile: 8 }, async () => { if (++gaps === 100) throw new Error('stop'); })).rejects.toThrow('stop');
    });
    const moments = await klMoments(weights, whole);
    await expectNoLeak(async () => {
      const tiled = await klMoments(weights, whole, { tile: 8 });
      expect(relativeRms(tiled, moments)).toBeLessThan(0.06); // 0.040
      tiled.dispose();
    });
    await expect(klMoments(weights, tf.zeros([1, 12, 16, 3]))).rejects.toThrow('multiples of 8');
    disposeKlWeights(weights);
  });

  it('reads one half alone, and says what is wrong with a file', async () => {
    const only = (half: string) => under(source, new Map(source.keys().filter((key) => key.startsWith(ORIGINAL_VAE_PREFIX + half)).map((key) => [key, key])));
    const [encoder, decoder] = [await loadAutoencoder(only('encoder')), await loadAutoencoder(only('decoder'))];
    expect([encoder, decoder].map(({ latentChannels, downscale }) => [latentChannels, downscale])).toEqual([[16, 8], [16, 8]]);
    await expect(encoder.decode(tf.zeros([1, 2, 2, 16]))).rejects.toThrow('without its decoder');
    await expect(decoder.encode(tf.zeros([1, 8, 8, 3]))).rejects.toThrow('without its encoder');
    [encoder, decoder].forEach((one) => one.dispose());
    await expect(loadAutoencoder(source, { _class_name: 'AutoencoderKL', norm_num_groups: 24 })).rejects.toMatchObject({ code: 'base-mismatch', subject: 'vae/config.json' });
    await expect(loadAutoencoder({ ...source, keys: () => [...source.keys(), `${ORIGINAL_VAE_PREFIX}decoder.extra`] })).rejects.toMatchObject({ code: 'tensor-unknown' });
    await expect(loadAutoencoder({ ...source, has: (key) => !key.endsWith('decoder.mid.attn_1.q.weight') && source.has(key) })).rejects.toMatchObject({ code: 'tensor-missing', subject: `${ORIGINAL_VAE_PREFIX}decoder.mid.attn_1.q.weight` });
  });

  it('takes several pictures, each by itself', async () => {
    const vae = await loadAutoencoder(source);
    const image = await picture('enc.image');
    const other = tf.mul(image, -0.5) as tf.Tensor4D;
    await expectNoLeak(async () => {
      const both = tf.concat([image, other]) as tf.Tensor4D;
      const [together, first, second] = [await vae.encode(both), await vae.encode(image), await vae.encode(other)];
      const apart = tf.concat([first, second]);
      expect(worst(together, apart)).toBe(0);
      expect(worst(first, second)).toBeGreaterThan(0.1);
      tf.dispose([both, together, first, second, apart]);
    });
    vae.dispose();
  });

  it('lets others in between layers', async () => {
    const vae = await loadAutoencoder(source);
    const latent = tf.zeros([1, 2, 2, 16]) as tf.Tensor4D;
    await expectNoLeak(async () => {
      let layers = 0;
      await expect(vae.decode(latent, async () => { if (++layers === 5) throw new Error('enough'); })).rejects.toThrow('enough');
      expect(layers).toBe(5);
    });
    vae.dispose();
  });
});

describe('tiles', () => {
  it('divide a side evenly and see what they need', () => {
    expect(tilesOf(20, 8, 3)).toEqual([
      { core: { from: 0, to: 7 }, around: { from: 0, to: 10 } }, { core: { from: 7, to: 13 }, around: { from: 4, to: 16 } }, { core: { from: 13, to: 20 }, around: { from: 10, to: 20 } },
    ]);
    expect(tilesOf(64, 64, 8)).toEqual([{ core: { from: 0, to: 64 }, around: { from: 0, to: 64 } }]);
  });
});
