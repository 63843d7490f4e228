/**
 * The encoder that CLIP's text and image models share: pre-norm layers of attention and MLP. Nothing here is trained,
 * so nothing has a gradient path of its own beyond the ops'.
 */
import * as v from 'valibot';
import { attention, disposeLinear, geluErf, layerNorm, linear, quickGelu, type FrozenLinear } from '../../engine/ops';
import { add, reshape, type Tensor1D, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { count, readConfig } from '../config';
import type { LayerMaker, WeightReader } from '../weights';

export interface Norm { weight: Tensor1D; bias: Tensor1D }
export interface ClipLayer { norm1: Norm; q: FrozenLinear; k: FrozenLinear; v: FrozenLinear; out: FrozenLinear; norm2: Norm; up: FrozenLinear; down: FrozenLinear }

/** What the shapes don't tell. */
export interface ClipSettings { heads: number; epsilon: number; activation: 'quick_gelu' | 'gelu' }

/** transformers' names, and its defaults where a field is absent. */
const clipConfig = v.object({
  num_attention_heads: count,
  layer_norm_eps: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 1e-5),
  hidden_act: v.optional(v.picklist(['quick_gelu', 'gelu']), 'quick_gelu'),
});

/** From a transformers config at that path. Throws Fault `base-mismatch`. */
export function clipSettings(config: unknown, path: string): ClipSettings {
  const { num_attention_heads: heads, layer_norm_eps: epsilon, hidden_act: activation } = readConfig(config, clipConfig, path);
  return { heads, epsilon, activation };
}

export const readNorm = async (reader: WeightReader, name: string, width: number): Promise<Norm> => ({
  weight: await reader.vector(`${name}.weight`, width),
  bias: await reader.vector(`${name}.bias`, width),
});

/** The layers `<prefix>0`, `<prefix>1`, … as many as there are. */
export async function readLayers(reader: WeightReader, prefix: string, width: number, make?: LayerMaker): Promise<ClipLayer[]> {
  const layers: ClipLayer[] = [];
  while (reader.has(`${prefix}${layers.length}.mlp.fc1.weight`)) {
    const at = `${prefix}${layers.length}.`;
    const square = (name: string) => reader.linear(`${at}self_attn.${name}_proj`, width, width, true, make);
    const wide = reader.shape(`${at}mlp.fc1.weight`)[0]!;
    layers.push({
      norm1: await readNorm(reader, `${at}layer_norm1`, width),
      q: await square('q'), k: await square('k'), v: await square('v'), out: await square('out'),
      norm2: await readNorm(reader, `${at}layer_norm2`, width),
      up: await reader.linear(`${at}mlp.fc1`, width, wide, true, make),
      down: await reader.linear(`${at}mlp.fc2`, wide, width, true, make),
    });
  }
  return layers;
}

/** x [B,N,d] → [B,N,d]. */
export function runLayer(layer: ClipLayer, x: Tensor3D, { heads, epsilon, activation }: ClipSettings, causal: boolean): Tensor3D {
  const [b, n, d] = x.shape;
  const split = (t: Tensor3D): Tensor4D => reshape(t, [b, n, heads, d / heads]); // [B,N,H,hd]
  const given = layerNorm(x, layer.norm1.weight, layer.norm1.bias, epsilon);
  const attended = attention(split(linear(given, layer.q)), split(linear(given, layer.k)), split(linear(given, layer.v)), { causal });
  const middle = add(x, linear(reshape(attended, [b, n, d]), layer.out)) as Tensor3D;
  const gelu = activation === 'gelu' ? geluErf : quickGelu;
  return add(middle, linear(gelu(linear(layerNorm(middle, layer.norm2.weight, layer.norm2.bias, epsilon), layer.up)), layer.down));
}

export function disposeLayers(layers: readonly ClipLayer[]): void {
  for (const { norm1, norm2, q, k, v, out, up, down } of layers) {
    [q, k, v, out, up, down].forEach(disposeLinear);
    [norm1, norm2].forEach(disposeNorm);
  }
}

export function disposeNorm(norm: Norm): void {
  norm.weight.dispose();
  norm.bias.dispose();
}
