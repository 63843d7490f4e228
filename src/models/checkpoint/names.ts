/**
 * Every name that a network's loader reads, for the sizes that the names and shapes of a file tell: what must be there, and what may
 * be. A survey compares them with a header, so that a file which could not be opened is known before any of it is read.
 */
import { originalVaeKey } from '../vae/keys';
import type { Found, FoundPart } from './parts';

export interface Names {
  needed: string[];
  /** Read where it is there, or known and left alone. */
  optional: string[];
}

/** No network has more of anything; a header that claims more has names without a place. */
const MOST_LAYERS = 64;

type Tensors = ReadonlyMap<string, Found>;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const both = (...names: string[]): string[] => names.flatMap((name) => [`${name}.weight`, `${name}.bias`]);

/** One more than the largest number that stands in the pattern's group. */
export const countOf = (keys: Iterable<string>, pattern: RegExp): number => Math.min(MOST_LAYERS, 1 + [...keys].reduce((most, key) => Math.max(most, Number(pattern.exec(key)?.[1] ?? -1)), -1));

/** Of a transformer of that depth, in diffusers' layout. */
export function transformerNames({ depth, qkNorm, dual }: { depth: number; qkNorm: boolean; dual: readonly number[] }): string[] {
  const blocks = range(depth).map((i) => {
    const last = i === depth - 1;
    const second = dual.includes(i);
    return [
      ...both('norm1.linear', 'norm1_context.linear', 'attn.to_q', 'attn.to_k', 'attn.to_v', 'attn.add_q_proj', 'attn.add_k_proj', 'attn.add_v_proj', 'attn.to_out.0', ...(last ? [] : ['attn.to_add_out']), ...(second ? ['attn2.to_q', 'attn2.to_k', 'attn2.to_v', 'attn2.to_out.0'] : []), 'ff.net.0.proj', 'ff.net.2', ...(last ? [] : ['ff_context.net.0.proj', 'ff_context.net.2'])),
      ...(qkNorm ? ['attn.norm_q', 'attn.norm_k', 'attn.norm_added_q', 'attn.norm_added_k', ...(second ? ['attn2.norm_q', 'attn2.norm_k'] : [])].map((name) => `${name}.weight`) : []),
    ].map((name) => `transformer_blocks.${i}.${name}`);
  });
  return ['pos_embed.pos_embed', ...both('pos_embed.proj', 'time_text_embed.timestep_embedder.linear_1', 'time_text_embed.timestep_embedder.linear_2', 'time_text_embed.text_embedder.linear_1', 'time_text_embed.text_embedder.linear_2', 'context_embedder'), ...blocks.flat(), ...both('norm_out.linear', 'proj_out')];
}

const clipLayers = (tensors: Tensors, at: string): string[] =>
  range(countOf(tensors.keys(), /\.encoder\.layers\.(\d+)\./)).flatMap((i) => both(...['layer_norm1', 'self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.out_proj', 'layer_norm2', 'mlp.fc1', 'mlp.fc2'].map((name) => `${at}encoder.layers.${i}.${name}`)));

/** SD3 reads CLIP-G through its projection, so that one is not complete without; CLIP-L's own files have none. */
function clipTextNames(tensors: Tensors, second: boolean): Names {
  const at = 'text_model.';
  return {
    needed: [`${at}embeddings.token_embedding.weight`, `${at}embeddings.position_embedding.weight`, ...clipLayers(tensors, at), ...both(`${at}final_layer_norm`), ...(second ? ['text_projection.weight'] : [])],
    optional: ['text_projection.weight', `${at}embeddings.position_ids`],
  };
}

function clipVisionNames(tensors: Tensors): Names {
  const at = 'vision_model.';
  return {
    needed: [`${at}embeddings.class_embedding`, `${at}embeddings.patch_embedding.weight`, `${at}embeddings.position_embedding.weight`, ...both(`${at}pre_layrnorm`), ...clipLayers(tensors, at), ...both(`${at}post_layernorm`), 'visual_projection.weight'],
    optional: [`${at}embeddings.position_ids`],
  };
}

/** The token table goes by either name, and some files hold it twice. */
function t5Names(tensors: Tensors): Names {
  const [shared, own] = ['shared.weight', 'encoder.embed_tokens.weight'] as const;
  const inLayer = ['0.SelfAttention.q', '0.SelfAttention.k', '0.SelfAttention.v', '0.SelfAttention.o', '0.layer_norm', '1.DenseReluDense.wi_0', '1.DenseReluDense.wi_1', '1.DenseReluDense.wo', '1.layer_norm'];
  return {
    needed: [
      tensors.has(own) && !tensors.has(shared) ? own : shared, 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
      ...range(countOf(tensors.keys(), /^encoder\.block\.(\d+)\./)).flatMap((i) => inLayer.map((name) => `encoder.block.${i}.layer.${name}.weight`)), 'encoder.final_layer_norm.weight',
    ],
    optional: [own],
  };
}

