/**
 * The text header of an exported LoRA: PEFT's adapter configuration, ModelSpec 1.0.1, the few kohya fields that readers ask for,
 * and our own under `lamina.`. By default it says nothing about the pictures: no captions, file names or counts.
 */
import * as v from 'valibot';
import { readJson } from './json';

export interface LoraBase {
  id: string;
  /** SHA-256 of the base's transformer file, lowercase hex. */
  sha256: string;
}
export interface LoraDescription {
  /** The concept's name on the Shelf. */
  name: string;
  /** What to write in a prompt of another tool; empty for a world. */
  trigger: string;
  /** Written whole; of it the header itself says what was learned. */
  recipe: { kind: 'instance' | 'style' | 'world' } & object;
  /** Whether the student was trained with concept rows, always or at times. */
  usesRows: boolean;
  base: LoraBase;
  /** Median λ* at the end of learning. */
  lambda: number;
  /** Likeness as it was measured: here, here without rows, in other tools; null where it was not. */
  likeness: { here: number; withoutRows: number | null; elsewhere: number | null } | null;
  /** Who made it; empty: not said. */
  author: string;
  /** A small picture drawn by the LoRA, as a data URL; null: none. */
  thumbnail: string | null;
  /** ISO 8601. */
  date: string;
  /** Complete captions of the pictures; written only when the user asked for it. */
  captions: readonly string[] | null;
}
export interface LoraFacts {
  /** Rank of each module; alpha is equal to it. */
  ranks: Record<string, number>;
  /** Whose names the modules have. */
  keys: 'diffusers' | 'kohya';
  /** Whether concept rows are in the file. */
  hasRows: boolean;
  /** SHA-256 of all tensor bytes with 0x before it. */
  hash: string;
}

const EMBEDDED = 'embedded';
/** Architecture names as trainers write them; the embedded base is a model of its own. */
const architectures: Record<string, string> = { 'sd3-medium': 'stable-diffusion-3-medium', 'sd3.5-medium': 'stable-diffusion-3-5-medium', 'sd3.5-large': 'stable-diffusion-3-5-large' };

const commonest = (values: readonly number[]) => [...new Set(values)].sort((a, b) => values.filter((v) => v === b).length - values.filter((v) => v === a).length)[0] ?? 0;

/** PEFT's LoraConfig as diffusers stores it; alpha equals rank everywhere, so that readers which ignore it scale alike. */
function peftConfig(ranks: Record<string, number>): Record<string, unknown> {
  const rank = commonest(Object.values(ranks));
  const others = Object.fromEntries(Object.entries(ranks).filter(([, each]) => each !== rank));
  const config = {
    alpha_pattern: others, bias: 'none', init_lora_weights: 'gaussian', lora_alpha: rank, lora_bias: false, lora_dropout: 0, r: rank,
    rank_pattern: others, target_modules: Object.keys(ranks).sort(), use_dora: false, use_rslora: false,
  };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [`transformer.${key}`, value]));
}

/** Two plain sentences a person reads in a model viewer. */
function usageHint({ base, trigger, recipe, usesRows, likeness }: LoraDescription, hasRows: boolean): string {
  const fits = base.id === EMBEDDED ? 'Fits only the embedded base of Lamina and no other model.' : `Fits only the base model ${base.id}.`;
  // its guidance is a difference at the empty prompt: applied to a prompt it is another thing
  if (recipe.kind === 'world') return `${fits} It was trained without captions, under the empty prompt, and stands for v(empty; with this LoRA) − v(empty; without): guidance beside that of a prompt which the base reads without it.`;
  const use = `In prompts write “${trigger}”.`;
  const elsewhere = likeness?.elsewhere ?? null;
  const left = elsewhere === null ? '' : ` Likeness in other tools: ${elsewhere.toFixed(3)}, in Lamina: ${likeness!.here.toFixed(3)}.`;
  if (!usesRows) return `${fits} ${use} The file says everything there is.${left}`;
  return `${fits} ${use} The concept was learned with concept rows, which ${hasRows ? 'are in this file but only Lamina applies' : 'are not in this file'}.${left}`;
}

