import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { folderFiles, safetensorsFile } from '../../testing/files';
import { noise } from '../../testing/kernels/suite';
import { adapterSource } from '../../testing/pictureAdapter';
import { disposeClipVision, encodeImage, imageStates, loadClipVision } from '../clip';
import { packedLayer } from '../weights';
import { disposePictureAdapter, encodeTokens, loadPictureAdapter, type PictureAdapter } from './index';

const random = <T extends tf.Tensor>(shape: number[], seed: number): T => tf.tensor(noise(shape.reduce((a, b) => a * b, 1), seed), shape) as T;
const states = (seed = 1, batch = 1): tf.Tensor3D[] => [random([batch, 5, 12], seed), random([batch, 5, 12], seed + 1)];
const moved = (x: ArrayLike<number>, y: ArrayLike<number>) => Math.max(...Array.from(x, (value, i) => Math.abs(value - y[i]!)));

beforeAll(async () => void (await useBackend('wasm')));

describe('the file', () => {
  it('tells kind, base, tower layers and sizes', async () => {
    const object = await loadPictureAdapter(adapterSource());
    expect(object).toMatchObject({ kind: 'object', base: 'embedded', towerLayers: [1, 2], towerWidth: 12, tokens: { count: 3, width: 8 }, identityWidth: null, lora: null });
    expect([...object.cross.blocks.keys()]).toEqual([0, 2]);
    const identity = await loadPictureAdapter(adapterSource({ kind: 'identity', lora: [['transformer_blocks.0.attn.to_q', 16, 16]] }));
    expect(identity).toMatchObject({ kind: 'identity', identityWidth: 14 });
    const pair = identity.lora!['transformer_blocks.0.attn.to_q']!;
    expect([pair.a.shape, pair.b.shape, pair.scale]).toEqual([[16, 2], [2, 16], 1]);
    const stored = await adapterSource({ kind: 'identity', lora: [['transformer_blocks.0.attn.to_q', 16, 16]] }).read('transformer.transformer_blocks.0.attn.to_q.lora_A.weight');
    expect(pair.a.dataSync()[2 * 5 + 1]).toBe(stored[16 + 5]); // [2,16] in the file, turned here
    [object, identity].forEach(disposePictureAdapter);
  });

  it.each([
    ['a tensor missing', { 'resampler.norm_out.weight': null }, {}, 'tensor-missing', 'resampler.norm_out.weight'],
    ['a layer’s projection missing', { 'cross.2.to_out.weight': null }, {}, 'tensor-missing', 'cross.2.to_out.weight'],
    ['a tensor too many', { 'resampler.extra.weight': [2, 2] }, {}, 'tensor-unknown', 'resampler.extra.weight'],
    ['a layer that does not follow', { 'resampler.layers.7.to_q.weight': [64, 64] }, {}, 'tensor-unknown', 'resampler.layers.7.to_q.weight'],
    ['a wrong shape', { 'cross.0.to_kv.weight': [128, 9] }, {}, 'tensor-shape', 'cross.0.to_kv.weight'],
    ['heads that do not come out', { 'cross.0.to_q.weight': [96, 16] }, {}, 'base-mismatch', 'cross.0.to_q.weight'],
    ['no cross-attention', Object.fromEntries(adapterSource().keys().filter((key) => key.startsWith('cross.')).map((key) => [key, null])), {}, 'tensor-missing', 'cross.0.norm_image.weight'],
    ['another kind', {}, { 'lamina.adapter': 'style' }, 'base-mismatch', 'lamina.adapter'],
    ['no layers', {}, { 'lamina.layers': '' }, 'base-mismatch', 'lamina.layers'],
    ['more layers than scales', {}, { 'lamina.layers': '1,2,3' }, 'tensor-missing', 'resampler.norm_in.2.weight'],
    ['fewer layers than scales', {}, { 'lamina.layers': '1' }, 'tensor-unknown', 'resampler.norm_in.1.weight'],
    ['an identity without its tokens', {}, { 'lamina.adapter': 'identity' }, 'tensor-missing', 'resampler.identity.0.weight'],
  ] as const)('refuses %s by name', async (_, change, metadata, code, subject) => {
    await expect(loadPictureAdapter(adapterSource({}, change as Record<string, number[] | null>, metadata))).rejects.toMatchObject({ code, subject });
  });
});