/** AutoencoderKL with both halves, in the file's own layout. */
function klNames(tensors: Tensors): Names {
  const keys = [...tensors.keys()];
  const original = keys.some((key) => /^(encoder|decoder)\.(down|up|mid)\./.test(key));
  const levels = countOf(keys, /^(?:encoder\.down|decoder\.up)(?:_blocks)?\.(\d+)\./);
  // the decoder has one block more in each level
  const blocks = Math.max(countOf(keys, /^encoder\.down(?:_blocks)?\.\d+\.(?:block|resnets)\.(\d+)\./), countOf(keys, /^decoder\.up(?:_blocks)?\.\d+\.(?:block|resnets)\.(\d+)\./) - 1);
  const keyOf = (name: string) => (original ? originalVaeKey(name, '', levels).key : name);
  const widens = (block: string) => {
    const [out, inputs] = tensors.get(keyOf(`${block}.conv1.weight`))?.shape ?? [];
    return out !== inputs;
  };
  const inHalf = (half: 'encoder' | 'decoder', at: string, count: number, between: string) => ({
    resnets: [`${half}.mid_block.resnets.0`, `${half}.mid_block.resnets.1`, ...range(levels).flatMap((level) => range(count).map((i) => `${half}.${at}.${level}.resnets.${i}`))],
    others: [...both(...['conv_in', 'conv_norm_out', 'conv_out', ...['group_norm', 'to_q', 'to_k', 'to_v', 'to_out.0'].map((name) => `mid_block.attentions.0.${name}`), ...range(levels - 1).map((level) => `${at}.${level}.${between}.0.conv`)].map((name) => `${half}.${name}`))],
  });
  const halves = [inHalf('encoder', 'down_blocks', blocks, 'downsamplers'), inHalf('decoder', 'up_blocks', blocks + 1, 'upsamplers')];
  const resnets = halves.flatMap((half) => half.resnets);
  return {
    needed: [...halves.flatMap(({ others }) => others), ...resnets.flatMap((name) => both(`${name}.norm1`, `${name}.conv1`, `${name}.norm2`, `${name}.conv2`, ...(widens(name) ? [`${name}.conv_shortcut`] : [])))].map(keyOf),
    optional: [...both('quant_conv', 'post_quant_conv'), ...resnets.flatMap((name) => both(`${name}.conv_shortcut`))].map(keyOf),
  };
}

/**
 * AutoencoderTiny: a residual block, a convolution, or nothing under each number. Nothing stands in the decoder behind its first convolution (a ReLU), and
 * before each convolution without bias (an upsampling); a number that is absent elsewhere is taken for a block's. The encoder is needed for a model's own alone.
 */
function tinyNames(tensors: Tensors, own: boolean): Names {
  const keys = [...tensors.keys()];
  const halves = (['encoder', 'decoder'] as const).filter((half) => half === 'decoder' || own || keys.some((key) => key.startsWith('encoder.')));
  const layers = halves.map((half) => {
    const at = (n: number) => `${half}.layers.${n}`;
    const count = countOf(keys, new RegExp(`^${half}\\.layers\\.(\\d+)\\.`));
    const isBlock = (n: number) => keys.some((key) => key.startsWith(`${at(n)}.conv.`));
    const isConvolution = (n: number) => tensors.has(`${at(n)}.weight`) || tensors.has(`${at(n)}.bias`);
    const isEmpty = (n: number) => half === 'decoder' && (n === 1 || (tensors.has(`${at(n + 1)}.weight`) && !tensors.has(`${at(n + 1)}.bias`)));
    // it begins and ends with a convolution that has a bias
    const last = isConvolution(count - 1) ? count - 1 : count;
    const inLayer = (n: number) => {
      if (n === 0 || n === last) return both(at(n));
      if (isConvolution(n)) return [`${at(n)}.weight`];
      return isBlock(n) || !isEmpty(n) ? both(...[0, 2, 4].map((i) => `${at(n)}.conv.${i}`)) : [];
    };
    return { needed: range(last + 1).flatMap(inLayer), optional: range(last).map((n) => `${at(n)}.bias`) };
  });
  return { needed: layers.flatMap(({ needed }) => needed), optional: layers.flatMap(({ optional }) => optional) };
}

/** Of a network that is not the transformer, whose names come from its two layouts. */
export function namesOf({ part, tensors }: FoundPart): Names {
  if (part === 'text_encoder' || part === 'text_encoder_2') return clipTextNames(tensors, part === 'text_encoder_2');
  if (part === 'text_encoder_3') return t5Names(tensors);
  if (part === 'image_encoder') return clipVisionNames(tensors);
  return tensors.has('decoder.layers.0.weight') ? tinyNames(tensors, part === 'vae') : klNames(tensors);
}
