import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../protocol/faults';
import { useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { loadClipText } from '../clip';
import { loadClipVision } from '../clip/vision';
import { loadT5 } from '../t5';
import { loadAutoencoder } from '../vae';
import type { WeightSource } from '../weightSource';
import { namesOf } from './names';
import { recogniseParts, type Found, type FoundPart } from './parts';
import { planPart } from './plan';

type Shapes = Record<string, readonly number[]>;

const partOf = (path: string, shapes: Shapes, kind = 'F16'): FoundPart => {
  const { parts } = recogniseParts([{ path, tensors: Object.entries(shapes).map(([key, shape]): Found => ({ path, key, dtype: kind, shape: [...shape] })) }]);
  expect(parts).toHaveLength(1);
  return parts[0]!;
};
const shapesOf = (source: WeightSource): Shapes => Object.fromEntries(source.keys().map((key) => [key, source.shape(key)]));
const without = (shapes: Shapes, ...gone: string[]): Shapes => Object.fromEntries(Object.entries(shapes).filter(([key]) => !gone.includes(key)));
const faultOf = (plan: () => unknown): Fault => {
  try {
    plan();
  } catch (error) {
    if (Fault.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was wrong with it');
};

/** The VAE's fixture under diffusers' names. */
async function diffusersVae(): Promise<WeightSource> {
  const source = await safetensorsFile('fixtures/sd3/vae.original.safetensors');
  const { map } = JSON.parse(await readFile('fixtures/sd3/keymap_vae.json', 'utf8')) as { map: [original: string, diffusers: string, transform: string][] };
  const keys = new Map(map.map(([original, diffusers]) => [diffusers, `first_stage_model.${original}`]));
  const at = (key: string) => keys.get(key)!;
  const flat = ([out = 0, inputs = 0, ...rest]: readonly number[], key: string) => (/attentions\.0\.to_.*weight$/.test(key) ? [out, inputs] : inputs ? [out, inputs, ...rest] : [out]);
  return { keys: () => [...keys.keys()], has: (key) => keys.has(key), shape: (key) => flat(source.shape(at(key)), key), read: (key) => source.read(at(key)), readRows: (key, from, to) => source.readRows(at(key), from, to) };
}

const fixtures: [string, string, () => Promise<WeightSource>, (source: WeightSource) => Promise<unknown>][] = [
  ['CLIP-L', 'clip_l.safetensors', () => safetensorsFile('fixtures/sd3/clip_l.safetensors'), (source) => loadClipText(source, { num_attention_heads: 2 })],
  ['CLIP-G', 'clip_g.safetensors', () => safetensorsFile('fixtures/sd3/clip_g.safetensors'), (source) => loadClipText(source, { num_attention_heads: 3 })],
  ['T5', 't5.safetensors', () => safetensorsFile('fixtures/sd3/t5.safetensors'), (source) => loadT5(source)],
  ['an image encoder', 'image_encoder.safetensors', () => safetensorsFile('public/base/image_encoder/model.safetensors'), (source) => loadClipVision(source, { num_attention_heads: 3 })],
  ['a tiny autoencoder', 'taesd3.safetensors', () => safetensorsFile('public/base/vae/diffusion_pytorch_model.safetensors'), (source) => loadAutoencoder(source)],
  ['an autoencoder', 'ae.safetensors', () => safetensorsFile('fixtures/sd3/vae.original.safetensors'), (source) => loadAutoencoder(source)],
  ['an autoencoder in diffusers’ layout', 'vae.safetensors', diffusersVae, (source) => loadAutoencoder(source)],
];

describe('the names that a network needs', () => {
  beforeAll(() => useBackend('wasm'));

  it.each(fixtures)('are those that the loader of %s reads, and each that lacks is told before anything is', async (_what, path, open, load) => {
    const source = await open();
    const read = new Set<string>();
    const counting: WeightSource = { ...source, read: (key) => { read.add(key); return source.read(key); }, readRows: (key, from, to) => { read.add(key); return source.readRows(key, from, to); } };
    await load(counting);
    const part = partOf(path, shapesOf(source));
    const { needed } = namesOf(part);
    expect(needed.map((name) => part.prefix + name).sort()).toEqual([...read].sort());
    expect(planPart(part).map(({ name }) => part.prefix + name)).toEqual([...source.keys()]);
    for (const name of needed) {
      const tensors = new Map([...part.tensors].filter(([key]) => key !== name));
      const { code, message, subject } = faultOf(() => planPart({ ...part, tensors }));
      expect(code, name).toBe('tensor-missing');
      // of a tiny autoencoder the numbers tell what a layer is: where its only tensor is gone its neighbour may be missed too
      if (path === 'taesd3.safetensors') continue;
      expect(message).toContain('1 of its tensors is missing');
      expect(subject).toBe(name);
    }
  });

  it('of the released SD3.5 Medium’s networks are all that its files have', async () => {
    const manifest = async (name: string) => (JSON.parse(await readFile(`fixtures/sd3/manifests/${name}.json`, 'utf8')) as { shapes: Shapes }).shapes;
    const whole = recogniseParts([{ path: 'sd3.5_medium.safetensors', tensors: Object.entries(await manifest('sd35_medium.original')).map(([key, shape]) => ({ path: 'sd3.5_medium.safetensors', key, dtype: 'F16', shape: [...shape] })) }]);
    const parts = [whole.parts.find(({ part }) => part === 'vae')!, partOf('clip_l.safetensors', await manifest('clip_l')), partOf('clip_g.safetensors', await manifest('clip_g'))];
    for (const part of parts) expect(planPart(part)).toHaveLength(part.tensors.size);
  });

  it('go on behind a layer that lacks as a whole, and say all that is wrong at once', async () => {
    const shapes = shapesOf(await safetensorsFile('fixtures/sd3/clip_g.safetensors'));
    const inLayer = Object.keys(shapes).filter((key) => key.includes('.layers.1.'));
    const { code, message, remedy, subject } = faultOf(() => planPart(partOf('clip_g.safetensors', { ...without(shapes, ...inLayer), 'text_model.encoder.layers.0.extra.weight': [1], 'text_model.more': [1] })));
    expect([code, inLayer.length]).toEqual(['tensor-missing', 16]);
    expect(message).toMatch(/^The text encoder CLIP-G in “clip_g.safetensors” is not complete: 16 of its tensors are missing, /);
    expect(message).toContain('; it has 2 tensors that models of this kind have no place for: “text_model.encoder.layers.0.extra.weight”, “text_model.more”.');
    expect(message.match(/“text_model\.encoder\.layers\.1\.[^”]*”/g)).toHaveLength(8);
    expect(message).toContain('”, …; it has');
    expect(remedy).toMatch(/unchanged file/);
    expect(subject).toMatch(/layers\.1\./);
    expect(faultOf(() => planPart(partOf('a', { ...shapes, 'text_model.more': [1] }))).message).toBe('The text encoder CLIP-L in “a” has 1 tensor that models of this kind have no place for: “text_model.more”.');
  });

  it('leave out what files carry along: positions, scales of the loss, the losses, a token table that is there twice', async () => {
    const [clip, t5, vae] = [await safetensorsFile('fixtures/sd3/clip_l.safetensors'), await safetensorsFile('fixtures/sd3/t5.safetensors'), await safetensorsFile('fixtures/sd3/vae.original.safetensors')];
    const at = 'first_stage_model.';
    const beside: [string, Shapes, Shapes][] = [
      ['clip_l.safetensors', shapesOf(clip), { 'text_model.embeddings.position_ids': [1, 77], 'text_model.logit_scale': [], logit_scale: [], 'text_projection.weight': [32, 32] }],
      ['t5.safetensors', shapesOf(t5), { 'encoder.embed_tokens.weight': [128, 96], spiece_model: [4] }],
      ['ae.safetensors', shapesOf(vae), { [`${at}quant_conv.weight`]: [32, 32, 1, 1], [`${at}quant_conv.bias`]: [32], [`${at}post_quant_conv.weight`]: [16, 16, 1, 1], [`${at}post_quant_conv.bias`]: [16], [`${at}loss.logvar`]: [], [`${at}loss.discriminator.main.0.weight`]: [1] }],
    ];
    for (const [path, shapes, more] of beside) {
      const tensors = Object.entries({ ...shapes, ...more }).map(([key, shape]) => ({ path, key, dtype: 'F16', shape: [...shape] }));
      const { parts, unknown } = recogniseParts([{ path, tensors }]);
      expect([parts.length, unknown]).toEqual([1, []]);
      const planned = new Set(planPart(parts[0]!).map(({ from }) => from.key));
      for (const key of Object.keys(shapes)) expect(planned.has(key), key).toBe(true);
      expect(planned.has('text_model.logit_scale')).toBe(false);
    }
    // T5 reads its tokens by either name
    const { 'shared.weight': table, ...others } = shapesOf(t5);
    expect(planPart(partOf('t5.safetensors', { ...others, 'encoder.embed_tokens.weight': table! }))).toHaveLength(t5.keys().length);
  });

  it('are bounded, whatever numbers a header claims', async () => {
    const [clip, vae] = [await safetensorsFile('fixtures/sd3/clip_l.safetensors'), await safetensorsFile('fixtures/sd3/vae.original.safetensors')];
    for (const [source, wild] of [[clip, 'text_model.encoder.layers.999999999.mlp.fc1.weight'], [vae, 'first_stage_model.encoder.down.999999999.block.999999999.conv1.weight']] as const) {
      expect(faultOf(() => planPart(partOf('a', { ...shapesOf(source), [wild]: [1] }))).message).toContain(`1 tensor that models of this kind have no place for`);
    }
  });

  it('ask a model’s own autoencoder for both halves, and one for drafts for its decoder', async () => {
    const shapes = shapesOf(await safetensorsFile('fixtures/sd3/vae.original.safetensors'));
    const decoder = Object.fromEntries(Object.entries(shapes).filter(([key]) => !key.includes('.encoder.')));
    expect(faultOf(() => planPart(partOf('a', decoder))).message).toContain(`${Object.keys(shapes).filter((key) => key.includes('.encoder.')).length - 2} of its tensors are missing, “encoder.conv_in.weight”`); // its shortcut's two follow from shapes that are gone
    const tiny = shapesOf(await safetensorsFile('public/base/vae/diffusion_pytorch_model.safetensors'));
    const drafts = Object.fromEntries(Object.entries(tiny).filter(([key]) => key.startsWith('decoder.')));
    const part = partOf('a', drafts);
    expect([part.part, planPart(part).length]).toEqual(['vae_preview', Object.keys(drafts).length]);
    expect(faultOf(() => planPart({ ...part, part: 'vae' })).message).toContain('“encoder.layers.0.weight”');
  });
});

describe('fp8 weights with scales', () => {
  const T5_WEIGHT = 'encoder.block.0.layer.0.SelfAttention.q.weight';
  it('are planned with the number that they are multiplied by, its third of a fused matrix too', async () => {
    const shapes = shapesOf(await safetensorsFile('fixtures/sd3/t5.safetensors'));
    const scaled = partOf('t5.safetensors', { ...shapes, [T5_WEIGHT.replace('weight', 'scale_weight')]: [], [T5_WEIGHT.replace('weight', 'scale_input')]: [], scaled_fp8: [0] }, 'F8_E4M3');
    const plan = planPart(scaled);
    expect(plan).toHaveLength(Object.keys(shapes).length);
    expect(plan.filter(({ scale }) => scale).map(({ name, scale }) => [name, scale!.key])).toEqual([[T5_WEIGHT, 'encoder.block.0.layer.0.SelfAttention.q.scale_weight']]);
    const transformer = shapesOf(await safetensorsFile('fixtures/sd3/mmditx.original.safetensors'));
    const fused = planPart(partOf('t.safetensors', { ...transformer, 'model.diffusion_model.joint_blocks.0.x_block.attn.qkv.scale_weight': [1], 'model.diffusion_model.scaled_fp8': [2] }));
    expect(fused.filter(({ scale }) => scale).map(({ name }) => name)).toEqual(['to_q', 'to_k', 'to_v'].map((name) => `transformer_blocks.0.attn.${name}.weight`));
  });

  it.each([['a number for each row', 'q.scale_weight', [96], /unchanged file/], ['another program’s kind', 'q.weight_scale', [], /F16, BF16 or fp8/], ['a scale without its weight', 'x.scale_weight', [], /unchanged file/]] as const)('are refused with %s', async (_what, name, shape, remedy) => {
    const shapes = shapesOf(await safetensorsFile('fixtures/sd3/t5.safetensors'));
    const fault = faultOf(() => planPart(partOf('t5.safetensors', { ...shapes, [T5_WEIGHT.replace('q.weight', name)]: shape })));
    expect(fault).toMatchObject({ code: 'tensor-unknown', remedy: expect.stringMatching(remedy) as string });
  });
});
