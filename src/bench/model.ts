/**
 * Transformers of any size with random weights: what a step takes depends on shapes, not on values. Whole ones go through
 * the real loader under diffusers' names; single blocks are made directly, because a whole SD3.5-Medium is not needed to
 * time one of its blocks.
 */
import { frozenLinear, type FrozenLinear } from '../engine/ops';
import * as tf from '../engine/tf';
import { disposePacked } from '../engine/packed/packedMatrix';
import type { Packing } from '../formats/packing';
import { mmditLayers, type AttentionWeights, type BlockWeights, type Mmdit, type MmditConfig, type StreamWeights } from '../models/mmdit';
import type { WeightSource } from '../models/weightSource';
import { tfjsProducts } from './rivals/stockTfjs';
import { noise } from '../testing/kernels/spec';
import { someTensor, someValues } from './forms';

export interface ModelSize { hidden: number; heads: number; depth: number; channels: number; patch: number; contextWidth: number; pooledWidth: number; positionSide: number }

/** Names and shapes as a checkpoint in diffusers' layout has them, q/k norms included. */
export function checkpointShapes(size: ModelSize): Record<string, number[]> {
  const { hidden, depth, channels, patch } = size;
  const shapes: Record<string, number[]> = {
    'pos_embed.pos_embed': [1, size.positionSide ** 2, hidden],
    'pos_embed.proj.weight': [hidden, channels, patch, patch],
    'pos_embed.proj.bias': [hidden],
  };
  const linear = (name: string, inputs: number, outputs: number) => Object.assign(shapes, { [`${name}.weight`]: [outputs, inputs], [`${name}.bias`]: [outputs] });
  linear('time_text_embed.timestep_embedder.linear_1', 256, hidden);
  linear('time_text_embed.timestep_embedder.linear_2', hidden, hidden);
  linear('time_text_embed.text_embedder.linear_1', size.pooledWidth, hidden);
  linear('time_text_embed.text_embedder.linear_2', hidden, hidden);
  linear('context_embedder', size.contextWidth, hidden);
  for (let i = 0; i < depth; i++) {
    const block = `transformer_blocks.${i}`;
    const last = i === depth - 1;
    linear(`${block}.norm1.linear`, hidden, 6 * hidden);
    linear(`${block}.norm1_context.linear`, hidden, (last ? 2 : 6) * hidden);
    for (const name of ['to_q', 'to_k', 'to_v', 'to_out.0', 'add_q_proj', 'add_k_proj', 'add_v_proj', ...(last ? [] : ['to_add_out'])]) linear(`${block}.attn.${name}`, hidden, hidden);
    for (const name of ['norm_q', 'norm_k', 'norm_added_q', 'norm_added_k']) shapes[`${block}.attn.${name}.weight`] = [hidden / size.heads];
    for (const name of last ? ['ff'] : ['ff', 'ff_context']) {
      linear(`${block}.${name}.net.0.proj`, hidden, 4 * hidden);
      linear(`${block}.${name}.net.2`, 4 * hidden, hidden);
    }
  }
  linear('norm_out.linear', hidden, 2 * hidden);
  linear('proj_out', hidden, patch ** 2 * channels);
  return shapes;
}

/** A checkpoint of that size, uniform weights of standard deviation 0.6/√inputs. */
export function randomSource(size: ModelSize): WeightSource {
  const shapes = checkpointShapes(size);
  const keys = Object.keys(shapes);
  const read = (key: string): Promise<Float32Array> => {
    const shape = shapes[key]!;
    const fan = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b, 1) : 16;
    return Promise.resolve(noise(shape.reduce((a, b) => a * b, 1), 1 + keys.indexOf(key)).map((value) => value / Math.sqrt(fan)));
  };
  return { keys: () => keys, has: (key) => key in shapes, shape: (key) => shapes[key]!, read, readRows: async (key, from, to) => (await read(key)).slice(from * size.hidden, to * size.hidden) };
}

/** Weights as the engine keeps them, or as a tensor that tfjs multiplies in its own way. */
export type Kept = Packing | 'tensor';

/** A frozen layer with a bias; weights of standard deviation 0.6/√inputs. */
export function randomLayer(inputs: number, outputs: number, kept: Kept, seed: number): FrozenLinear {
  const values = someValues(inputs * outputs, seed);
  const scale = 1 / Math.sqrt(inputs);
  for (let i = 0; i < values.length; i++) values[i]! *= scale;
  const bias = someTensor<tf.Tensor1D>([outputs], seed + 1);
  if (kept !== 'tensor') return frozenLinear(values, inputs, outputs, bias, kept);
  return { name: '', inFeatures: inputs, outFeatures: outputs, bias, packed: null, sizeBytes: values.byteLength, weight: tf.tensor2d(values, [inputs, outputs]), transposed: null, products: tfjsProducts };
}

/** A joint block in the middle of a transformer, without a second attention; MLP of four times the width. */
export function randomBlock({ hidden, headWidth }: MmditConfig, kept: Kept): BlockWeights {
  let seed = 1;
  const layer = (inputs: number, outputs: number) => randomLayer(inputs, outputs, kept, (seed += 2));
  const attention = (): AttentionWeights => ({
    q: layer(hidden, hidden), k: layer(hidden, hidden), v: layer(hidden, hidden), out: layer(hidden, hidden), normQ: tf.ones([headWidth]), normK: tf.ones([headWidth]),
  });
  const stream = (): StreamWeights => ({ modulation: layer(hidden, 6 * hidden), attention: attention(), up: layer(hidden, 4 * hidden), down: layer(4 * hidden, hidden) });
  return { index: 0, last: false, x: stream(), context: stream(), dual: null };
}

/** Every layer multiplied in tfjs' own way; packed weights replaced by tensors, because its kernels read nothing else (other values, the same shapes). */
export function asTensors(model: Mmdit): Mmdit {
  mmditLayers(model).forEach((layer, i) => {
    if (!layer.packed) {
      layer.products = tfjsProducts;
      return;
    }
    const { inFeatures, outFeatures, bias, ...plain } = randomLayer(layer.inFeatures, layer.outFeatures, 'tensor', 100 + i);
    bias?.dispose();
    disposePacked(layer.packed);
    Object.assign(layer, plain);
  });
  return model;
}
