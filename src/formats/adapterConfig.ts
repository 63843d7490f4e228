/**
 * PEFT's configuration of an adapter: adapter_config.json beside an adapter_model.safetensors, or the same in the header of a
 * file of diffusers, each name with the component before it. It says how strongly a LoRA acts (alpha, rank, patterns, rsLoRA), which
 * layers it is for, and whether it is more than a product of two matrices, which is refused. Source: PEFT's LoraConfig and how it
 * matches names: an entry is a layer's whole name or the end of it behind a dot; the first pattern that fits counts.
 */
import * as v from 'valibot';
import { Fault } from '../protocol/faults';
import { readJson } from './json';

export interface AdapterConfig {
  /** alpha of a module by its bare name, such that it acts with alpha/rank; null where the configuration says none. */
  alphaOf(module: string, rank: number): number | null;
  /** Fault where the module has another rank in the file, or is none that the configuration is for. */
  expect(module: string, rank: number): void;
}

const NAME = 'adapter_config.json';
/** Such a file has a few KB, with a pattern for every layer some hundred. */
export const MOST_CONFIG_BYTES = 2 ** 20;
const DROP_ANEW = `Drop the adapter_model.safetensors together with the ${NAME} that was saved with it.`;

const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const optional = <T extends v.GenericSchema>(schema: T) => v.nullish(schema);
const schema = v.looseObject({
  peft_type: optional(v.string()),
  r: optional(v.pipe(positive, v.integer())),
  lora_alpha: v.optional(v.pipe(v.number(), v.finite())),
  rank_pattern: optional(v.record(v.string(), v.pipe(positive, v.integer()))),
  alpha_pattern: optional(v.record(v.string(), v.pipe(v.number(), v.finite()))),
  target_modules: optional(v.union([v.string(), v.array(v.string())])),
  use_rslora: optional(v.boolean()),
  use_dora: optional(v.boolean()),
  use_qalora: optional(v.boolean()),
  lora_bias: optional(v.boolean()),
  fan_in_fan_out: optional(v.boolean()),
  bias: optional(v.string()),
  init_lora_weights: optional(v.union([v.string(), v.boolean()])),
});
type Read = v.InferOutput<typeof schema>;

/** Starts that take what the LoRA begins with out of the base: the file then fits only the base so changed. */
const CHANGES_BASE = /^(pissa|olora|corda|loftq)/i;

/** What of it is more than W + alpha/r·B·A, in words; null where nothing is. */
function beyondLora(config: Read): string | null {
  const filled = (name: string) => { const value = config[name]; return value !== undefined && value !== null && value !== false && !(typeof value === 'object' && Object.keys(value).length === 0); };
  if (config.peft_type && config.peft_type !== 'LORA') return `it is a ${config.peft_type.slice(0, 40)}, not a LoRA`;
  if (config.use_dora) return 'it is a DoRA (use_dora), which also scales whole weights';
  if (config.use_qalora) return 'it is a QA-LoRA (use_qalora), which adds to groups of inputs';
  if (config.lora_bias || (config.bias && config.bias !== 'none')) return 'it also trains biases (bias, lora_bias)';
  if (config.fan_in_fan_out) return 'its weights are stored the other way round (fan_in_fan_out)';
  if (typeof config.init_lora_weights === 'string' && CHANGES_BASE.test(config.init_lora_weights)) return `it began as ${config.init_lora_weights.slice(0, 40)} (init_lora_weights), which changes the base model too`;
  const other = ['layer_replication', 'target_parameters', 'alora_invocation_tokens', 'modules_to_save'].find(filled);
  return other ? `it uses ${other}` : null;
}

/** An entry as a plain name: PEFT takes it as a regular expression, in which writers mark the start and quote dots. Null where it is a real one. */
function plainName(entry: string): string | null {
  const name = entry.replace(/^\^/, '').replace(/\$$/, '').replaceAll('\\.', '.');
  return /[\\^$*+?()[\]{}|]/.test(name) ? null : name;
}

const fits = (module: string, name: string) => module === name || module.endsWith(`.${name}`);

/** Tools also write layers with underscores throughout; a configuration has them with dots. */
const same = (module: string, name: string) => fits(module, name) || fits(module.replaceAll('.', '_'), name.replaceAll('.', '_'));

/**
 * Reads a configuration. `prefix`: what stands before its names ("transformer."), as in a header. Fault `adapter-config`: not of that form,
 * more than a LoRA, or with patterns that cannot be read here.
 */
export function readAdapterConfig(text: string, { prefix = '', where = NAME, remedy = DROP_ANEW } = {}): AdapterConfig {
  const fault = (found: string, what = remedy) => new Fault('adapter-config', `${where} ${found}.`, what, { subject: where });
  const all = readJson(text, v.looseObject({}));
  const own = all && Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]));
  const read = v.safeParse(schema, own);
  if (!own || !read.success) {
    const field = read.issues?.[0] && v.getDotPath(read.issues[0]);
    throw fault(own && field ? `cannot be read: its ${field.slice(0, 80)} is not of the form that PEFT writes` : 'cannot be read: it is no JSON of PEFT’s form');
  }
  const config = read.output;
  const beyond = beyondLora(config);
  if (beyond) throw fault(`says that this cannot be drawn here: ${beyond}`, 'Merge it into its base model, or save it as a plain LoRA, with the tool that made it.');
  const table = (field: 'rank_pattern' | 'alpha_pattern') => Object.entries(config[field] ?? {}).map(([entry, value]) => {
    const name = plainName(entry);
    if (name === null) throw fault(`names layers by a pattern that is not read here, “${entry.slice(0, 80)}” in ${field}`, 'Write the layers’ names out in full.');
    return { name, value };
  });
  const [ranks, alphas] = [table('rank_pattern'), table('alpha_pattern')];
  const targets = Array.isArray(config.target_modules) ? config.target_modules : null;
  const valueOf = (entries: readonly { name: string; value: number }[], module: string) => entries.find(({ name }) => same(module, name))?.value;
  return {
    alphaOf(module, rank) {
      const alpha = valueOf(alphas, module) ?? config.lora_alpha ?? null;
      return alpha !== null && config.use_rslora ? alpha * Math.sqrt(rank) : alpha;
    },
    expect(module, rank) {
      const says = valueOf(ranks, module) ?? config.r ?? rank;
      if (says !== rank) throw fault(`is not of this file: it gives “${module}” the rank ${says}, and the file has ${rank}`);
      // a single text is a regular expression, or stands for all linear layers
      if (targets && !targets.some((name) => same(module, name))) throw fault(`is not of this file: “${module}” is not among the layers it was trained for (target_modules)`);
    },
  };
}

/** adapter_config.json as it was dropped, which has to say how strongly its LoRA acts. */
export async function readAdapterConfigFile(file: Blob): Promise<AdapterConfig> {
  if (file.size > MOST_CONFIG_BYTES) throw new Fault('adapter-config', `${NAME} has ${(file.size / 2 ** 20).toFixed(0)} MB; such a file has a few KB.`, DROP_ANEW, { subject: NAME });
  const text = await file.text();
  const config = readAdapterConfig(text);
  const said = readJson(text, v.looseObject({ r: v.number(), lora_alpha: v.number() }));
  if (!said) throw new Fault('adapter-config', `${NAME} does not say how strongly its LoRA acts: r and lora_alpha are missing.`, DROP_ANEW, { subject: NAME });
  return config;
}
