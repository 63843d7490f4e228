/**
 * Which networks a set of checkpoint files holds, by their tensor names alone: the single file, separate files and a diffusers
 * folder differ only in prefixes and in the transformer's layout. It opens nothing; who imports reads what is listed here.
 */
import type { TensorEntry } from '../../formats/safetensors';
import { tinyHalf, tinyName } from '../vae/keys';

/** Folder of a network in diffusers' layout. */
export type PartName = 'transformer' | 'vae' | 'vae_preview' | 'text_encoder' | 'text_encoder_2' | 'text_encoder_3' | 'image_encoder';

/** A tensor as it lies in one of the files; path is the file's, relative to what was dropped. */
export interface Found extends Pick<TensorEntry, 'dtype' | 'shape'> { path: string; key: string }

export interface FoundPart {
  part: PartName;
  /** Files that hold it. */
  paths: string[];
  /** Cut off the keys. */
  prefix: string;
  /** By key without prefix, in file order; of a tiny autoencoder by diffusers' names. */
  tensors: Map<string, Found>;
}

interface Kind {
  /** Key without prefix that only this network has. */
  mark: string;
  /** What keys of it look like, without prefix. */
  own: RegExp;
  part: (tensors: Map<string, Found>, path: string) => PartName;
}

/** CLIP-L is 768 wide; the second encoder of SD3 is 1280. Elsewhere the path tells. */
const clipPart = (tensors: Map<string, Found>, path: string): PartName => {
  const width = tensors.get('text_model.embeddings.token_embedding.weight')!.shape[1];
  return width === 1280 || /text_encoder_2|clip_g/.test(path) ? 'text_encoder_2' : 'text_encoder';
};

/** Key that only a tiny autoencoder has, by diffusers' names. */
const TINY = 'decoder.layers.0.weight';

/** Its decoder alone is for drafts: pictures to learn from are encoded. */
const tinyPart = (tensors: Map<string, Found>): PartName => ([...tensors.keys()].some((name) => name.startsWith('encoder.')) ? 'vae' : 'vae_preview');

