/** Builds a T5 v1.1 encoder from a checkpoint under transformers' names. All sizes are read from the tensors. */
import * as v from 'valibot';
import { disposeLinear, type FrozenLinear } from '../../engine/ops';
import type { Tensor1D, Tensor2D } from '../../engine/tf';
import { Fault } from '../../protocol/faults';
import { count, readConfig } from '../config';
import type { Residency } from '../mmdit/types';
import { disposeTokenTable, openTokenTable, type TokenTable } from '../tokenTable';
import { layersAway, streamedBlocks, type Fetchers } from '../streaming';
import { WeightReader, type LayerMaker } from '../weights';
import type { WeightSource } from '../weightSource';

export interface T5Layer { attentionNorm: Tensor1D; q: FrozenLinear; k: FrozenLinear; v: FrozenLinear; out: FrozenLinear; mlpNorm: Tensor1D; gate: FrozenLinear; up: FrozenLinear; down: FrozenLinear }

export interface T5Encoder {
  width: number;
  heads: number;
  epsilon: number;
  mostDistance: number;
  tokens: TokenTable;
  /** [buckets, heads], the first layer's, used by all. */
  positions: Tensor2D;
  layers: T5Layer[];
  finalNorm: Tensor1D;
  /** Null: all layers' weights are always in place. Set it where they are streamed. */
  residency: Residency | null;
}

/** transformers' names, and its defaults where a field is absent. */
const t5Config = v.object({
  num_heads: v.optional(count),
  layer_norm_epsilon: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 1e-6),
  relative_attention_max_distance: v.optional(count, 128),
});

export interface T5Options {
  /** Stands before every key; keys without it are not looked at. */
  prefix?: string;
  /** Makes the layers' linear weights; float32 by default. */
  layer?: LayerMaker;
  /** Room for the layers' weights, which must be stored packed: they are fetched while the encoder runs, and as many stay as it holds. */
  streamBytes?: number;
  /** Of the config, for messages. */
  path?: string;
}

async function readLayer(reader: WeightReader, at: string, width: number, make?: LayerMaker): Promise<T5Layer> {
  const inner = reader.shape(`${at}0.SelfAttention.q.weight`)[0]!;
  const wide = reader.shape(`${at}1.DenseReluDense.wi_0.weight`)[0]!;
  const linear = (name: string, inputs: number, outputs: number) => reader.linear(`${at}${name}`, inputs, outputs, false, make);
  return {
    attentionNorm: await reader.vector(`${at}0.layer_norm.weight`, width),
    q: await linear('0.SelfAttention.q', width, inner), k: await linear('0.SelfAttention.k', width, inner),
    v: await linear('0.SelfAttention.v', width, inner), out: await linear('0.SelfAttention.o', inner, width),
    mlpNorm: await reader.vector(`${at}1.layer_norm.weight`, width),
    gate: await linear('1.DenseReluDense.wi_0', width, wide), up: await linear('1.DenseReluDense.wi_1', width, wide),
    down: await linear('1.DenseReluDense.wo', wide, width),
  };
}

/** Throws Faults `tensor-missing`, `tensor-unknown`, `tensor-shape`, `base-mismatch`. */
export async function loadT5(source: WeightSource, config?: unknown, { prefix = '', layer, streamBytes, path = 'text_encoder_3/config.json' }: T5Options = {}): Promise<T5Encoder> {
  const reader = new WeightReader(source, (name) => ({ key: prefix + name }));
  const declared = readConfig(config, t5Config, path);
  const embedding = reader.has('shared.weight') ? 'shared.weight' : 'encoder.embed_tokens.weight'; // some files hold it twice
  const bias = 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight';
  const [buckets = 0, heads = 0] = reader.shape(bias);
  const tokens = await openTokenTable(reader, embedding);
  const { width } = tokens;
  const inner = reader.shape('encoder.block.0.layer.0.SelfAttention.q.weight')[0]!;
  if ((declared.num_heads ?? heads) !== heads || inner % heads !== 0) {
    throw new Fault('base-mismatch', `The T5 encoder's weights have ${heads} heads over ${inner} numbers; its config says ${declared.num_heads ?? heads}.`, 'Use the config that belongs to the weights.', { subject: path });
  }
  const layers: T5Layer[] = [];
  const fetchers: Fetchers = new Map();
  const make = streamBytes === undefined ? layer : layersAway(fetchers);
  while (reader.has(`encoder.block.${layers.length}.layer.0.SelfAttention.q.weight`)) layers.push(await readLayer(reader, `encoder.block.${layers.length}.layer.`, width, make));
  const model: T5Encoder = {
    width, heads, epsilon: declared.layer_norm_epsilon, mostDistance: declared.relative_attention_max_distance, tokens,
    positions: await reader.table(bias, [buckets, heads]),
    layers,
    finalNorm: await reader.vector('encoder.final_layer_norm.weight', width),
    residency: streamBytes === undefined ? null : streamedBlocks(layers.map(t5Linears), fetchers, streamBytes),
  };
  reader.accept('encoder.embed_tokens.weight');
  reader.finish(prefix);
  return model;
}

/** Linear layers of one layer. */
export const t5Linears = ({ q, k, v: values, out, gate, up, down }: T5Layer): FrozenLinear[] => [q, k, values, out, gate, up, down];

export function disposeT5({ tokens, positions, layers, finalNorm, residency }: T5Encoder): void {
  residency?.dispose?.();
  disposeTokenTable(tokens);
  positions.dispose();
  finalNorm.dispose();
  for (const layer of layers) {
    t5Linears(layer).forEach(disposeLinear);
    layer.attentionNorm.dispose();
    layer.mlpNorm.dispose();
  }
}
