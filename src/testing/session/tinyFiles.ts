/**
 * A whole base model small enough for a session in a test: every network of the diffusers folder, seeded, 16 × 16 pixels. The
 * tokenizer is the embedded base's, so that prompts and captions are words. It learns, draws and measures within seconds.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { WeightSource } from '../../models/weightSource';
import { normal } from '../../pipeline/random';
import type { StoredBase } from '../../storage/weightStore';
import { safetensorsFile } from '../files';
import { adapterSource } from '../pictureAdapter';
import { tinySource } from '../tiny';

const TEXT = 12, POOLED = 10, LATENT = 4, CONVOLUTIONS = 6, LENGTH = 24, PATCH = 4;
/** It reads by the embedded base's tokenizer. */
const { vocab_size: VOCABULARY } = JSON.parse(readFileSync('public/base/text_encoder/config.json', 'utf8')) as { vocab_size: number };
export const TINY_SIDE = 16;

type Shapes = Record<string, number[]>;

function clipLayers(prefix: string, width: number): Shapes {
  const shapes: Shapes = {};
  for (const layer of [0, 1]) {
    const at = `${prefix}encoder.layers.${layer}.`;
    for (const name of ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.out_proj']) Object.assign(shapes, { [`${at}${name}.weight`]: [width, width], [`${at}${name}.bias`]: [width] });
    Object.assign(shapes, { [`${at}mlp.fc1.weight`]: [2 * width, width], [`${at}mlp.fc1.bias`]: [2 * width], [`${at}mlp.fc2.weight`]: [width, 2 * width], [`${at}mlp.fc2.bias`]: [width] });
    for (const norm of ['layer_norm1', 'layer_norm2']) Object.assign(shapes, { [`${at}${norm}.weight`]: [width], [`${at}${norm}.bias`]: [width] });
  }
  return shapes;
}
const norm = (name: string, width: number): Shapes => ({ [`${name}.weight`]: [width], [`${name}.bias`]: [width] });

const folders: Record<string, Shapes> = {
  text_encoder: {
    'text_model.embeddings.token_embedding.weight': [VOCABULARY, TEXT], 'text_model.embeddings.position_embedding.weight': [LENGTH, TEXT],
    ...clipLayers('text_model.', TEXT), ...norm('text_model.final_layer_norm', TEXT), 'text_projection.weight': [POOLED, TEXT],
  },
  image_encoder: {
    'vision_model.embeddings.class_embedding': [TEXT], 'vision_model.embeddings.patch_embedding.weight': [TEXT, 3, PATCH, PATCH],
    'vision_model.embeddings.position_embedding.weight': [1 + (TINY_SIDE / PATCH) ** 2, TEXT],
    ...norm('vision_model.pre_layrnorm', TEXT), ...clipLayers('vision_model.', TEXT), ...norm('vision_model.post_layernorm', TEXT), 'visual_projection.weight': [POOLED, TEXT],
  },
  // convolutions without bias halve the picture in the encoder; gaps between numbers double it in the decoder
  vae: {
    'encoder.layers.0.weight': [CONVOLUTIONS, 3, 3, 3], 'encoder.layers.0.bias': [CONVOLUTIONS], 'encoder.layers.1.weight': [CONVOLUTIONS, CONVOLUTIONS, 3, 3],
    'encoder.layers.2.weight': [CONVOLUTIONS, CONVOLUTIONS, 3, 3], 'encoder.layers.3.weight': [LATENT, CONVOLUTIONS, 3, 3], 'encoder.layers.3.bias': [LATENT],
    'decoder.layers.0.weight': [CONVOLUTIONS, LATENT, 3, 3], 'decoder.layers.0.bias': [CONVOLUTIONS], 'decoder.layers.3.weight': [CONVOLUTIONS, CONVOLUTIONS, 3, 3],
    'decoder.layers.5.weight': [CONVOLUTIONS, CONVOLUTIONS, 3, 3], 'decoder.layers.6.weight': [3, CONVOLUTIONS, 3, 3], 'decoder.layers.6.bias': [3],
  },
};

const clip = { num_attention_heads: 2, hidden_act: 'quick_gelu', layer_norm_eps: 1e-5, max_position_embeddings: LENGTH, eos_token_id: VOCABULARY - 1 };
const files: Record<string, unknown> = {
  'text_encoder/config.json': clip,
  'image_encoder/config.json': clip,
  'vae/config.json': { _class_name: 'AutoencoderTiny', scaling_factor: 1, shift_factor: 0 },
  'vae/latent_rgb.json': { latentToRgb: Array.from({ length: LATENT + 1 }, (_, n) => [0.1 * n, 0.05, -0.1 * n]) },
  'transformer/config.json': { sample_size: TINY_SIDE / 4, patch_size: 2, in_channels: LATENT, pos_embed_max_size: 8 },
  'identity_encoder/config.json': { image_size: 64, width: 12, head: [0.16, 0.05, 0.68] },
  'head_finder/config.json': { layers: [1] },
  'scheduler/scheduler_config.json': { shift: 1 },
};

function source(shapes: Shapes, seed: number): WeightSource {
  const names = Object.keys(shapes);
  const read = async (key: string) => {
    const shape = shapes[key]!;
    const fan = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b, 1) : 16;
    const centre = /norm\d?\.weight$|layrnorm\.weight$/.test(key) ? 1 : 0;
    return normal([shape.reduce((a, b) => a * b, 1)], { seed, purpose: 'test', step: names.indexOf(key) }).map((value) => centre + value / Math.sqrt(fan));
  };
  const rowsOf = (key: string) => shapes[key]!.slice(1).reduce((a, b) => a * b, 1);
  return { keys: () => names, has: (key) => key in shapes, shape: (key) => shapes[key]!, read, readRows: async (key, from, to) => (await read(key)).slice(from * rowsOf(key), to * rowsOf(key)) };
}