const KINDS: readonly Kind[] = [
  { mark: 'joint_blocks.0.x_block.attn.qkv.weight', own: /^(joint_blocks\.|x_embedder\.|t_embedder\.|y_embedder\.|context_embedder\.|pos_embed$|final_layer\.)/, part: () => 'transformer' },
  { mark: 'transformer_blocks.0.attn.add_q_proj.weight', own: /^(transformer_blocks\.|pos_embed\.|time_text_embed\.|context_embedder\.|norm_out\.|proj_out\.)/, part: () => 'transformer' },
  { mark: 'decoder.conv_in.weight', own: /^(encoder|decoder|quant_conv|post_quant_conv)\./, part: () => 'vae' },
  { mark: TINY, own: /^(encoder|decoder)\.layers\./, part: tinyPart },
  { mark: 'text_model.embeddings.token_embedding.weight', own: /^(text_model\.|text_projection\.)/, part: clipPart },
  { mark: 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight', own: /^(encoder\.(block|final_layer_norm|embed_tokens)\.|shared\.)/, part: () => 'text_encoder_3' },
  { mark: 'vision_model.embeddings.patch_embedding.weight', own: /^(vision_model\.|visual_projection\.)/, part: () => 'image_encoder' },
];

/** Tensors that files carry along and no model needs. */
export const NEEDLESS = /(^|\.)(loss\..*|position_ids|logit_scale|scaled_fp8|spiece_model|embed_tokens\.weight)$/;

export interface Recognised {
  parts: FoundPart[];
  /** Keys that belong to no network known here. */
  unknown: Found[];
  /** The same network in two files. */
  doubled: { part: PartName; paths: string[] }[];
}

/** A tensor by the name that networks know it by: its key but in the original's files of a tiny autoencoder. */
interface Named { name: string; found: Found }

/** files: each file's tensors. Shards of one folder count as one file, and so do the two halves of a tiny autoencoder (taesd3_encoder, taesd3_decoder). */
export function recogniseParts(files: readonly { path: string; tensors: readonly Found[] }[]): Recognised {
  const groups = new Map<string, Named[]>();
  for (const { path, tensors } of files) {
    const half = tinyHalf(tensors.map(({ key }) => key));
    const group = half ? path.replace(/(en|de)coder(?=[^/]*$)/i, '') : (/^(.*?)-\d{5}-of-\d{5}\.safetensors$/.exec(path)?.[1] ?? path);
    groups.set(group, [...(groups.get(group) ?? []), ...tensors.map((found) => ({ name: half ? tinyName(half, found.key) : found.key, found }))]);
  }
  const recognised: FoundPart[] = [];
  const unknown: Found[] = [];
  for (const tensors of groups.values()) {
    const left = new Map(tensors.map(({ name, found }) => [name, found]));
    for (const { mark, own, part } of KINDS) {
      for (const prefix of prefixesOf(tensors, mark)) {
        const mine = tensors.filter(({ name }) => left.has(name) && name.startsWith(prefix) && own.test(name.slice(prefix.length)));
        const byName = new Map(mine.map(({ name, found }) => [name.slice(prefix.length), found]));
        if (!byName.has(mark)) continue;
        mine.forEach(({ name }) => left.delete(name));
        recognised.push({ part: part(byName, `${mine[0]!.found.path} ${prefix}`), paths: [...new Set(mine.map(({ found }) => found.path))], prefix, tensors: byName });
      }
    }
    unknown.push(...[...left.values()].filter(({ key }) => !NEEDLESS.test(key)));
  }
  // a tiny autoencoder beside the large one is for drafts: TAESD3's file dropped along with a model's
  const beside = recognised.some(({ part, tensors }) => part === 'vae' && !tensors.has(TINY));
  const all = recognised.map((found): FoundPart => (beside && found.tensors.has(TINY) ? { ...found, part: 'vae_preview' } : found));
  const parts = all.filter((found) => all.find(({ part }) => part === found.part) === found);
  const doubled = parts.flatMap(({ part }) => {
    const same = all.filter((found) => found.part === part);
    return same.length > 1 ? [{ part, paths: same.flatMap(({ paths }) => paths) }] : [];
  });
  return { parts, unknown, doubled };
}

/** What stands before the mark in some key. */
const prefixesOf = (tensors: readonly Named[], mark: string): string[] =>
  [...new Set(tensors.filter(({ name }) => name === mark || name.endsWith(`.${mark}`)).map(({ name }) => name.slice(0, -mark.length)))];

/** Other models that people try, by a name that only they have. */
const OTHERS: readonly [RegExp, string][] = [
  [/^\d+\.conv\.0\.weight$/, 'the encoder of a tiny autoencoder: drafts need its decoder, taesd3_decoder.safetensors'],
  [/lora_(up|down|A|B)\.|\.lora_[AB]\.weight$/, 'a LoRA: drop it on Learn, where it opens as a concept'],
  [/(^|\.)double_blocks\.\d+\.img_attn/, 'a Flux model'],
  [/(^|\.)input_blocks\.\d+\.\d+\.transformer_blocks|(^|\.)down_blocks\.\d+\.attentions\.\d+\.transformer_blocks/, 'a Stable Diffusion 1, 2 or XL model (a U-Net)'],
  [/(^|\.)layers\.\d+\.attention\.qkv\.weight$|(^|\.)noise_refiner\./, 'a Lumina or Z-Image model'],
  [/(^|\.)blocks\.\d+\.self_attn\.q\.weight$/, 'a Wan model'],
  [/(^|\.)transformer_blocks\.\d+\.img_mlp\./, 'a Qwen-Image model'],
];

/** What the files are instead, in words; null where nobody knows. */
export function otherModel(keys: readonly string[]): string | null {
  return OTHERS.find(([mark]) => keys.some((key) => mark.test(key)))?.[1] ?? null;
}
