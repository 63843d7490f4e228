import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { defaultRecipe } from '../protocol/recipe';
import { openSafetensors } from './safetensors';
import { writeSafetensors, type PlainTensor } from './safetensorsWriter';
import { readLora as readLoraFile, type LoraModel } from './loraFile';
import { writeLora, type WriteLora } from './loraWriter';
import { bareModule, type LoraSiteShape } from './loraKeys';

const projections = ['to_q', 'to_k', 'to_v', 'to_out.0', 'add_q_proj', 'add_k_proj', 'add_v_proj', 'to_add_out'];
const sitesOf = (depth: number, width: number): LoraSiteShape[] =>
  Array.from({ length: depth }, (_, block) => projections.filter((name) => block < depth - 1 || name !== 'to_add_out').map((name) => ({ name: `transformer_blocks.${block}.attn.${name}`, inFeatures: width, outFeatures: width }))).flat();
const modelOf = (depth: number, width: number): LoraModel => ({ sites: sitesOf(depth, width), depth, hidden: width, pooledWidth: 80 });
const model = modelOf(3, 64);
const { sites } = model;
const readLora = (bytes: Uint8Array<ArrayBuffer>, of = model) => readLoraFile(new Blob([bytes]), of, 'a.safetensors');
const fixture = async (name: string) => new Uint8Array(await readFile(`fixtures/sd3/${name}.safetensors`));

let seed = 1;
const noise = (length: number) => Float32Array.from({ length }, () => Math.fround(Math.sin((seed += 1.7)) * 1.3));
const tensor = (...shape: number[]) => ({ shape, data: noise(shape.reduce((a, b) => a * b, 1)) });
const recipe = { ...defaultRecipe(), classWord: 'dog' };
function concept(rank = 4): WriteLora {
  const tensors = Object.fromEntries(sites.flatMap(({ name }) => [[`${name}.a`, tensor(64, rank)], [`${name}.b`, tensor(rank, 64)]]));
  return {
    tensors: { ...tensors, rows: tensor(3, 64), pooledDelta: tensor(80) },
    name: 'guide dog', trigger: 'dog', recipe, usesRows: true, base: { id: 'embedded', sha256: 'ab'.repeat(32) }, lambda: 1.5, likeness: { here: 0.9, withoutRows: 0.85, elsewhere: 0.8123 },
    captions: ['a [V] dog in my secret garden', 'a [V] dog at grandmother’s'], options: { includeCaptions: false, includeRows: true, keys: 'diffusers' }, author: '', thumbnail: null, date: '2026-01-02',
  };
}
/** ΔW [in,out] of one site, scale 1. */
function product(tensors: Record<string, { shape: readonly number[]; data: Float32Array }>, site: string): Float64Array | null {
  const [a, b] = [tensors[`${site}.a`], tensors[`${site}.b`]];
  if (!a || !b) return null;
  const [[inputs, rank], [, outputs]] = [a.shape as [number, number], b.shape as [number, number]];
  const out = new Float64Array(inputs * outputs);
  for (let i = 0; i < inputs; i++) for (let r = 0; r < rank; r++) for (let o = 0; o < outputs; o++) out[i * outputs + o]! += a.data[i * rank + r]! * b.data[r * outputs + o]!;
  return out;
}
const worst = (a: Float64Array, b: Float64Array, factor = 1) => a.reduce((max, value, i) => Math.max(max, Math.abs(value - factor * b[i]!)), 0);