describe('tokens', () => {
  let object: PictureAdapter;
  let identity: PictureAdapter;
  beforeAll(async () => {
    object = await loadPictureAdapter(adapterSource());
    identity = await loadPictureAdapter(adapterSource({ kind: 'identity' }));
  });
  afterAll(() => [object, identity].forEach(disposePictureAdapter));
  const tokensOf = async (adapter: PictureAdapter, hidden: tf.Tensor3D[], who: tf.Tensor2D | null = null) => {
    const made = await encodeTokens(adapter, { hidden, identity: who });
    const values = await made.data();
    made.dispose();
    return values;
  };

  it('are N of the adapter’s width, the same for the same states, row by row, and leave nothing behind', async () => {
    const [hidden, other] = [states(), states(7)];
    const first = await tokensOf(object, hidden);
    expect(first).toHaveLength(3 * 8);
    expect(await tokensOf(object, states())).toEqual(first);
    const both = await tokensOf(object, [0, 1].map((s) => tf.concat([hidden[s]!, other[s]!], 0) as tf.Tensor3D));
    expect(both).toHaveLength(2 * 24);
    expect(moved(both.slice(0, 24), first)).toBeLessThan(1e-6);
    expect(moved(both.slice(24), await tokensOf(object, other))).toBeLessThan(1e-6);
    await expectNoLeak(() => tokensOf(object, hidden));
  });

  it('read every scale, and an identity’s who beside them', async () => {
    const [a, b] = states();
    const first = await tokensOf(object, [a!, b!]);
    for (const changed of [[random<tf.Tensor3D>([1, 5, 12], 30), b!], [a!, random<tf.Tensor3D>([1, 5, 12], 30)]]) expect(moved(await tokensOf(object, changed), first)).toBeGreaterThan(1e-2);
    const who = (seed: number) => random<tf.Tensor2D>([1, 14], seed);
    expect(moved(await tokensOf(identity, [a!, b!], who(1)), await tokensOf(identity, [a!, b!], who(2)))).toBeGreaterThan(1e-2);
    await expect(encodeTokens(identity, { hidden: [a!, b!], identity: null })).rejects.toThrow(/identity adapter/);
  });

  it('are the same bits in half precision, where the file’s numbers are halves', async () => {
    const file = () => safetensorsFile('fixtures/adapter/wide/model.safetensors');
    const [whole, half] = [await loadPictureAdapter(await file()), await loadPictureAdapter(await file(), 'identity', packedLayer({ precision: 'f16' }))];
    const hidden = [1, 2].map((seed) => random<tf.Tensor3D>([1, 17, 32], seed));
    expect(half.resampler.layers[0]!.up.sizeBytes).toBe(whole.resampler.layers[0]!.up.sizeBytes / 2);
    expect(half.cross.blocks.get(2)!.kv.sizeBytes).toBe(whole.cross.blocks.get(2)!.kv.sizeBytes / 2);
    expect(await tokensOf(half, hidden, random<tf.Tensor2D>([1, 44], 3))).toEqual(await tokensOf(whole, hidden, random<tf.Tensor2D>([1, 44], 3)));
    [whole, half].forEach(disposePictureAdapter);
  });

  it('let go of everything when they are broken off', async () => {
    const hidden = states();
    await expectNoLeak(() => expect(encodeTokens(object, { hidden, identity: null }, async () => { throw new Error('stop'); })).rejects.toThrow('stop'));
  });
});

describe('the tower’s states', () => {
  it('are those after the layers asked for, the embedding as encodeImage has it', async () => {
    const files = folderFiles('public/base');
    const vision = await loadClipVision(await files.weights('image_encoder'), await files.json('image_encoder/config.json'));
    const pixels = random<tf.Tensor4D>([1, 128, 128, 3], 3);
    const all = await imageStates(vision, pixels, [1, 2, 3, 4]);
    expect(all.hidden.map(({ shape }) => shape)).toEqual(Array.from({ length: 4 }, () => [1, 65, 192]));
    expect(all.embedding.dataSync()).toEqual(encodeImage(vision, pixels).dataSync());
    const some = await imageStates(vision, pixels, [3, 1, 3]);
    expect(some.hidden.map((state) => state.dataSync())).toEqual([all.hidden[2]!, all.hidden[0]!, all.hidden[2]!].map((state) => state.dataSync()));
    expect(moved(all.hidden[0]!.dataSync(), all.hidden[1]!.dataSync())).toBeGreaterThan(1e-3);
    await expectNoLeak(async () => {
      const again = await imageStates(vision, pixels, [2, 2]);
      tf.dispose([again.embedding, ...again.hidden]);
    });
    await expect(imageStates(vision, pixels, [5])).rejects.toThrow(/layers 5 of an image encoder of 4/);
    let gaps = 0;
    await expectNoLeak(() => expect(imageStates(vision, pixels, [1], async () => { if (++gaps === 2) throw new Error('stop'); })).rejects.toThrow('stop'));
    disposeClipVision(vision);
  });
});
