import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { folderFiles, safetensorsFile } from '../../testing/files';
import { Fault } from '../../protocol/faults';
import type { WeightSource } from '../weightSource';
import { disposeMmdit, loadMmdit, loraSites, textStates, velocity, velocityAsync, type MmditInput } from './index';

const files = folderFiles('public/base');
const values = (x: tf.Tensor) => x.dataSync<'float32'>();

/** The golden evaluation of the embedded base: input and expected velocity, NHWC. */
async function goldenCase(): Promise<{ input: MmditInput; wanted: tf.Tensor4D }> {
  const file = await safetensorsFile('fixtures/base/golden.safetensors');
  const read = async (key: string) => tf.tensor(await file.read(key), [...file.shape(key)]);
  const picture = async (key: string) => tf.transpose(await read(key), [0, 2, 3, 1]) as tf.Tensor4D;
  const x = tf.mul(tf.add(await picture('noise'), await picture('picture_latent')), 0.5) as tf.Tensor4D;
  const rows = x.shape[0];
  return {
    input: { x, sigma: Array<number>(rows).fill(0.5), context: tf.slice(await read('context') as tf.Tensor3D, 0, rows), pooled: tf.slice(await read('pooled') as tf.Tensor2D, 0, rows) },
    wanted: await picture('velocity'),
  };
}
const load = async (options = {}) => loadMmdit(await files.weights('transformer'), await files.json('transformer/config.json'), options);

describe('mmdit', () => {
  beforeAll(() => useBackend('wasm'));

  it('reproduces the golden velocity, also from part of the position table and with pauses between blocks', async () => {
    const { input, wanted } = await goldenCase();
    const model = await load();
    const found = velocity(model, input, null, null);
    expect(values(tf.max(tf.abs(tf.sub(found, wanted))))[0]).toBeLessThan(5e-5);
    let pauses = 0;
    const paced = await velocityAsync(model, input, null, null, async () => { pauses++; });
    expect(values(paced)).toEqual(values(found));
    expect(pauses).toBe(model.blocks.length);
    const cropped = await load({ maxPatches: 10 });
    expect(cropped.positions.shape).toEqual([10, 10, 256]);
    expect(values(velocity(cropped, input, null, null))).toEqual(values(found));
    [model, cropped].forEach(disposeMmdit);
  });

  it('leaves blocks out when asked to, as if they were not there', async () => {
    const { input } = await goldenCase();
    const model = await load();
    const pause = async () => {};
    const plain = values(velocity(model, input, null, null));
    expect(values(await velocityAsync(model, input, null, null, pause, []))).toEqual(plain);
    const without = values(await velocityAsync(model, input, null, null, pause, [1, 3]));
    expect(without).not.toEqual(plain);
    const shorter = { ...model, blocks: model.blocks.filter(({ index }) => index !== 1 && index !== 3) };
    expect(values(velocity(shorter, input, null, null))).toEqual(without);
    disposeMmdit(model);
  });

  it('names eight sites a block, one fewer in the last', async () => {
    const model = await load();
    const names = loraSites(model).map(({ name }) => name);
    expect(names).toHaveLength(47);
    expect(names.slice(0, 8).map((name) => name.replace('transformer_blocks.0.attn.', ''))).toEqual(['to_q', 'to_k', 'to_v', 'to_out.0', 'add_q_proj', 'add_k_proj', 'add_v_proj', 'to_add_out']);
    expect(names).not.toContain('transformer_blocks.5.attn.to_add_out');
    disposeMmdit(model);
  });

  it('puts a concept row where [V] stands and nowhere else', async () => {
    const { input } = await goldenCase();
    const model = await load();
    const states = await textStates(model, input);
    expect(states.map(({ shape }) => shape)).toEqual(Array(6).fill([4, 24, 256]));
    const plain = values(velocity(model, input, null, null));
    const size = plain.length / 4;
    // the base's own states of sample 2 as rows: only that sample keeps its velocity, a sample without [V] keeps it anyway
    const own = tf.concat(states.map((state) => tf.reshape(tf.slice(state, [2, 3, 0], [1, 1, 256]), [1, 256])), 0) as tf.Tensor2D;
    const changed = values(velocity(model, input, null, { rows: own, at: [-1, 3, 3, -1], pooledDelta: null }));
    const distance = (sample: number) => Math.max(...plain.subarray(sample * size, (sample + 1) * size).map((v, i) => Math.abs(v - changed[sample * size + i]!)));
    expect(distance(0)).toBeLessThan(1e-5);
    expect(distance(3)).toBeLessThan(1e-5);
    expect(distance(2)).toBeLessThan(1e-5);
    expect(distance(1)).toBeGreaterThan(1e-2);
    disposeMmdit(model);
  });

  it('is the base, bit for bit, under a fresh adapter (b = 0)', async () => {
    const { input } = await goldenCase();
    const model = await load();
    const fresh = Object.fromEntries(loraSites(model).map(({ name, inFeatures, outFeatures }) => [name, { a: tf.ones([inFeatures, 4]) as tf.Tensor2D, b: tf.zeros([4, outFeatures]) as tf.Tensor2D, scale: 1 }]));
    expect(values(velocity(model, input, fresh, null))).toEqual(values(velocity(model, input, null, null)));
    disposeMmdit(model);
  });

  it('frees everything', async () => {
    const { input } = await goldenCase();
    await expectNoLeak(async () => {
      const model = await load();
      velocity(model, input, null, null).dispose();
      (await textStates(model, input)).forEach((state) => state.dispose());
      disposeMmdit(model);
    });
  });

  it('refuses missing, unknown and misshapen tensors, and a config of another model', async () => {
    const whole = await files.weights('transformer');
    const fault = (source: Partial<WeightSource>, config?: unknown) => loadMmdit({ ...whole, ...source }, config).then(() => null, (error: unknown) => error);
    const gone = 'transformer_blocks.3.ff.net.2.bias';
    expect(Fault.is(await fault({ has: (key) => key !== gone && whole.has(key) }), 'tensor-missing')).toBe(true);
    expect(await fault({ keys: () => [...whole.keys(), 'transformer_blocks.6.surprise'] })).toMatchObject({ code: 'tensor-unknown', subject: 'transformer_blocks.6.surprise' });
    expect(await fault({ shape: (key) => (key === gone ? [255] : whole.shape(key)) })).toMatchObject({ code: 'tensor-shape', subject: gone });
    expect(Fault.is(await fault({}, { num_layers: 7 }), 'base-mismatch')).toBe(true);
  });
});
