/**
 * A complete MMDiT small enough for a test to train (3 blocks, width 16, a few thousand numbers), seeded, with every gate
 * and output layer away from zero so that nothing is trivially silent; and a data set of random latents and captions for it.
 * Built through the real loader from a WeightSource under diffusers' names.
 */
import * as tf from '../engine/tf';
import { loadMmdit } from '../models/mmdit';
import type { WeightSource } from '../models/weightSource';
import type { EncodedPrompts, FlowBase } from '../pipeline/base';
import type { Dataset } from '../pipeline/training/dataset';
import { normal } from '../pipeline/random';
import type { RecipeOf } from '../protocol/recipe';
import { defaultRecipe } from '../protocol/recipe';

const HIDDEN = 16, HEAD = 8, DEPTH = 3, CHANNELS = 4, PATCH = 2, CONTEXT = 12, POOLED = 10, SIDE = 8, TOKENS = 6;

/** Names and shapes of the tiny transformer, as a checkpoint would have them. */
function shapes(): Record<string, number[]> {
  const all: Record<string, number[]> = {
    'pos_embed.pos_embed': [1, SIDE * SIDE, HIDDEN],
    'pos_embed.proj.weight': [HIDDEN, CHANNELS, PATCH, PATCH],
    'pos_embed.proj.bias': [HIDDEN],
  };
  const linear = (name: string, inputs: number, outputs: number) => Object.assign(all, { [`${name}.weight`]: [outputs, inputs], [`${name}.bias`]: [outputs] });
  linear('time_text_embed.timestep_embedder.linear_1', 256, HIDDEN);
  linear('time_text_embed.timestep_embedder.linear_2', HIDDEN, HIDDEN);
  linear('time_text_embed.text_embedder.linear_1', POOLED, HIDDEN);
  linear('time_text_embed.text_embedder.linear_2', HIDDEN, HIDDEN);
  linear('context_embedder', CONTEXT, HIDDEN);
  for (let i = 0; i < DEPTH; i++) {
    const block = `transformer_blocks.${i}`;
    const last = i === DEPTH - 1;
    linear(`${block}.norm1.linear`, HIDDEN, 6 * HIDDEN);
    linear(`${block}.norm1_context.linear`, HIDDEN, (last ? 2 : 6) * HIDDEN);
    for (const name of ['to_q', 'to_k', 'to_v', 'to_out.0', 'add_q_proj', 'add_k_proj', 'add_v_proj', ...(last ? [] : ['to_add_out'])]) linear(`${block}.attn.${name}`, HIDDEN, HIDDEN);
    for (const name of ['norm_q', 'norm_k', 'norm_added_q', 'norm_added_k']) all[`${block}.attn.${name}.weight`] = [HEAD];
    for (const name of last ? ['ff'] : ['ff', 'ff_context']) {
      linear(`${block}.${name}.net.0.proj`, HIDDEN, 4 * HIDDEN);
      linear(`${block}.${name}.net.2`, 4 * HIDDEN, HIDDEN);
    }
  }
  linear('norm_out.linear', HIDDEN, 2 * HIDDEN);
  linear('proj_out', HIDDEN, PATCH * PATCH * CHANNELS);
  return all;
}

/** Seeded weights, standard deviation 0.6/√inputs: large enough that captions and noise levels matter. */
export function tinySource(seed = 1): WeightSource {
  const all = shapes();
  const names = Object.keys(all);
  const read = async (key: string) => {
    const shape = all[key]!;
    const fan = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b, 1) : 16;
    const centre = /norm_(added_)?[qk]\.weight$/.test(key) ? 1 : 0;
    return normal([shape.reduce((a, b) => a * b, 1)], { seed, purpose: 'test', step: names.indexOf(key) }).map((value) => centre + (value * (key === 'pos_embed.pos_embed' ? 1 : 0.6)) / Math.sqrt(fan));
  };
  return {
    keys: () => names,
    has: (key) => key in all,
    shape: (key) => all[key]!,
    read,
    readRows: async (key, from, to) => (await read(key)).slice(from * HIDDEN, to * HIDDEN),
  };
}

export async function tinyBase(seed = 1): Promise<FlowBase> {
  return { mmdit: await loadMmdit(tinySource(seed)), shift: 1, latentShape: () => [4, 4, CHANNELS] };
}

/** Random captions, `rows` of them; the concept stands at token 2 where `marked`. */
export function tinyWords(rows: number, marked: boolean, step: number): EncodedPrompts {
  return {
    context: tf.tensor3d(normal([rows * TOKENS * CONTEXT], { seed: 2, purpose: 'test', step }), [rows, TOKENS, CONTEXT]),
    pooled: tf.tensor2d(normal([rows * POOLED], { seed: 3, purpose: 'test', step }), [rows, POOLED]),
    at: new Array<number>(rows).fill(marked ? 2 : -1),
  };
}

export function tinyDataset(pictures = 3): Dataset & { words: Required<Dataset['words']> } {
  const shape: [number, number, number, number] = [pictures, 4, 4, CHANNELS];
  return {
    latents: tf.tensor4d(normal(shape, { seed: 4, purpose: 'test', step: 0 }), shape),
    pictures,
    unshifted: pictures,
    words: { complete: tinyWords(pictures, true, 1), base: tinyWords(pictures, false, 2), target: tinyWords(pictures, true, 3), class: tinyWords(pictures, false, 4), null: tinyWords(pictures, false, 5), prior: tinyWords(5, false, 6), scene: tinyWords(4, false, 7) },
  };
}

type Recipe = RecipeOf<'purecc'>;

/** Plain values, so that a test varies one thing: the product's defaults are tuned on real pictures and may move. */
const neutral = { sites: 'attention', learningRate: 1e-2, studentLearningRate: 1e-2, rowLearningRate: 1e-2, flip: true, lrScheduler: 'constant', lrDecayRatio: 0.3, eta: 1, anchor: 2, priorShare: 0, studentStart: 'fresh', studentRows: 'on', trigger: '' } satisfies Partial<Recipe>;

export function tinyRecipe(change: Partial<Recipe> = {}): Recipe {
  return { ...defaultRecipe('lamina'), ...neutral, classWord: 'dog', stage1Steps: 4, stage2Steps: 4, rank: 2, ...change };
}