describe('export', () => {
  it('comes back bit for bit', async () => {
    const given = concept();
    const read = await readLora(await writeLora(given));
    expect(read.tensors).toEqual(given.tensors);
    expect(read).toMatchObject({ matched: 23, total: 23, unmatched: [] });
    expect(read.about).toEqual({ base: given.base, name: 'guide dog', trigger: 'dog', lambda: 1.5, recipe: given.recipe });
    expect(Buffer.compare(await writeLora(given), await writeLora(given))).toBe(0);
  });

  it('has the keys and shapes of diffusers and PEFT, every key holding “lora”', async () => {
    const given = concept(2);
    const file = openSafetensors(await writeLora(given));
    expect(file.shape('transformer.transformer_blocks.0.attn.to_q.lora_A.weight')).toEqual([2, 64]);
    expect(file.shape('transformer.transformer_blocks.1.attn.to_out.0.lora_B.weight')).toEqual([64, 2]);
    expect(file.shape('lamina_lora_rows.2')).toEqual([64]);
    expect(file.shape('lamina_lora_pooled')).toEqual([80]);
    expect(file.keys().every((key) => key.includes('lora'))).toBe(true);
    expect(file.keys()).toHaveLength(46 + 4);
    const a = await file.read('transformer.transformer_blocks.0.attn.to_q.lora_A.weight');
    expect(a[1 * 64 + 5]).toBe(given.tensors['transformer_blocks.0.attn.to_q.a']!.data[5 * 2 + 1]);
  });

  it('leaves the rows out when asked to, and says so', async () => {
    const bytes = await writeLora({ ...concept(), options: { ...concept().options, includeRows: false } });
    const { metadata, keys } = { metadata: openSafetensors(bytes).header.metadata, keys: openSafetensors(bytes).keys() };
    expect(keys.some((key) => key.startsWith('lamina'))).toBe(false);
    expect(metadata['lamina.rows']).toBe('left out');
    expect(metadata['modelspec.usage_hint']).toContain('are not in this file');
    expect(metadata['modelspec.usage_hint']).toContain('Likeness in other tools: 0.812, in Lamina: 0.900.');
  });

  it('has the header readers expect', async () => {
    const bytes = await writeLora(concept());
    const { metadata, dataBegin } = openSafetensors(bytes).header;
    const hash = Buffer.from(await crypto.subtle.digest('SHA-256', bytes.slice(dataBegin))).toString('hex');
    expect(metadata).toMatchObject({
      format: 'pt', 'modelspec.sai_model_spec': '1.0.1', 'modelspec.architecture': 'lamina-embedded/lora', 'modelspec.title': 'guide dog', 'modelspec.trigger_phrase': 'dog',
      'modelspec.hash_sha256': `0x${hash}`, sshs_model_hash: hash, ss_network_dim: '4', ss_network_alpha: '4', ss_v2: 'False', ss_new_sd_model_hash: 'ab'.repeat(32),
    });
    // the names are diffusers', so kohya's module could not read them
    expect(metadata).not.toHaveProperty('ss_network_module');
    expect(Object.keys(metadata).filter((key) => /author|thumbnail/.test(key))).toEqual([]);
    expect(openSafetensors(await writeLora({ ...concept(), author: 'A. Writer', thumbnail: 'data:image/png;base64,AA==' })).header.metadata).toMatchObject({ 'modelspec.author': 'A. Writer', 'modelspec.thumbnail': 'data:image/png;base64,AA==' });
    expect(metadata['modelspec.description']).toContain('Fits only the embedded base');
    const peft = JSON.parse(metadata.lora_adapter_metadata!) as Record<string, unknown>;
    expect(peft).toMatchObject({ 'transformer.r': 4, 'transformer.lora_alpha': 4, 'transformer.use_rslora': false, 'transformer.rank_pattern': {} });
    expect(peft['transformer.target_modules']).toHaveLength(23);
    const theirs = openSafetensors(await fixture('lora_peft_alpha8')).header.metadata.lora_adapter_metadata!;
    expect(Object.keys(peft).sort()).toEqual(Object.keys(JSON.parse(theirs) as object).sort());
  });

  it('has kohya’s keys and shapes when asked, the same ΔW in them, and says whose they are', async () => {
    const given = concept(2);
    const bytes = await writeLora({ ...given, options: { ...given.options, keys: 'kohya' } });
    const file = openSafetensors(bytes);
    const theirs = openSafetensors(await fixture('lora_peft_as_kohya'));
    const ofLora = (keys: readonly string[]) => keys.filter((key) => key.includes('_attn_')).sort();
    expect(ofLora(file.keys())).toEqual(ofLora(theirs.keys()));
    for (const key of ofLora(file.keys())) expect(file.shape(key).map((size, at) => (key.endsWith('alpha') || (key.includes('qkv') ? size === 6 : size === 2) ? `r${at}` : size)), key).toEqual(theirs.shape(key).map((size, at) => (key.endsWith('alpha') || (key.includes('qkv') ? size === 12 : size === 4) ? `r${at}` : size)));
    expect(file.header.metadata).toMatchObject({ ss_network_module: 'networks.lora_sd3', 'lamina.rows': 'included' });
    expect(file.header.metadata).not.toHaveProperty('lora_adapter_metadata');
    const read = await readLora(bytes);
    for (const { name } of sites) expect(worst(product(read.tensors, name)!, product(given.tensors, name)!), name).toBe(0);
    expect(read.unmatched).toEqual([]);
  });

  it('says nothing about the pictures unless asked', async () => {
    const quiet = Buffer.from(await writeLora(concept())).toString('latin1');
    expect(quiet).not.toMatch(/garden|grandmother|ss_num_train_images|ss_tag_frequency|lamina\.captions/);
    const open = openSafetensors(await writeLora({ ...concept(), options: { ...concept().options, includeCaptions: true } })).header.metadata;
    expect(open.ss_num_train_images).toBe('2');
    expect(JSON.parse(open['lamina.captions']!)).toEqual(concept().captions);
    expect(JSON.parse(open.ss_tag_frequency!)).toEqual({ lamina: { 'a [V] dog in my secret garden': 1, 'a [V] dog at grandmother’s': 1 } });
  });
});