export function loraHeader(about: LoraDescription, { ranks, keys, hasRows, hash }: LoraFacts): Record<string, string> {
  const { name, trigger, recipe, usesRows, base, lambda, likeness, author, thumbnail, date, captions } = about;
  const rank = String(commonest(Object.values(ranks)));
  const hint = usageHint(about, hasRows);
  const world = recipe.kind === 'world';
  return {
    format: 'pt',
    // PEFT's configuration names its own modules, and kohya's module would read no other names than its own
    ...(keys === 'diffusers' ? { lora_adapter_metadata: JSON.stringify(peftConfig(ranks)) } : { ss_network_module: 'networks.lora_sd3', ss_network_args: 'None' }),
    'modelspec.sai_model_spec': '1.0.1',
    'modelspec.architecture': `${architectures[base.id] ?? `lamina-${base.id}`}/lora`,
    'modelspec.implementation': keys === 'diffusers' ? 'https://github.com/huggingface/diffusers' : 'https://github.com/kohya-ss/sd-scripts',
    'modelspec.title': name,
    'modelspec.description': `A ${world ? 'world of pictures' : recipe.kind === 'style' ? 'style' : 'concept'} learned in Lamina ${world ? 'without captions, as a null-text specialist (GCFG)' : 'by PureCC'}. ${hint}`,
    ...(author && { 'modelspec.author': author }),
    ...(thumbnail && { 'modelspec.thumbnail': thumbnail }),
    'modelspec.date': date,
    'modelspec.hash_sha256': hash,
    'modelspec.usage_hint': hint,
    ...(trigger && { 'modelspec.trigger_phrase': trigger }),
    'modelspec.tags': world ? 'lora, null-text specialist' : 'lora, purecc',
    ss_v2: 'False',
    ss_base_model_version: base.id === EMBEDDED ? 'lamina_embedded' : base.id,
    ss_network_dim: rank,
    ss_network_alpha: rank,
    ss_output_name: name,
    ss_sd_model_name: base.id,
    ss_new_sd_model_hash: base.sha256,
    sshs_model_hash: hash.replace(/^0x/, ''),
    'lamina.version': '1',
    'lamina.base': base.id,
    'lamina.base_sha256': base.sha256,
    'lamina.name': name,
    'lamina.trigger': trigger,
    'lamina.lambda': String(lambda),
    'lamina.rows': hasRows ? 'included' : usesRows ? 'left out' : 'not needed',
    ...(likeness && { 'lamina.likeness': JSON.stringify(likeness) }),
    'lamina.recipe': JSON.stringify(recipe),
    ...(captions ? { ss_num_train_images: String(captions.length), 'lamina.captions': JSON.stringify(captions), ss_tag_frequency: JSON.stringify({ lamina: countEach(captions) }) } : {}),
  };
}

function countEach(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** What a Lamina header says about its file; null for files of other tools. The recipe is unchecked: parseRecipe is its door. */
export function readLoraHeader(metadata: Record<string, string>): { base: LoraBase; name: string; trigger: string; lambda: number; recipe: unknown } | null {
  if (metadata['lamina.version'] === undefined) return null;
  const number = (key: string) => (Number.isFinite(Number.parseFloat(metadata[key] ?? '')) ? Number.parseFloat(metadata[key]!) : null);
  const recipe = readJson(metadata['lamina.recipe'] ?? '', v.looseObject({}));
  return {
    base: { id: metadata['lamina.base'] ?? '', sha256: metadata['lamina.base_sha256'] ?? '' },
    name: metadata['lamina.name'] ?? metadata['modelspec.title'] ?? '',
    trigger: metadata['lamina.trigger'] ?? metadata['modelspec.trigger_phrase'] ?? '',
    lambda: number('lamina.lambda') ?? 1,
    recipe,
  };
}