/** A head finder that says the same of every patch. */
const finderSource = (logit: number): WeightSource => {
  const [width = 0] = folders.image_encoder!['vision_model.embeddings.class_embedding']!;
  const tensors: Record<string, { shape: number[]; value: number }> = { 'hidden.weight': { shape: [1, width], value: 0 }, 'hidden.bias': { shape: [1], value: 0 }, 'out.weight': { shape: [1, 1], value: 0 }, 'out.bias': { shape: [1], value: logit } };
  const read = async (key: string) => new Float32Array(tensors[key]!.shape.reduce((a, b) => a * b, 1)).fill(tensors[key]!.value);
  return { keys: () => Object.keys(tensors), has: (key) => key in tensors, shape: (key) => tensors[key]!.shape, read, readRows: read };
};

/** What the session reads its base from, in place of the database. `objects`: with an object encoder of random weights, all of them away from zero; `faces`: with an identity adapter, its encoder and a few-step student likewise; `heads`: with a head finder that sees one in every picture, or in none. */
export async function tinyStored(id: string, { objects = false, faces = false, heads }: { objects?: boolean; faces?: boolean; heads?: 'one' | 'none' } = {}): Promise<StoredBase> {
  const merges = await readFile('public/base/tokenizer/merges.txt', 'utf8');
  return {
    id, files: objects ? { 'object_adapter/model.safetensors': { sha256: 'tiny', sizeBytes: 1 } } : {}, sizeBytes: 1,
    text: async (path) => (path === 'tokenizer/merges.txt' ? merges : JSON.stringify(files[path])),
    json: async (path) => files[path],
    has: async (folder) => folder === 'transformer' || folder in folders || (objects && folder === 'object_adapter') || (faces && ['identity_adapter', 'identity_encoder', 'student'].includes(folder)) || (heads !== undefined && folder === 'head_finder'),
    weights: async (folder) => (folder === 'transformer' ? tinySource() : folder === 'head_finder' ? finderSource(heads === 'one' ? 0.6 : -1) : folder === 'object_adapter' ? adapterSource() : folder === 'identity_adapter' ? adapterSource({ kind: 'identity', identity: POOLED + 12 }) : folder === 'student' ? source({ 'transformer.transformer_blocks.1.attn.to_q.lora_A.weight': [2, 16], 'transformer.transformer_blocks.1.attn.to_q.lora_B.weight': [16, 2] }, 31) : folder === 'identity_encoder' ? await safetensorsFile('fixtures/identity/encoder.safetensors') : source(folders[folder]!, Object.keys(folders).indexOf(folder) + 20)) as never,
  };
}
