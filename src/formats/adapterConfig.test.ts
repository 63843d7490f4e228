import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openSafetensors } from './safetensors';
import { writeSafetensors, type PlainTensor } from './safetensorsWriter';
import { readLora, type LoraModel } from './loraFile';

const projections = ['to_q', 'to_k', 'to_v', 'to_out.0', 'add_q_proj', 'add_k_proj', 'add_v_proj', 'to_add_out'];
const sites = [0, 1, 2].flatMap((block) => projections.filter((name) => block < 2 || name !== 'to_add_out').map((name) => ({ name: `transformer_blocks.${block}.attn.${name}`, inFeatures: 64, outFeatures: 64 })));
const model: LoraModel = { sites, depth: 3, hidden: 64, pooledWidth: 80 };
const SITE = 'transformer_blocks.0.attn.to_q';
/** Where its rank is 2; elsewhere 4. */
const NARROW = 'transformer_blocks.1.attn.to_v';

/** adapter_model.safetensors as PEFT's save_pretrained writes it, of rank 4 and in one layer 2. */
async function adapterModel(metadata: Record<string, string> = {}): Promise<Blob> {
  const source = openSafetensors(new Uint8Array(await readFile('fixtures/sd3/purecc_lora.safetensors')));
  const out: Record<string, PlainTensor> = {};
  for (const key of source.keys()) {
    const name = key.replace('transformer.', 'base_model.model.');
    const [[rows, columns], data] = [source.shape(key) as [number, number], await source.read(key)];
    if (!key.includes(NARROW)) out[name] = { shape: [rows, columns], data };
    else if (key.includes('lora_A')) out[name] = { shape: [2, columns], data: data.slice(0, 2 * columns) };
    else out[name] = { shape: [rows, 2], data: data.filter((_, i) => i % columns < 2) };
  }
  return new Blob([writeSafetensors(out, metadata)]);
}

/** As PEFT 0.21 writes it, with what it says of nothing. */
const plain = {
  alora_invocation_tokens: null, alpha_pattern: {}, arrow_config: null, auto_mapping: null, base_model_name_or_path: 'sd3.5', bias: 'none', corda_config: null, eva_config: null, exclude_modules: null, fan_in_fan_out: false,
  inference_mode: true, init_lora_weights: 'gaussian', layer_replication: null, layers_pattern: null, layers_to_transform: null, loftq_config: {}, lora_alpha: 4, lora_bias: false, lora_dropout: 0, megatron_config: null,
  modules_to_save: null, peft_type: 'LORA', peft_version: '0.21.0', qalora_group_size: 16, r: 4, rank_pattern: { [NARROW]: 2 }, revision: null, target_modules: projections.map((name) => `attn.${name}`), target_parameters: null,
  task_type: null, trainable_token_indices: null, use_dora: false, use_qalora: false, use_rslora: false,
};

const read = async (config: unknown, metadata: Record<string, string> = {}) =>
  readLora(await adapterModel(metadata), model, 'adapter_model.safetensors', config === undefined ? null : new Blob([typeof config === 'string' ? config : JSON.stringify(config)]));
const withIt = (changes: Record<string, unknown>) => read({ ...plain, ...changes });

/** By how much a layer acts more than with alpha equal to its rank. */
async function strength(config: unknown, site = SITE): Promise<number> {
  const [found, assumed] = [await read(config), await read(undefined)];
  return found.tensors[`${site}.b`]!.data[0]! / assumed.tensors[`${site}.b`]!.data[0]!;
}

