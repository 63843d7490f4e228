/**
 * Names of LoRA layers in the wild, all for the SD3 family. One module of a file maps to one projection of the model, or, where
 * the single-file checkpoint has q, k and v in one matrix, to three. Read: diffusers/PEFT (dotted, several prefixes), kohya and
 * the single-file names (dotted or underscored). Written: diffusers/PEFT, and kohya where that is asked for. Sources: PEFT, sd-scripts and ComfyUI conventions.
 */

/** A linear layer that can carry a LoRA, by its diffusers name. */
export interface LoraSiteShape { name: string; inFeatures: number; outFeatures: number }
export type LoraPart = 'down' | 'up' | 'alpha';
export interface LoraKey { module: string; part: LoraPart }

const suffixes: readonly (readonly [RegExp, LoraPart])[] = [
  [/\.lora_A(\.default)?(\.weight)?$/, 'down'],
  [/\.lora_B(\.default)?(\.weight)?$/, 'up'],
  [/[._]lora(_linear_layer)?[._]down\.weight$/, 'down'],
  [/[._]lora(_linear_layer)?[._]up\.weight$/, 'up'],
  [/\.alpha$/, 'alpha'],
];
const prefixes = ['transformer.', 'base_model.model.', 'diffusion_model.', 'model.', 'lora_transformer_', 'lora_unet_', 'lycoris_'];

/** What a tensor of a file is, or null where it is no part of a plain LoRA. */
export function parseLoraKey(key: string): LoraKey | null {
  const found = suffixes.find(([pattern]) => pattern.test(key));
  if (!found) return null;
  return { module: key.replace(found[0], ''), part: found[1] };
}

/** Kinds of adapters that are more than a product of two matrices, by how their tensors are called. */
const otherKinds: readonly (readonly [RegExp, string])[] = [
  [/\.(dora_scale|lora_magnitude_vector(\.default)?(\.weight)?)$/, 'DoRA is not supported'],
  [/\.lora_mid(\.weight)?$/, 'LoRA of convolutions with a middle part (lora_mid) is not supported'],
  [/\.(diff|diff_b|set_weight)$/, 'whole differences of weights (diff) are not supported'],
  [/\.(w_norm|b_norm)$/, 'changed norms are not supported'],
  [/\.lora_[AB](\.default)?\.bias$/, 'LoRA with a bias is not supported'],
  [/\.hada_/, 'LoHa is not supported'], [/\.lokr_/, 'LoKr is not supported'], [/\.(oft_|boft_)/, 'OFT is not supported'], [/\.reshape_weight$/, 'a LoRA that reshapes weights is not supported'],
  [/^bundle_emb\.|^clip_[lg]$/, 'learned words of the text encoders are not supported'],
];

/** Why a tensor that is no part of a plain LoRA is left out. */
export const whyLeftOut = (key: string): string => otherKinds.find(([pattern]) => pattern.test(key))?.[1] ?? 'not a plain LoRA tensor';

/** Whether a module belongs to a text encoder. */
export const isOfTextEncoder = (module: string): boolean => /^(lora_te\d?_|text_encoders?(_\d)?\.|te\d?_|lora_prior_te_)/.test(module);

/** The module's name without the prefixes tools put before it. */
export function bareModule(module: string): string {
  const prefix = prefixes.find((each) => module.startsWith(each));
  return prefix ? bareModule(module.slice(prefix.length)) : module;
}

/** A layer in the single-file checkpoint: which third of its rows the site is (null: all of them), and whether the halves of the rows change places. */
export interface OriginalLayer { name: string; third: number | null; swapped: boolean }

