/**
 * Names of LoRA layers in the wild, all for the SD3 family. One module of a file maps to one projection of the model, or, where
 * the single-file checkpoint has q, k and v in one matrix, to three. Read: diffusers/PEFT (dotted, several prefixes), kohya and
 * the single-file names (dotted or underscored). Written: diffusers/PEFT, and kohya where that is asked for. Sources: PEFT, sd-scripts and ComfyUI conventions.
 */

/** A projection that can carry a LoRA, by its diffusers name. */
export interface LoraSiteShape { name: string; inFeatures: number; outFeatures: number }
export type LoraPart = 'down' | 'up' | 'alpha';
export interface LoraKey { module: string; part: LoraPart }

const suffixes: readonly (readonly [RegExp, LoraPart])[] = [
  [/\.lora_A(\.default)?\.weight$/, 'down'],
  [/\.lora_B(\.default)?\.weight$/, 'up'],
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

/** The module's name without the prefixes tools put before it. */
export function bareModule(module: string): string {
  const prefix = prefixes.find((each) => module.startsWith(each));
  return prefix ? bareModule(module.slice(prefix.length)) : module;
}

/** The name of a projection in the single-file checkpoint, and which third of its rows it is (null: all of them). */
export function originalName(site: string): { name: string; third: number | null } | null {
  const [, at, net] = /^transformer_blocks\.(\d+)\.(ff|ff_context)\.net\.(?:0\.proj|2)$/.exec(site) ?? [];
  if (at !== undefined) return { name: `joint_blocks.${at}.${net === 'ff' ? 'x_block' : 'context_block'}.mlp.${site.endsWith('.2') ? 'fc2' : 'fc1'}`, third: null };
  const [, block, rest] = /^transformer_blocks\.(\d+)\.attn\.(.+)$/.exec(site) ?? [];
  if (block === undefined || rest === undefined) return null;
  const [stream, list] = rest.startsWith('add_') || rest === 'to_add_out' ? ['context_block', ['add_q_proj', 'add_k_proj', 'add_v_proj']] : ['x_block', ['to_q', 'to_k', 'to_v']];
  const third = list.indexOf(rest);
  return { name: `joint_blocks.${block}.${stream}.attn.${third < 0 ? 'proj' : 'qkv'}`, third: third < 0 ? null : third };
}

/** One entry: the sites a module stands for, each with its third of the module's output rows. */
export type ModuleTable = Map<string, { site: LoraSiteShape; third: number | null }[]>;

/** Every bare name, dotted or underscored, under which a file may address the given sites. */
export function moduleTable(sites: readonly LoraSiteShape[]): ModuleTable {
  const table: ModuleTable = new Map();
  const add = (name: string, entry: { site: LoraSiteShape; third: number | null }) => {
    for (const each of new Set([name, name.replaceAll('.', '_')])) table.set(each, [...(table.get(each) ?? []), entry]);
  };
  for (const site of sites) {
    add(site.name, { site, third: null });
    const original = originalName(site.name);
    if (original) add(original.name, { site, third: original.third });
  }
  return table;
}

/** Keys Lamina writes: diffusers' transformer with PEFT's halves. */
export const exportedKeys = (site: string) => ({ down: `transformer.${site}.lora_A.weight`, up: `transformer.${site}.lora_B.weight` });

/** Keys of one module as kohya's sd-scripts writes them. */
export const kohyaKeys = (original: string) => { const module = `lora_unet_${original.replaceAll('.', '_')}`; return { down: `${module}.lora_down.weight`, up: `${module}.lora_up.weight`, alpha: `${module}.alpha` }; };

/** Concept rows and the pooled delta in the same file. Other tools skip them; their names hold "lora" because diffusers refuses files with a key that does not. */
export const rowKey = (block: number) => `lamina_lora_rows.${block}`;
export const POOLED_KEY = 'lamina_lora_pooled';
export const isOwnKey = (key: string) => key === POOLED_KEY || /^lamina_lora_rows\.\d+$/.test(key);