describe('adapter_config.json', () => {
  it('says how strongly a LoRA acts, in all layers or in some', async () => {
    expect(await read(undefined)).toMatchObject({ alphaAssumed: true, matched: 23 });
    expect(await read(plain)).toMatchObject({ alphaAssumed: false, matched: 23, unmatched: [] });
    expect(await strength(plain)).toBe(1);
    expect(await strength(plain, NARROW)).toBe(2);
    expect(await strength({ ...plain, lora_alpha: 8 })).toBe(2);
    expect(await strength({ ...plain, use_rslora: true })).toBe(2);
    const some = { ...plain, alpha_pattern: { '^transformer_blocks\\.0\\.attn\\.to_q$': 16, to_v: 6 } };
    expect(await strength(some)).toBe(4);
    expect(await strength(some, NARROW)).toBeCloseTo(3, 5);
    expect(await strength(some, 'transformer_blocks.0.attn.to_k')).toBe(1);
  });

  it('takes one text of layers, all of them, or none named', async () => {
    for (const target_modules of ['all-linear', '.*attn\\.(to_q|to_k)', null]) expect(await withIt({ target_modules })).toMatchObject({ matched: 23 });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['another kind of adapter', { peft_type: 'LOHA' }, 'LOHA'], ['DoRA', { use_dora: true }, 'use_dora'], ['QA-LoRA', { use_qalora: true }, 'use_qalora'], ['biases', { bias: 'lora_only' }, 'biases'], ['biases of its own', { lora_bias: true }, 'biases'],
    ['a base changed by its start', { init_lora_weights: 'pissa_niter_4' }, 'pissa_niter_4'], ['weights the other way round', { fan_in_fan_out: true }, 'fan_in_fan_out'], ['whole layers', { modules_to_save: ['proj_out'] }, 'modules_to_save'],
    ['doubled layers', { layer_replication: [[0, 2]] }, 'layer_replication'],
  ])('that asks for more than a LoRA is refused by name: %s', async (_, changes, named) => {
    await expect(withIt(changes)).rejects.toMatchObject({ code: 'adapter-config', message: expect.stringContaining(named) as string, remedy: expect.stringContaining('plain LoRA') as string });
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{"r": 4', 'no JSON'], ['a list', '[4]', 'r and lora_alpha are missing'], ['a rank that is no number', { ...plain, r: 'four' }, 'its r is'], ['a rank of zero', { ...plain, r: 0 }, 'its r is'], ['alpha in a list', { ...plain, lora_alpha: [4] }, 'its lora_alpha'],
    ['alpha beyond all numbers', JSON.stringify(plain).replace('"lora_alpha":4', '"lora_alpha":1e999'), 'its lora_alpha'], ['nothing of it', {}, 'r and lora_alpha are missing'], ['no alpha', { ...plain, lora_alpha: null }, 'lora_alpha'],
    ['a model’s configuration', { _class_name: 'SD3Transformer2DModel', num_layers: 24 }, 'r and lora_alpha are missing'], ['patterns that are expressions', { ...plain, alpha_pattern: { 'blocks\\.[01]\\..*': 8 } }, 'a pattern that is not read here'],
  ])('of another form is refused in words: %s', async (_, config, said) => {
    await expect(read(config)).rejects.toMatchObject({ code: 'adapter-config', message: expect.stringContaining(said) as string, remedy: expect.stringMatching(/./) as string, subject: 'adapter_config.json' });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['another rank', { r: 8 }, 'the rank 8, and the file has 4'], ['no rank for the narrow layer', { rank_pattern: {} }, `“${NARROW}” the rank 4, and the file has 2`],
    ['other layers', { target_modules: ['attn.to_q', 'attn2.to_q'] }, 'not among the layers'], ['a layer whose name only ends alike', { target_modules: projections.map((name) => `attn.${name}`.replace('attn.to_q', 'ttn.to_q')) }, 'attn.to_q” is not among the layers'],
  ])('of another adapter is refused: %s', async (_, changes, said) => {
    await expect(withIt(changes)).rejects.toMatchObject({ code: 'adapter-config', message: expect.stringContaining(said) as string, remedy: expect.stringContaining('saved with it') as string });
  });

  it('must agree with what the file itself says', async () => {
    const header = (alpha: number) => ({ lora_adapter_metadata: JSON.stringify({ 'transformer.r': 4, 'transformer.lora_alpha': alpha }) });
    expect(await read(plain, header(4))).toMatchObject({ matched: 23 });
    await expect(read(plain, header(8))).rejects.toMatchObject({ code: 'adapter-config', message: expect.stringMatching(/gives “.*” the alpha 4, and the LoRA itself 8/) as string });
  });

  it('of more than a few hundred KB is not read', async () => {
    await expect(read(`{"r": 4, "lora_alpha": 4, "note": "${'a'.repeat(2 ** 20)}"}`)).rejects.toMatchObject({ code: 'adapter-config', message: expect.stringContaining('1 MB') as string });
  });

  it('in a header is held to the same', async () => {
    const dora = JSON.stringify({ 'transformer.r': 4, 'transformer.lora_alpha': 4, 'transformer.use_dora': true, 'text_encoder.use_dora': true });
    await expect(read(undefined, { lora_adapter_metadata: dora })).rejects.toMatchObject({ code: 'adapter-config', message: expect.stringMatching(/^The header of this LoRA.*use_dora/) as string });
    expect(await read(undefined, { lora_adapter_metadata: JSON.stringify({ 'transformer.lora_alpha': 4, 'text_encoder.use_dora': true }) })).toMatchObject({ matched: 23 });
  });
});
