/**
 * An exported file against the rules by which diffusers loads a LoRA into SD3's transformer. Names and shapes are not ours: they
 * are those of a state dict that diffusers saved (fixtures/sd3/mmditx.diffusers) and of a LoRA that it saved with PEFT
 * (lora_peft), and of the embedded base's own transformer.
 */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors, type TensorSource } from './safetensors';
import { writeLora } from './loraWriter';
import type { StoredTensors } from './storedTensors';

const open = async (path: string) => openSafetensors(new Uint8Array(await readFile(path)));
const half = /^transformer\.(.+)\.lora_(A|B)\.weight$/;
const targets = /\.attn\.(to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)\.weight$/;

describe.each([['a tiny SD3.5', 'fixtures/sd3/mmditx.diffusers.safetensors'], ['the embedded base', 'public/base/transformer/diffusion_pytorch_model.safetensors']])('for %s', (_, path) => {
  const rank = 3;
  let model: TensorSource;
  let file: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    model = await open(path);
    const tensors: StoredTensors = {};
    for (const key of model.keys().filter((name) => targets.test(name))) {
      const [outputs, inputs] = model.shape(key) as [number, number];
      const site = key.replace(/\.weight$/, '');
      tensors[`${site}.a`] = { shape: [inputs, rank], data: new Float32Array(inputs * rank).fill(0.5) };
      tensors[`${site}.b`] = { shape: [rank, outputs], data: new Float32Array(rank * outputs).fill(0.25) };
    }
    const bytes = await writeLora({
      tensors: { ...tensors, rows: { shape: [2, 8], data: new Float32Array(16) } }, name: 'dog', trigger: 'dog', recipe: { kind: 'instance' }, usesRows: true, base: { id: 'embedded', sha256: '' }, lambda: 1,
      likeness: null, author: '', thumbnail: null, captions: [], options: { includeCaptions: false, includeRows: true, keys: 'diffusers' }, date: '2026-01-02',
    });
    file = openSafetensors(bytes);
  });

  it('every key holds “lora”, or diffusers refuses the file', () => {
    expect(file.keys().filter((key) => !key.includes('lora'))).toEqual([]);
  });

  it('each module is a layer of the model, with both halves, of its sizes', () => {
    const modules = new Set(file.keys().flatMap((key) => half.exec(key)?.[1] ?? []));
    expect([...modules].map((module) => `${module}.weight`).sort()).toEqual(model.keys().filter((name) => targets.test(name)).sort());
    for (const module of modules) {
      const [outputs, inputs] = model.shape(`${module}.weight`);
      expect([module, file.shape(`transformer.${module}.lora_A.weight`), file.shape(`transformer.${module}.lora_B.weight`)]).toEqual([module, [rank, inputs], [outputs, rank]]);
    }
  });

  it('PEFT’s configuration targets exactly these modules, and its patterns find one each', () => {
    const config = JSON.parse(file.header.metadata.lora_adapter_metadata!) as Record<string, unknown>;
    const modules = new Set(file.keys().flatMap((key) => half.exec(key)?.[1] ?? []));
    expect(config['transformer.target_modules']).toEqual([...modules].sort());
    expect(config['transformer.r']).toBe(rank);
    expect(config['transformer.lora_alpha']).toBe(rank);
  });

  it('what is not a layer’s begins with no prefix that diffusers would load', () => {
    expect(file.keys().filter((key) => !half.test(key))).toEqual(['lamina_lora_rows.0', 'lamina_lora_rows.1']);
  });
});

it('has the names and shapes of the file that diffusers saved for the same layers', async () => {
  const theirs = await open('fixtures/sd3/lora_peft.safetensors');
  const ours = theirs.keys().filter((key) => targets.test(`${half.exec(key)![1]}.weight`));
  const tensors: StoredTensors = {};
  for (const key of ours) {
    const [, site, which] = half.exec(key)!;
    const [rows, columns] = theirs.shape(key) as [number, number];
    tensors[`${site}.${which === 'A' ? 'a' : 'b'}`] = { shape: [columns, rows], data: new Float32Array(rows * columns) };
  }
  const file = openSafetensors(await writeLora({
    tensors, name: 'dog', trigger: 'dog', recipe: { kind: 'instance' }, usesRows: false, base: { id: 'embedded', sha256: '' }, lambda: 1, likeness: null, author: '', thumbnail: null,
    captions: [], options: { includeCaptions: false, includeRows: true, keys: 'diffusers' }, date: '2026-01-02',
  }));
  expect(Object.fromEntries(file.keys().map((key) => [key, file.shape(key)]))).toEqual(Object.fromEntries(ours.map((key) => [key, theirs.shape(key)])));
});
