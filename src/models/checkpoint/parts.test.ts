import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { recogniseParts, type Found } from './parts';
import { transformerNames } from './names';
import { KEPT_POSITIONS, planPart } from './plan';

const manifest = async (name: string) => (JSON.parse(await readFile(`fixtures/sd3/manifests/${name}.json`, 'utf8')) as { shapes: Record<string, number[]> }).shapes;
const file = (path: string, shapes: Record<string, number[]>, prefix = ''): { path: string; tensors: Found[] } => ({ path, tensors: Object.entries(shapes).map(([key, shape]) => ({ path, key: prefix + key, dtype: 'F16', shape })) });
const tiny = (prefix = '') => file('taesd3.safetensors', { 'decoder.layers.0.weight': [64, 16, 3, 3], 'decoder.layers.0.bias': [64], 'encoder.layers.0.weight': [64, 3, 3, 3] }, prefix);
const small = (width: number) => ({ 'text_model.embeddings.token_embedding.weight': [320, width], 'text_model.encoder.layers.0.mlp.fc1.weight': [128, width] });

describe('the parts of a checkpoint', () => {
  it('of SD3.5 Medium’s own files, in one file and in several', async () => {
    const [single, clipL, clipG] = [await manifest('sd35_medium.original'), await manifest('clip_l'), await manifest('clip_g')];
    const all = recogniseParts([file('sd3.5_medium.safetensors', single), file('clip_l.safetensors', clipL), file('clip_g.safetensors', clipG)]);
    expect(all.parts.map(({ part, tensors }) => [part, tensors.size])).toEqual([['transformer', 665], ['vae', 244], ['text_encoder', 197], ['text_encoder_2', 517]]);
    expect([all.unknown, all.doubled]).toEqual([[], []]);
    const together = recogniseParts([{ path: 'all.safetensors', tensors: [...file('all.safetensors', single).tensors, ...file('all.safetensors', clipL, 'text_encoders.clip_l.transformer.').tensors, ...file('all.safetensors', clipG, 'text_encoders.clip_g.transformer.').tensors] }]);
    expect(together.parts.map(({ part, prefix }) => [part, prefix])).toEqual([['transformer', 'model.diffusion_model.'], ['vae', 'first_stage_model.'], ['text_encoder', 'text_encoders.clip_l.transformer.'], ['text_encoder_2', 'text_encoders.clip_g.transformer.']]);
  });

  it('plans the same tensors from either layout: every name of the released model, of the position table its centre', async () => {
    const plans = await Promise.all(['sd35_medium.original', 'sd35_medium.diffusers.transformer'].map(async (name) => planPart(recogniseParts([file('a.safetensors', await manifest(name))]).parts[0]!)));
    const wanted = await manifest('sd35_medium.diffusers.transformer');
    for (const plan of plans) {
      expect(plan.map(({ name }) => name).sort()).toEqual(Object.keys(wanted).sort());
      for (const { name, shape } of plan) expect(shape, name).toEqual(name === 'pos_embed.pos_embed' ? [1, KEPT_POSITIONS ** 2, 1536] : wanted[name]);
      expect(plan.filter(({ layer }) => layer).length).toBe(13 * 18 + 10 * 14 + 11);
    }
    const rows = plans[0]!.find(({ name }) => name === 'pos_embed.pos_embed')!.rows!;
    expect([rows.length, rows[0], rows.at(-1)]).toEqual([96, { from: 144 * 384 + 144, to: 144 * 384 + 240 }, { from: 239 * 384 + 144, to: 239 * 384 + 240 }]);
    expect(transformerNames({ depth: 24, qkNorm: true, dual: Array.from({ length: 13 }, (_, i) => i) })).toHaveLength(909);
  });

  it('names missing and surplus tensors', async () => {
    const shapes = { ...(await manifest('sd35_medium.original')) };
    delete shapes['model.diffusion_model.joint_blocks.7.x_block.attn2.proj.bias'];
    expect(() => planPart(recogniseParts([file('a', shapes)]).parts[0]!)).toThrow('joint_blocks.7.x_block.attn2.proj.bias');
    const more = { ...(await manifest('sd35_medium.original')), 'model.diffusion_model.joint_blocks.0.x_block.attn3.qkv.weight': [1, 1] };
    expect(() => planPart(recogniseParts([file('a', more)]).parts[0]!)).toThrow('attn3');
  });

  it('takes a tiny autoencoder beside a large one for drafts, alone for the model’s own, whichever comes first', async () => {
    const single = file('sd3.5_medium.safetensors', await manifest('sd35_medium.original'));
    for (const files of [[single, tiny()], [tiny(), single]]) {
      const { parts, doubled } = recogniseParts(files);
      expect(Object.fromEntries(parts.map(({ part, paths }) => [part, paths[0]]))).toEqual({ transformer: 'sd3.5_medium.safetensors', vae: 'sd3.5_medium.safetensors', vae_preview: 'taesd3.safetensors' });
      expect(doubled).toEqual([]);
    }
    expect(recogniseParts([tiny()]).parts.map(({ part }) => part)).toEqual(['vae']);
    expect(recogniseParts([tiny(), { ...tiny(), path: 'b', tensors: tiny().tensors.map((found) => ({ ...found, path: 'b' })) }]).doubled).toEqual([{ part: 'vae', paths: ['taesd3.safetensors', 'b'] }]);
  });

  it('tells text encoders apart by width, and where that says nothing by their path', () => {
    const parts = (path: string, width: number) => recogniseParts([file(path, small(width))]).parts.map(({ part }) => part);
    expect(parts('x.safetensors', 1280)).toEqual(['text_encoder_2']);
    expect(parts('x.safetensors', 768)).toEqual(['text_encoder']);
    expect(parts('model/text_encoder_2/model.safetensors', 48)).toEqual(['text_encoder_2']);
    expect(parts('clip_g.safetensors', 48)).toEqual(['text_encoder_2']);
  });

  it('joins the shards of a folder', () => {
    const shapes = { 'transformer_blocks.0.attn.add_q_proj.weight': [2, 2] };
    const { parts } = recogniseParts([file('t/d-00001-of-00002.safetensors', shapes), file('t/d-00002-of-00002.safetensors', { 'transformer_blocks.1.attn.to_q.weight': [2, 2] })]);
    expect(parts.map(({ part, paths, tensors }) => [part, paths.length, tensors.size])).toEqual([['transformer', 2, 2]]);
  });
});
