import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor4D } from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { drainAsync } from '../steps';
import type { WeightSource } from '../weightSource';
import { disposeIdentityEncoder, identityVectors, identityVjp, loadIdentityEncoder } from './index';

const config = { image_size: 64, width: 12, head: [0.16, 0.05, 0.68] };
const worst = (found: tf.Tensor, wanted: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(found, wanted))).dataSync()[0]!);
const largest = (x: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(x)).dataSync()[0]!);

describe('identity encoder', () => {
  let source: WeightSource;
  let io: WeightSource;
  const picture = async (key: string) => tf.transpose(tf.tensor4d(await io.read(key), [2, 3, 64, 64]), [0, 2, 3, 1]) as Tensor4D;
  const table = async (key: string) => tf.tensor2d(await io.read(key), [2, 12]) as Tensor2D;
  beforeAll(async () => {
    await useBackend('wasm');
    source = await safetensorsFile('fixtures/identity/encoder.safetensors');
    io = await safetensorsFile('fixtures/identity/io.safetensors');
  });

  it('gives PyTorch’s vectors and its gradient in the pixels, and frees everything', async () => {
    const [pixels, vectors, direction, gradient] = [await picture('pixels'), await table('vectors'), await table('direction'), await picture('gradient')];
    await expectNoLeak(async () => {
      const model = await loadIdentityEncoder(source, config);
      expect([model.imageSize, model.width, model.head]).toEqual([64, 12, [0.16, 0.05, 0.68]]);
      const found = await identityVectors(model, pixels);
      expect(worst(found, vectors)).toBeLessThan(1e-5);
      const run = await identityVjp(model, pixels);
      expect(worst(run.output, found)).toBe(0);
      const dx = await drainAsync(run.backward(direction), async () => {});
      expect(worst(dx, gradient)).toBeLessThan(1e-4 * largest(gradient));
      tf.dispose([found, run.output, dx]);
      disposeIdentityEncoder(model);
    });
  });

  it('can be stopped between layers, forward and backward, without a leak', async () => {
    const pixels = await picture('pixels');
    const direction = await table('direction');
    await expectNoLeak(async () => {
      const model = await loadIdentityEncoder(source, config);
      const after = (layers: number) => { let seen = 0; return async () => { if (++seen === layers) throw new Error('enough'); }; };
      await expect(identityVjp(model, pixels, after(3))).rejects.toThrow('enough');
      const run = await identityVjp(model, pixels);
      await expect(drainAsync(run.backward(direction), after(2))).rejects.toThrow('enough');
      const unused = await identityVjp(model, pixels);
      unused.dispose();
      tf.dispose([run.output, unused.output]);
      disposeIdentityEncoder(model);
    });
  });

  it('names what is wrong with a file', async () => {
    await expect(loadIdentityEncoder(source, { image_size: 'large' })).rejects.toMatchObject({ code: 'base-mismatch', subject: 'identity_encoder/config.json' });
    await expect(loadIdentityEncoder(source, { image_size: 32 })).rejects.toMatchObject({ code: 'tensor-shape', subject: 'out.weight' });
    await expect(loadIdentityEncoder({ ...source, keys: () => [...source.keys(), 'more'] }, config)).rejects.toMatchObject({ code: 'tensor-unknown' });
    await expect(loadIdentityEncoder({ ...source, has: (key) => key !== 'blocks.1.na.weight' && source.has(key) }, config)).rejects.toMatchObject({ code: 'tensor-missing', subject: 'blocks.1.na.weight' });
  });
});