const OUTER: Readonly<Record<string, string>> = {
  'pos_embed.proj': 'x_embedder.proj', context_embedder: 'context_embedder', 'norm_out.linear': 'final_layer.adaLN_modulation.1', proj_out: 'final_layer.linear',
  'time_text_embed.timestep_embedder.linear_1': 't_embedder.mlp.0', 'time_text_embed.timestep_embedder.linear_2': 't_embedder.mlp.2',
  'time_text_embed.text_embedder.linear_1': 'y_embedder.mlp.0', 'time_text_embed.text_embedder.linear_2': 'y_embedder.mlp.2',
};
const WITHIN: Readonly<Record<string, readonly [name: string, third?: number]>> = {
  'attn.to_q': ['x_block.attn.qkv', 0], 'attn.to_k': ['x_block.attn.qkv', 1], 'attn.to_v': ['x_block.attn.qkv', 2], 'attn.to_out.0': ['x_block.attn.proj'],
  'attn.add_q_proj': ['context_block.attn.qkv', 0], 'attn.add_k_proj': ['context_block.attn.qkv', 1], 'attn.add_v_proj': ['context_block.attn.qkv', 2], 'attn.to_add_out': ['context_block.attn.proj'],
  'attn2.to_q': ['x_block.attn2.qkv', 0], 'attn2.to_k': ['x_block.attn2.qkv', 1], 'attn2.to_v': ['x_block.attn2.qkv', 2], 'attn2.to_out.0': ['x_block.attn2.proj'],
  'ff.net.0.proj': ['x_block.mlp.fc1'], 'ff.net.2': ['x_block.mlp.fc2'], 'ff_context.net.0.proj': ['context_block.mlp.fc1'], 'ff_context.net.2': ['context_block.mlp.fc2'],
  'norm1.linear': ['x_block.adaLN_modulation.1'], 'norm1_context.linear': ['context_block.adaLN_modulation.1'],
};

/** The layer of the single-file checkpoint that a site is, or is part of; null where it has none. */
export function originalLayer({ name, inFeatures, outFeatures }: LoraSiteShape): OriginalLayer | null {
  if (Object.hasOwn(OUTER, name)) return { name: OUTER[name]!, third: null, swapped: name === 'norm_out.linear' };
  const [, block, rest] = /^transformer_blocks\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (rest === undefined || !Object.hasOwn(WITHIN, rest)) return null;
  const [original, third = null] = WITHIN[rest]!;
  // the last block's context is only scaled and shifted; the others' modulation has six parts and one order
  const isLast = rest === 'norm1_context.linear' && outFeatures === 2 * inFeatures;
  return { name: `joint_blocks.${block}.${original}`, third, swapped: isLast };
}

/** One entry: the sites a module stands for, each with its third of the module's output rows. */
export type ModuleTable = Map<string, { site: LoraSiteShape; third: number | null; swapped: boolean }[]>;

/** Every bare name, dotted or underscored, under which a file may address the given sites. */
export function moduleTable(sites: readonly LoraSiteShape[]): ModuleTable {
  const table: ModuleTable = new Map();
  const add = (name: string, entry: { site: LoraSiteShape; third: number | null; swapped: boolean }) => {
    for (const each of new Set([name, name.replaceAll('.', '_')])) table.set(each, [...(table.get(each) ?? []), entry]);
  };
  for (const site of sites) {
    add(site.name, { site, third: null, swapped: false });
    const original = originalLayer(site);
    if (original && original.name !== site.name) add(original.name, { site, third: original.third, swapped: original.swapped });
  }
  return table;
}

/**
 * The patch convolution is a linear layer over (row, column, channel) here, and (channel, row, column) in files, where its matrices
 * have four dimensions.
 */
export const PATCH_SITE = 'pos_embed.proj';
/** Rows and columns of a patch: 2 in every model of the family. */
const PATCH = 2;
export const patchShape = (rank: number, inFeatures: number): number[] => [rank, inFeatures / PATCH ** 2, PATCH, PATCH];

/** Input `at` of the patch layer here: its place in a file's row. */
export const patchInput = (at: number, inFeatures: number): number => {
  const channels = inFeatures / PATCH ** 2;
  return (at % channels) * PATCH ** 2 + Math.floor(at / channels);
};

/** Keys Lamina writes: diffusers' transformer with PEFT's halves. */
export const exportedKeys = (site: string) => ({ down: `transformer.${site}.lora_A.weight`, up: `transformer.${site}.lora_B.weight` });

/** Keys of one module as kohya's sd-scripts writes them. */
export const kohyaKeys = (original: string) => { const module = `lora_unet_${original.replaceAll('.', '_')}`; return { down: `${module}.lora_down.weight`, up: `${module}.lora_up.weight`, alpha: `${module}.alpha` }; };

/** Concept rows and the pooled delta in the same file. Other tools skip them; their names hold "lora" because diffusers refuses files with a key that does not. */
export const rowKey = (block: number) => `lamina_lora_rows.${block}`;
export const POOLED_KEY = 'lamina_lora_pooled';
export const isOwnKey = (key: string) => key === POOLED_KEY || /^lamina_lora_rows\.\d+$/.test(key);
