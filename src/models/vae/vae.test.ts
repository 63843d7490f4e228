import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { folderFiles, safetensorsFile } from '../../testing/files';
import type { WeightSource } from '../weightSource';
import { decode, decodeAsync, disposeTinyAutoencoder, encode, loadTinyAutoencoder } from './index';

const files = folderFiles('public/base');
const load = async (pick: (key: string) => boolean = () => true) => {
  const whole = await files.weights('vae');
  const part: WeightSource = { ...whole, keys: () => whole.keys().filter(pick), has: (key) => pick(key) && whole.has(key) };
  return loadTinyAutoencoder(part, await files.json('vae/config.json'));
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
      const [found, pixels] = [encode(vae, picture), decode(vae, latent8)];
      expect(worst(found, latent)).toBeLessThan(5e-5); // float32 rounding through ten convolutions
      expect(worst(pixels, pixels8)).toBeLessThan(5e-5);
      tf.dispose([found, pixels]);
      disposeTinyAutoencoder(vae);
    });
  });

  it('can be built from the decoder alone', async () => {
    const vae = await load((key) => key.startsWith('decoder.'));
    expect(vae.encoder).toBeNull();
    expect(vae.latentChannels).toBe(16);
    const pixels = decode(vae, tf.zeros([1, 2, 3, 16]));
    expect(pixels.shape).toEqual([1, 16, 24, 3]);
    expect(() => encode(vae, pixels)).toThrow('without its encoder');
  });

  it('decodes the same in steps, and can be stopped between layers without a leak', async () => {
    const vae = await load((key) => key.startsWith('decoder.'));
    const latent = tf.randomNormal([1, 4, 4, 16], 0, 1, 'float32', 3) as tf.Tensor4D;
    const whole = decode(vae, latent);
    await expectNoLeak(async () => {
      const stepwise = await decodeAsync(vae, latent, async () => 'go');
      expect(worst(stepwise!, whole)).toBe(0);
      stepwise!.dispose();
      let layers = 0;
      expect(await decodeAsync(vae, latent, async () => (++layers === 3 ? 'stop' : 'go'))).toBeNull();
      expect(layers).toBe(3);
    });
    tf.dispose([latent, whole]);
    disposeTinyAutoencoder(vae);
  });
});
