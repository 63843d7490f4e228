/**
 * Which networks a set of checkpoint files holds, by their tensor names alone: the single file, separate files and a diffusers
 * folder differ only in prefixes and in the transformer's layout. It opens nothing; who imports reads what is listed here.
 */
import type { TensorEntry } from '../../formats/safetensors';

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
  /** By key without prefix, in file order. */
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

/** Key that only a tiny autoencoder has. */
const TINY = 'decoder.layers.0.weight';

const KINDS: readonly Kind[] = [
  { mark: 'joint_blocks.0.x_block.attn.qkv.weight', own: /^(joint_blocks\.|x_embedder\.|t_embedder\.|y_embedder\.|context_embedder\.|pos_embed$|final_layer\.)/, part: () => 'transformer' },
  { mark: 'transformer_blocks.0.attn.add_q_proj.weight', own: /^(transformer_blocks\.|pos_embed\.|time_text_embed\.|context_embedder\.|norm_out\.|proj_out\.)/, part: () => 'transformer' },
  { mark: 'decoder.conv_in.weight', own: /^(encoder|decoder|quant_conv|post_quant_conv)\./, part: () => 'vae' },
  { mark: TINY, own: /^(encoder|decoder)\.layers\./, part: () => 'vae' },
  { mark: 'text_model.embeddings.token_embedding.weight', own: /^(text_model\.|text_projection\.)/, part: clipPart },
  { mark: 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight', own: /^(encoder\.(block|final_layer_norm|embed_tokens)\.|shared\.)/, part: () => 'text_encoder_3' },
  { mark: 'vision_model.embeddings.patch_embedding.weight', own: /^(vision_model\.|visual_projection\.)/, part: () => 'image_encoder' },
];

/** Tensors that files carry along and no model needs. */
const NEEDLESS = /(^|\.)(position_ids|logit_scale|scaled_fp8|spiece_model|embed_tokens\.weight)$/;

export interface Recognised {
  parts: FoundPart[];
  /** Keys that belong to no network known here. */
  unknown: Found[];
  /** The same network in two files. */
  doubled: { part: PartName; paths: string[] }[];
}

/** files: each file's tensors. Shards of one folder count as one file. */
export function recogniseParts(files: readonly { path: string; tensors: readonly Found[] }[]): Recognised {
  const groups = new Map<string, Found[]>();
  for (const { path, tensors } of files) {
    const shard = /^(.*?)-\d{5}-of-\d{5}\.safetensors$/.exec(path)?.[1] ?? path;
    groups.set(shard, [...(groups.get(shard) ?? []), ...tensors]);
  }
  const parts: FoundPart[] = [];
  const unknown: Found[] = [];
  const all: FoundPart[] = [];
  /** Another network of that kind, which isn't among the parts. */
  const second = (part: PartName) => all.find((found) => found.part === part && !parts.includes(found));
  for (const tensors of groups.values()) {
    const left = new Map(tensors.map((found) => [found.key, found]));
    for (const { mark, own, part } of KINDS) {
      for (const prefix of prefixesOf(tensors, mark)) {
        const mine = tensors.filter(({ key }) => left.has(key) && key.startsWith(prefix) && own.test(key.slice(prefix.length)));
        const byName = new Map(mine.map((found) => [found.key.slice(prefix.length), found]));
        if (!byName.has(mark)) continue;
        mine.forEach(({ key }) => left.delete(key));
        const found = { part: part(byName, `${mine[0]!.path} ${prefix}`), paths: [...new Set(mine.map(({ path }) => path))], prefix, tensors: byName };
        all.push(found);
        if (!parts.some((known) => known.part === found.part)) parts.push(found);
      }
    }
    unknown.push(...[...left.values()].filter(({ key }) => !NEEDLESS.test(key)));
  }
  // a tiny autoencoder beside the large one is for drafts: TAESD3's file dropped along with a model's
  const [vae, other] = [parts.find(({ part }) => part === 'vae'), second('vae')];
  const tiny = [vae, other].find((found) => found?.tensors.has(TINY));
  const large = [vae, other].find((found) => found && !found.tensors.has(TINY));
  if (tiny && large) parts.splice(parts.indexOf(vae!), 1, large, { ...tiny, part: 'vae_preview' });
  const doubled = parts.flatMap(({ part }) => {
    const same = all.filter((found) => found.part === part && !(tiny && large && part === 'vae' && found.tensors.has(TINY)));
    return same.length > 1 ? [{ part, paths: same.flatMap(({ paths }) => paths) }] : [];
  });
  return { parts, unknown, doubled };
}

/** What stands before the mark in some key. */
const prefixesOf = (tensors: readonly Found[], mark: string): string[] =>
  [...new Set(tensors.filter(({ key }) => key === mark || key.endsWith(`.${mark}`)).map(({ key }) => key.slice(0, -mark.length)))];

/** Other models that people try, by a name that only they have. */
const OTHERS: readonly [RegExp, string][] = [
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
