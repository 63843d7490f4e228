import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { folderFiles, safetensorsFile } from '../../testing/files';
import type { WeightSource } from '../weightSource';
import { loadAutoencoder } from './index';

const files = folderFiles('public/base');
const load = async (pick: (key: string) => boolean = () => true) => {
  const whole = await files.weights('vae');
  const part: WeightSource = { ...whole, keys: () => whole.keys().filter(pick), has: (key) => pick(key) && whole.has(key) };
  return loadAutoencoder(part, await files.json('vae/config.json'));
};
const worst = (found: tf.Tensor, wanted: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(found, wanted))).dataSync()[0]!);

describe('tiny autoencoder', () => {
  let golden: (key: string, channels: number, side: number) => Promise<tf.Tensor4D>;
  beforeAll(async () => {
    await useBackend('wasm');
    const file = await safetensorsFile('fixtures/base/golden.safetensors');
    golden = async (key, channels, side) => {
      const values = await file.read(key);
      return tf.tidy(() => tf.transpose(tf.tensor4d(values, [4, channels, side, side]), [0, 2, 3, 1]));
    };
  });

  it('encodes and decodes as PyTorch does, and frees everything', async () => {
    const [picture, latent, latent8, pixels8] = [await golden('picture', 3, 128), await golden('picture_latent', 16, 16), await golden('latent_8', 16, 16), await golden('pixels_8', 3, 128)];
    await expectNoLeak(async () => {
      const vae = await load();
      const [found, pixels] = [await vae.encode(picture), await vae.decode(latent8)];
      expect(worst(found, latent)).toBeLessThan(5e-5); // float32 rounding through ten convolutions
      expect(worst(pixels, pixels8)).toBeLessThan(5e-5);
      tf.dispose([found, pixels]);
      vae.dispose();
    });
  });

  it('can be built from the decoder alone', async () => {
    const vae = await load((key) => key.startsWith('decoder.'));
    expect([vae.latentChannels, vae.downscale]).toEqual([16, 8]);
    const pixels = await vae.decode(tf.zeros([1, 2, 3, 16]));
    expect(pixels.shape).toEqual([1, 16, 24, 3]);
    await expect(vae.encode(pixels)).rejects.toThrow('without its encoder');
    expect((await load((key) => key.startsWith('encoder.'))).downscale).toBe(8);
  });

  it('decodes with a gradient in the latent that agrees with central differences, to the same bits', async () => {
    const latent = tf.mul(tf.randomNormal([1, 4, 4, 16], 0, 1, 'float32', 3), 0.5) as tf.Tensor4D;
    const [weight, direction] = [tf.randomNormal([1, 32, 32, 3], 0, 1, 'float32', 4) as tf.Tensor4D, tf.randomNormal([1, 4, 4, 16], 0, 1, 'float32', 5) as tf.Tensor4D];
    await expectNoLeak(async () => {
      const vae = await load((key) => key.startsWith('decoder.'));
      const run = await vae.decodeVjp!(latent);
      const pixels = await vae.decode(latent);
      expect(worst(run.pixels, pixels)).toBe(0);
      const gradient = await run.pullback(weight);
      const found = tf.tidy(() => tf.sum(tf.mul(gradient, direction)).dataSync()[0]!);
      const value = async (sign: number) => {
        const moved = tf.tidy(() => tf.add(latent, tf.mul(direction, sign * 5e-4)) as tf.Tensor4D);
        const drawn = await vae.decode(moved);
        const sum = tf.tidy(() => tf.sum(tf.mul(drawn, weight)).dataSync()[0]!);
        tf.dispose([moved, drawn]);
        return sum;
      };
      const numeric = ((await value(1)) - (await value(-1))) / 1e-3;
      expect(Math.abs(numeric)).toBeGreaterThan(1);
      expect(Math.abs(found - numeric)).toBeLessThan(0.05 * Math.abs(numeric)); // ReLUs and the clamp have kinks, fewer of them within a small step
      (await vae.decodeVjp!(latent).then((unused) => (unused.dispose(), unused.pixels))).dispose();
      tf.dispose([run.pixels, pixels, gradient]);
      vae.dispose();
    });
    tf.dispose([latent, weight, direction]);
  });

  it('lets others in between layers, and can be stopped there without a leak', async () => {
    const vae = await load((key) => key.startsWith('decoder.'));
    const latent = tf.randomNormal([1, 4, 4, 16], 0, 1, 'float32', 3) as tf.Tensor4D;
    await expectNoLeak(async () => {
      let layers = 0;
      const stop = async () => { if (++layers === 3) throw new Error('enough'); };
      await expect(vae.decode(latent, stop)).rejects.toThrow('enough');
      expect(layers).toBe(3);
    });
    latent.dispose();
    vae.dispose();
  });

  it.each(['AutoencoderDC', 'toString'])('refuses one of the class %s', async (_class_name) => {
    await expect(loadAutoencoder(await files.weights('vae'), { ...(await files.json('vae/config.json') as object), _class_name })).rejects.toMatchObject({ code: 'base-mismatch', subject: 'vae/config.json' });
  });

  it('is known by its keys where no config tells, and named where it is not what the config says', async () => {
    const vae = await loadAutoencoder(await files.weights('vae'));
    expect([vae.latentChannels, vae.downscale]).toEqual([16, 8]);
    vae.dispose();
    await expect(loadAutoencoder(await files.weights('vae'), { _class_name: 'AutoencoderKL' })).rejects.toMatchObject({ code: 'tensor-missing', subject: 'decoder.conv_in.weight' });
  });

  it.each(['encoder', 'decoder'] as const)('reads the original’s separate file of the %s to the same bits', async (half) => {
    const whole = await files.weights('vae');
    const first = half === 'decoder' ? 1 : 0;
    const keys = new Map(whole.keys().filter((key) => key.startsWith(`${half}.`)).map((key) => {
      const [, number, rest] = /layers\.(\d+)\.(.*)/.exec(key)!;
      return [`${Number(number) + first}.${rest}`, key];
    }));
    expect([`${first}.weight`, `${first}.bias`].every((key) => keys.has(key))).toBe(true);
    const bare: WeightSource = { keys: () => [...keys.keys()], has: (key) => keys.has(key), shape: (key) => whole.shape(keys.get(key)!), read: (key) => whole.read(keys.get(key)!), readRows: (key, from, to) => whole.readRows(keys.get(key)!, from, to) };
    const [vae, other] = [await load(), await loadAutoencoder(bare, await files.json('vae/config.json'))];
    const picture = tf.randomNormal([1, 16, 24, half === 'decoder' ? 16 : 3], 0, 1, 'float32', 3) as tf.Tensor4D;
    const run = (one: typeof vae) => (half === 'decoder' ? one.decode(picture) : one.encode(picture));
    expect(worst(await run(other), await run(vae))).toBe(0);
    expect([other.latentChannels, other.downscale]).toEqual([16, 8]);
    [vae, other].forEach((one) => one.dispose());
    await expect(loadAutoencoder({ ...bare, keys: () => [...bare.keys(), '7.skip.weight'] })).rejects.toMatchObject({ code: 'tensor-unknown', subject: '7.skip.weight' });
  });
});
