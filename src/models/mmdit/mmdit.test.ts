import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import '@tensorflow/tfjs-backend-wasm';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { folderFiles, safetensorsFile } from '../../testing/files';
import { loadMmdit, velocity, disposeMmdit } from './index';

describe('mmdit', () => {
  beforeAll(async () => {
    setWasmPaths('node_modules/@tensorflow/tfjs-backend-wasm/dist/');
    await tf.setBackend('wasm');
    await tf.ready();
  });
  it('reproduces the golden velocity', async () => {
    const files = folderFiles('public/base');
    const model = await loadMmdit(await files.weights('transformer'), await files.json('transformer/config.json'));
    const g = await safetensorsFile('fixtures/base/golden.safetensors');
    const read = async (k: string, n: number) => { const s = [...g.shape(k)]; s[0] = n; const t = tf.tensor(await g.read(k), [...g.shape(k)]); return tf.slice(t, [0], [n]); };
    const noise = await read('noise', 4), latent = await read('picture_latent', 4);
    const x = tf.transpose(tf.mul(tf.add(noise, latent), 0.5), [0, 2, 3, 1]) as tf.Tensor4D;
    const context = await read('context', 4) as tf.Tensor3D, pooled = await read('pooled', 4) as tf.Tensor2D;
    const before = tf.memory().numTensors;
    const v = velocity(model, { x, sigma: [.5, .5, .5, .5], context, pooled }, null, null);
    v.dataSync();
    expect(tf.memory().numTensors).toBe(before + 1);
    const want = tf.transpose(await read('velocity', 4), [0, 2, 3, 1]);
    const error = tf.max(tf.abs(tf.sub(v, want))).dataSync()[0]!;
    expect(error).toBeLessThan(5e-4);
    disposeMmdit(model);
  });
});