describe('import', () => {
  it('takes PureCC’s own LoRA whole', async () => {
    const read = await readLora(await fixture('purecc_lora'));
    expect(read).toMatchObject({ matched: 23, total: 23, unmatched: [], about: null });
  });

  it('names what the model has no place for', async () => {
    const read = await readLora(await fixture('lora_peft'));
    expect(read).toMatchObject({ matched: 23, total: 35 });
    expect(read.unmatched).toHaveLength(12);
    expect(read.unmatched).toContainEqual({ name: 'transformer.transformer_blocks.0.ff.net.0.proj', why: 'this base has no such layer' });
  });

  it('gets the same ΔW from kohya’s fused form as from PEFT’s', async () => {
    const [peft, kohya] = [await readLora(await fixture('lora_peft')), await readLora(await fixture('lora_peft_as_kohya'))];
    for (const { name } of sites) expect(worst(product(peft.tensors, name)!, product(kohya.tensors, name)!), name).toBe(0);
    expect(kohya.tensors['transformer_blocks.0.attn.to_q.a']!.shape).toEqual([64, 4]);
    // 23 projections are 11 modules there: qkv and proj of both streams, but the last context has no proj.
    expect(kohya.matched).toBe(11);
  });

  it('takes alpha from the header, and from kohya’s tensor', async () => {
    const [peft, twice] = [await readLora(await fixture('lora_peft')), await readLora(await fixture('lora_peft_alpha8'))];
    for (const { name } of sites) expect(worst(product(twice.tensors, name)!, product(peft.tensors, name)!, 2), name).toBe(0);
    const file = openSafetensors(await fixture('lora_kohya'));
    const [down, up] = [await file.read('lora_unet_joint_blocks_1_x_block_attn_qkv.lora_down.weight'), await file.read('lora_unet_joint_blocks_1_x_block_attn_qkv.lora_up.weight')];
    const value = product((await readLora(await fixture('lora_kohya'))).tensors, 'transformer_blocks.1.attn.to_v')!;
    const expected = new Float64Array(64 * 64);
    // Rows 128… of the fused matrix are v; alpha 2 of rank 4 halves it.
    for (let i = 0; i < 64; i++) for (let o = 0; o < 64; o++) for (let r = 0; r < 4; r++) expected[i * 64 + o]! += 0.5 * down[r * 64 + i]! * up[(128 + o) * 4 + r]!;
    expect(worst(value, expected)).toBe(0);
  });

  const renamed = async (name: (site: string, half: 'A' | 'B') => string, metadata = {}) => {
    const file = openSafetensors(await fixture('purecc_lora'));
    const out: Record<string, PlainTensor> = {};
    for (const key of file.keys()) {
      const [, site, half] = /^transformer\.(.+)\.lora_([AB])\.weight$/.exec(key)!;
      out[name(site!, half as 'A' | 'B')] = { shape: file.shape(key), data: await file.read(key) };
    }
    return writeSafetensors(out, metadata);
  };

  it.each([
    ['diffusers, bare', (site: string, half: string) => `${site}.lora_${half}.weight`],
    ['PEFT’s save_pretrained', (site: string, half: string) => `base_model.model.${site}.lora_${half}.weight`],
    ['PureCC’s stage 2', (site: string, half: string) => `transformer.base_model.model.${site}.lora_${half}.default.weight`],
    ['OneTrainer', (site: string, half: string) => `lora_transformer_${site.replaceAll('.', '_')}.lora_${half === 'A' ? 'down' : 'up'}.weight`],
    ['older diffusers', (site: string, half: string) => `transformer.${site}.lora.${half === 'A' ? 'down' : 'up'}.weight`],
  ])('reads the names of %s', async (_, name) => {
    const expected = await readLora(await fixture('purecc_lora'));
    const read = await readLora(await renamed(name));
    expect(read.tensors).toEqual(expected.tensors);
    expect(read.matched).toBe(23);
  });

  it('says where alpha stands in another file', async () => {
    const saved = (name: string) => renamed((site, half) => `${name}${site}.lora_${half}.weight`);
    expect((await readLora(await saved('base_model.model.'))).alphaAssumed).toBe(true);
    expect((await readLora(await saved('transformer.'))).alphaAssumed).toBe(false);
    const told = await renamed((site, half) => `base_model.model.${site}.lora_${half}.weight`, { lora_adapter_metadata: JSON.stringify({ 'transformer.lora_alpha': 4 }) });
    expect((await readLora(told)).alphaAssumed).toBe(false);
  });

  it('folds rsLoRA’s scale in', async () => {
    const plain = await readLora(await fixture('purecc_lora'));
    const bytes = await renamed((site, half) => `transformer.${site}.lora_${half}.weight`, { lora_adapter_metadata: JSON.stringify({ 'transformer.r': 4, 'transformer.lora_alpha': 4, 'transformer.use_rslora': true }) });
    const site = 'transformer_blocks.0.attn.to_q';
    // alpha/√r = 4/2.
    expect(worst(product((await readLora(bytes)).tensors, site)!, product(plain.tensors, site)!, 2)).toBe(0);
  });

  it('refuses another model’s LoRA in words', async () => {
    const bytes = await writeLora(concept());
    await expect(readLora(bytes, modelOf(3, 256))).rejects.toMatchObject({ code: 'base-mismatch', message: 'This LoRA is for another model: its layer “transformer.transformer_blocks.0.attn.to_q” takes 64 numbers, this base model’s 256.' });
    const elsewhere = writeSafetensors({ 'lora_unet_down_blocks_0.lora_down.weight': tensor(4, 64), 'lora_unet_down_blocks_0.lora_up.weight': tensor(64, 4) });
    await expect(readLora(elsewhere)).rejects.toMatchObject({ code: 'base-mismatch' });
  });

  it('refuses what is no LoRA, and numbers that are not finite', async () => {
    await expect(readLora(writeSafetensors({ weight: tensor(4) }))).rejects.toMatchObject({ code: 'file-unrecognised' });
    const broken = concept();
    broken.tensors['transformer_blocks.0.attn.to_k.b']!.data[7] = NaN;
    await expect(readLora(await writeLora(broken))).rejects.toMatchObject({ code: 'not-finite' });
  });

  const changed = async (change: (tensors: Record<string, PlainTensor>) => void, metadata: Record<string, string> = {}) => {
    const bytes = await writeLora(concept());
    const file = openSafetensors(bytes);
    const out: Record<string, PlainTensor> = {};
    for (const key of file.keys()) out[key] = { shape: file.shape(key), data: await file.read(key) };
    change(out);
    return writeSafetensors(out, { ...file.header.metadata, ...metadata });
  };
  const plain = (shape: number[], value = 1): PlainTensor => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) });

  it.each<[string, string, (tensors: Record<string, PlainTensor>) => void]>([
    ['a row too few', 'base-mismatch', (t) => { delete t['lamina_lora_rows.2']; }],
    ['a row too many', 'base-mismatch', (t) => { t['lamina_lora_rows.3'] = plain([64]); }],
    ['a gap between rows', 'base-mismatch', (t) => { t['lamina_lora_rows.7'] = t['lamina_lora_rows.1']!; delete t['lamina_lora_rows.1']; }],
    ['rows of another width', 'base-mismatch', (t) => { for (const n of [0, 1, 2]) t[`lamina_lora_rows.${n}`] = plain([48]); }],
    ['a row that is NaN', 'not-finite', (t) => { t['lamina_lora_rows.1'] = plain([64], NaN); }],
    ['a pooled delta of another width', 'base-mismatch', (t) => { t.lamina_lora_pooled = plain([81]); }],
    ['a pooled delta that is infinite', 'not-finite', (t) => { t.lamina_lora_pooled = plain([80], Infinity); }],
    ['an alpha that is NaN', 'not-finite', (t) => { t['transformer.transformer_blocks.0.attn.to_q.alpha'] = plain([], NaN); }],
    ['an empty alpha', 'safetensors-invalid', (t) => { t['transformer.transformer_blocks.0.attn.to_q.alpha'] = plain([0]); }],
  ])('refuses %s', async (_, code, change) => {
    await expect(readLora(await changed(() => {}))).resolves.toMatchObject({ matched: 23 });
    await expect(readLora(await changed(change))).rejects.toMatchObject({ code });
  });

  it('refuses an alpha in the header that is no number', async () => {
    for (const alpha of ['"8"', 'null', '1e999']) {
      await expect(readLora(await changed(() => {}, { lora_adapter_metadata: `{"transformer.lora_alpha": ${alpha}}` }))).rejects.toMatchObject({ code: 'adapter-config', message: expect.stringContaining('header') as string });
    }
  });

  it('reads nothing but the header of a large wrong file', async () => {
    const huge = (bytes: Uint8Array<ArrayBuffer>, size: number) => {
      let read = 0;
      const file = { size, slice: (begin: number, end: number) => { read += Math.min(end, size) - begin; return new Blob([bytes.slice(begin, end)]); }, arrayBuffer: () => Promise.reject(new RangeError('Array buffer allocation failed')) };
      return { file: file as unknown as Blob, read: () => read };
    };
    const claim = new TextEncoder().encode(JSON.stringify({ 'model.weight': { dtype: 'F16', shape: [2.5 * 2 ** 30], data_offsets: [0, 5 * 2 ** 30] } }));
    const head = new Uint8Array(8 + claim.length);
    new DataView(head.buffer).setBigUint64(0, BigInt(claim.length), true);
    head.set(claim, 8);
    const wrong = huge(head, head.length + 5 * 2 ** 30);
    await expect(readLoraFile(wrong.file, model, 'model.safetensors')).rejects.toMatchObject({ code: 'file-unrecognised', message: '“model.safetensors” holds no LoRA.' });
    expect(wrong.read()).toBeLessThan(1000);
    const long = huge(Uint8Array.from([0, 0, 0, 5, 0, 0, 0, 0, 0x7b]), 5 * 2 ** 30);
    await expect(readLoraFile(long.file, model)).rejects.toMatchObject({ code: 'safetensors-invalid' });
    expect(long.read()).toBeLessThan(1000);
  });

  it('leaves out layers it cannot compute and says why', async () => {
    const name = 'transformer.transformer_blocks.0.attn.to_q';
    const bytes = writeSafetensors({
      [`${name}.lora_A.weight`]: tensor(4, 64), [`${name}.lora_B.weight`]: tensor(64, 4), [`${name}.lora_magnitude_vector.weight`]: tensor(64),
      'transformer.transformer_blocks.0.attn.to_k.lora_A.weight': tensor(4, 64),
      'transformer.transformer_blocks.0.attn.to_v.lora_A.weight': tensor(4, 64), 'transformer.transformer_blocks.0.attn.to_v.lora_B.weight': tensor(64, 4),
    });
    const read = await readLora(bytes);
    expect(read).toMatchObject({ matched: 1, total: 3 });
    expect(read.unmatched).toEqual([
      { name: `${name}.lora_magnitude_vector.weight`, why: 'DoRA is not supported' }, { name, why: 'its lora_magnitude_vector.weight is not supported' },
      { name: 'transformer.transformer_blocks.0.attn.to_k', why: 'half of it is missing' },
    ]);
  });

  describe('every layer of a model', () => {
    const all: LoraModel = { ...modelOf(2, 8), sites: [
      ...sitesOf(2, 8), ...['to_q', 'to_k', 'to_v', 'to_out.0'].map((name) => ({ name: `transformer_blocks.0.attn2.${name}`, inFeatures: 8, outFeatures: 8 })),
      { name: 'transformer_blocks.0.norm1.linear', inFeatures: 8, outFeatures: 72 }, { name: 'transformer_blocks.0.norm1_context.linear', inFeatures: 8, outFeatures: 48 }, { name: 'transformer_blocks.1.norm1_context.linear', inFeatures: 8, outFeatures: 16 },
      { name: 'transformer_blocks.0.ff.net.0.proj', inFeatures: 8, outFeatures: 32 }, { name: 'transformer_blocks.0.ff_context.net.2', inFeatures: 32, outFeatures: 8 },
      { name: 'pos_embed.proj', inFeatures: 12, outFeatures: 8 }, { name: 'context_embedder', inFeatures: 10, outFeatures: 8 },
      { name: 'time_text_embed.timestep_embedder.linear_1', inFeatures: 256, outFeatures: 8 }, { name: 'time_text_embed.text_embedder.linear_2', inFeatures: 8, outFeatures: 8 },
      { name: 'norm_out.linear', inFeatures: 8, outFeatures: 16 }, { name: 'proj_out', inFeatures: 8, outFeatures: 12 },
    ] };
    const tensors = () => Object.fromEntries(all.sites.flatMap(({ name, inFeatures, outFeatures }) => [[`${name}.a`, tensor(inFeatures, 2)], [`${name}.b`, tensor(2, outFeatures)]]));

    it.each(['diffusers', 'kohya'] as const)('comes back bit for bit under the names of %s', async (keys) => {
      const given = { ...concept(), tensors: tensors(), usesRows: false };
      const read = await readLora(await writeLora({ ...given, options: { ...given.options, keys } }), all);
      expect(read.unmatched).toEqual([]);
      expect(read.tensors).toEqual(given.tensors);
    });

    it('has the patch layer as a convolution over channel, row and column, and shift before scale where the single file has', async () => {
      const given = { ...concept(), tensors: tensors(), usesRows: false };
      const [peft, kohya] = [openSafetensors(await writeLora(given)), openSafetensors(await writeLora({ ...given, options: { ...given.options, keys: 'kohya' } }))];
      expect(peft.shape('transformer.pos_embed.proj.lora_A.weight')).toEqual([2, 3, 2, 2]);
      expect(kohya.shape('lora_unet_x_embedder_proj.lora_up.weight')).toEqual([8, 2, 1, 1]);
      const down = await kohya.read('lora_unet_x_embedder_proj.lora_down.weight');
      // channel 2 of the patch's row 1, column 0: input (1·2 + 0)·3 + 2 here, (2·2 + 1)·2 + 0 there
      expect(down[12 + 10]).toBe(given.tensors['pos_embed.proj.a']!.data[8 * 2 + 1]);
      expect(await peft.read('transformer.pos_embed.proj.lora_A.weight')).toEqual(down);
      for (const [module, site] of [['final_layer_adaLN_modulation_1', 'norm_out.linear'], ['joint_blocks_1_context_block_adaLN_modulation_1', 'transformer_blocks.1.norm1_context.linear']] as const) {
        const up = await kohya.read(`lora_unet_${module}.lora_up.weight`);
        // row 3 is shift there and stands in the second half here
        expect(up[3 * 2 + 1], site).toBe(given.tensors[`${site}.b`]!.data[16 + 8 + 3]);
        expect((await peft.read(`transformer.${site}.lora_B.weight`))[3 * 2 + 1], site).toBe(given.tensors[`${site}.b`]!.data[16 + 3]);
      }
      expect((await kohya.read('lora_unet_joint_blocks_0_context_block_adaLN_modulation_1.lora_up.weight'))[3 * 2 + 1]).toBe(given.tensors['transformer_blocks.0.norm1_context.linear.b']!.data[48 + 3]);
    });

    it.each([
      ['the single file, dotted', (original: string) => `diffusion_model.${original}.lora_A.weight`, (original: string) => `diffusion_model.${original}.lora_B.weight`],
      ['LyCORIS', (_: string, site: string) => `lycoris_${site.replaceAll('.', '_')}.lora_down.weight`, (_: string, site: string) => `lycoris_${site.replaceAll('.', '_')}.lora_up.weight`],
      ['the oldest diffusers', (_: string, site: string) => `transformer.${site}_lora.down.weight`, (_: string, site: string) => `transformer.${site}_lora.up.weight`],
      ['linear layers of their own', (_: string, site: string) => `transformer.${site}.lora_linear_layer.down.weight`, (_: string, site: string) => `transformer.${site}.lora_linear_layer.up.weight`],
      ['no weight at the end', (_: string, site: string) => `transformer.${site}.lora_A`, (_: string, site: string) => `transformer.${site}.lora_B`],
    ])('is found by %s', async (_, down, up) => {
      for (const { site, original } of [
        { site: 'transformer_blocks.0.attn2.to_out.0', original: 'joint_blocks.0.x_block.attn2.proj' }, { site: 'transformer_blocks.0.ff_context.net.2', original: 'joint_blocks.0.context_block.mlp.fc2' },
        { site: 'transformer_blocks.0.norm1.linear', original: 'joint_blocks.0.x_block.adaLN_modulation.1' }, { site: 'time_text_embed.text_embedder.linear_2', original: 'y_embedder.mlp.2' },
        { site: 'time_text_embed.timestep_embedder.linear_1', original: 't_embedder.mlp.0' }, { site: 'proj_out', original: 'final_layer.linear' }, { site: 'context_embedder', original: 'context_embedder' },
      ]) {
        const { inFeatures, outFeatures } = all.sites.find(({ name }) => name === site)!;
        const read = await readLora(writeSafetensors({ [down(original, site)]: tensor(2, inFeatures), [up(original, site)]: tensor(outFeatures, 2) }), all);
        expect(read, site).toMatchObject({ matched: 1, total: 1, unmatched: [] });
        expect(Object.keys(read.tensors)).toEqual([`${site}.a`, `${site}.b`]);
      }
    });

    it('names whatever it leaves out, and why', async () => {
      const site = 'transformer.transformer_blocks.0.attn.to_q';
      const good = { [`${site}.lora_A.weight`]: tensor(2, 8), [`${site}.lora_B.weight`]: tensor(8, 2) };
      const others: Record<string, string> = {
        'lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight': 'text encoders are not changed here', 'text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight': 'text encoders are not changed here',
        'lora_unet_joint_blocks_0_x_block_mlp_fc1.dora_scale': 'DoRA is not supported', 'lora_unet_joint_blocks_0_x_block_mlp_fc1.lora_mid.weight': 'LoRA of convolutions with a middle part (lora_mid) is not supported',
        'diffusion_model.joint_blocks.0.x_block.mlp.fc1.diff': 'whole differences of weights (diff) are not supported', 'diffusion_model.joint_blocks.0.x_block.mlp.fc1.diff_b': 'whole differences of weights (diff) are not supported',
        'lycoris_x.hada_w1_a': 'LoHa is not supported', 'lycoris_x.lokr_w1': 'LoKr is not supported', 'lycoris_x.oft_diag': 'OFT is not supported', 'bundle_emb.dog.clip_l': 'learned words of the text encoders are not supported', something: 'not a plain LoRA tensor',
        'transformer.transformer_blocks.9.attn.to_q.lora_A.weight': 'this base has no such layer',
      };
      for (const [key, why] of Object.entries(others)) {
        const { unmatched } = await readLora(writeSafetensors({ ...good, [key]: tensor(2, 8) }), all);
        expect(unmatched.map((each) => each.why), key).toEqual([why]);
        expect(key.startsWith(unmatched[0]!.name), key).toBe(true);
      }
      await expect(readLora(writeSafetensors({ 'lycoris_x.hada_w1_a': tensor(2, 8) }), all)).rejects.toMatchObject({ code: 'file-unrecognised', message: expect.stringContaining('LoHa is not supported') as string });
    });

    it('takes a place once, and says where a file has it twice', async () => {
      const fused = 'lora_unet_joint_blocks_0_x_block_attn_qkv';
      const read = await readLora(writeSafetensors({
        'transformer.transformer_blocks.0.attn.to_q.lora_A.weight': tensor(2, 8), 'transformer.transformer_blocks.0.attn.to_q.lora_B.weight': tensor(8, 2), [`${fused}.lora_down.weight`]: tensor(2, 8), [`${fused}.lora_up.weight`]: tensor(24, 2),
      }), all);
      expect(read.unmatched).toEqual([{ name: fused, why: 'another layer of the file is for the same place' }]);
    });

    it('refuses a patch layer of another form', async () => {
      const file = (down: number[], up: number[]) => writeSafetensors({ 'lora_unet_x_embedder_proj.lora_down.weight': tensor(...down), 'lora_unet_x_embedder_proj.lora_up.weight': tensor(...up) });
      await expect(readLora(file([2, 3, 2, 2], [8, 2, 1, 1]), all)).resolves.toMatchObject({ matched: 1 });
      await expect(readLora(file([2, 3, 3, 3], [8, 2, 1, 1]), all)).rejects.toMatchObject({ code: 'base-mismatch' });
      await expect(readLora(file([2, 12], [8, 3, 1, 1]), all)).rejects.toMatchObject({ code: 'base-mismatch' });
    });
  });

  it('strips prefixes in any order', () => {
    expect(bareModule('transformer.base_model.model.transformer_blocks.0.attn.to_q')).toBe('transformer_blocks.0.attn.to_q');
    expect(bareModule('lora_unet_joint_blocks_0_x_block_attn_qkv')).toBe('joint_blocks_0_x_block_attn_qkv');
  });
});
