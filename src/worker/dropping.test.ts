import 'fake-indexeddb/auto';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { writePngText } from '../formats/pngText';
import { writePictureParameters, type PictureRecipe } from '../formats/pngParameters';
import type { DropPurpose } from '../protocol/concepts';
import { writeSafetensors } from '../formats/safetensorsWriter';
import { plainComposition } from '../protocol/mix';
import { openDatabase } from '../storage/db';
import { Part } from '../pipeline/parts';
import { dropTogether } from '../protocol/dropTogether';
import { recogniseFile } from './dropping';

const plain = new Uint8Array(await readFile('public/concepts/guide-dog/1.png'));
const elsewhere = writePngText(plain, { parameters: 'a dog on a beach\nNegative prompt: a cat\nSteps: 12, Sampler: Euler, CFG scale: 4, Seed: 7' });
const ofMix = (mix: unknown) => writePictureParameters(plain, { ...recipe, mix });
const recipe = { version: 1, app: 'Lamina', prompt: 'a [V] dog', negative: '', seed: 3, steps: 20, guidance: 3, balance: 1, width: 128, height: 128, base: 'embedded', baseSha256: '', random: 1, concept: null, recipe: null } satisfies PictureRecipe;
const own = writePictureParameters(plain, recipe);

const db = await openDatabase('dropping');
const added = { width: 128, height: 128 };
const rooms = { opening: { db: async () => db }, pictures: { add: async () => ({ ...added, animated: false }) }, shelf: {} };
const dropped = (bytes: Uint8Array<ArrayBuffer>, purpose: DropPurpose, name = 'a.png') => recogniseFile({ file: new Blob([bytes]), name, pictureId: 'p', purpose }, rooms as never);

it('takes a picture with another tool’s parameters for a picture where pictures are learned, and gives its parameters too', async () => {
  const drawn = { params: { prompt: 'a dog on a beach', negative: 'a cat', steps: 12, guidance: 4, seed: 7 }, conceptId: null };
  for (const purpose of ['alone', 'among'] as const) expect(await dropped(elsewhere, purpose)).toMatchObject({ kind: 'picture', picture: added, drawn });
  expect(await dropped(elsewhere, 'restore')).toMatchObject({ kind: 'recipe', ...drawn });
});

it('restores one of our own pictures, unless it comes with others to learn from', async () => {
  for (const purpose of ['alone', 'restore'] as const) expect(await dropped(own, purpose)).toMatchObject({ kind: 'recipe', params: { prompt: 'a [V] dog', seed: 3, sampler: 'euler', skipLayers: false } });
  expect(await dropped(own, 'among')).toMatchObject({ kind: 'picture', picture: added, drawn: { params: { prompt: 'a [V] dog' } } });
});

it('finds nothing in a picture that says nothing', async () => {
  expect(await dropped(plain as Uint8Array<ArrayBuffer>, 'restore')).toMatchObject({ kind: 'picture', drawn: null });
});

it('brings a mix back, and takes a picture whose mix cannot be read for what else it is', async () => {
  const mix = { version: 1, prompt: 'a dog', names: {}, seed: 1, steps: 20, guidance: 3, guidances: [], composition: plainComposition, start: null };
  expect(await dropped(ofMix(mix), 'restore')).toMatchObject({ kind: 'recipe', mix });
  expect(await dropped(ofMix({ version: 99 }), 'among')).toMatchObject({ kind: 'picture', picture: added, drawn: { mix: null, note: expect.stringContaining('mix cannot be read') } });
});

it('says of a model, whole or one of its networks, that it belongs on the Models page', async () => {
  const named = (...keys: string[]) => writeSafetensors(Object.fromEntries(keys.map((key) => [key, { shape: [2, 2], data: new Float32Array(4) }])));
  for (const key of ['model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight', 'text_model.embeddings.token_embedding.weight', 'decoder.layers.0.weight']) {
    await expect(dropped(named(key) as Uint8Array<ArrayBuffer>, 'among'), key).rejects.toMatchObject({ code: 'file-unrecognised', subject: 'p', message: expect.stringMatching(/is a model, not a LoRA: it holds (Transformer|Text encoder|Autoencoder)/) as string, remedy: 'Drop it on the Models page.' });
  }
  const lora = named('transformer.transformer_blocks.0.attn.to_q.lora_A.weight', 'transformer.transformer_blocks.0.attn.to_q.lora_B.weight');
  const imported = { ...rooms, shelf: { import: async () => ({ concept: 'a concept' }) } };
  expect(await recogniseFile({ file: new Blob([lora as Uint8Array<ArrayBuffer>]), name: 'a.safetensors', pictureId: 'p', purpose: 'restore' }, imported as never)).toMatchObject({ kind: 'concept' });
});

it('takes adapter_config.json only with the LoRA that it belongs to', async () => {
  const config = new Blob(['{"r": 4, "lora_alpha": 8}']);
  await expect(recogniseFile({ file: config, name: 'adapter_config.json', pictureId: 'p', purpose: 'among' }, rooms as never)).rejects.toMatchObject({ code: 'adapter-config', subject: 'p', remedy: expect.stringContaining('adapter_model.safetensors') as string });
  const given: unknown[] = [];
  const shelf = { import: async (...all: unknown[]) => { given.push(...all); return {}; } };
  const bytes = writeSafetensors({ 'base_model.model.a.lora_A.weight': { shape: [2, 2], data: new Float32Array(4) } });
  await recogniseFile({ file: new Blob([bytes]), name: 'adapter_model.safetensors', pictureId: 'p', purpose: 'among', config }, { ...rooms, shelf } as never);
  expect(given.slice(1)).toEqual(['adapter_model.safetensors', config, null]);
});

const reading = (...widths: number[]) => ({ ...rooms.opening, base: async () => ({ parts: { text: new Part(async () => ({ tables: widths.map((width) => ({ vocabulary: 320, width })) }), () => {}, true) } }) });
const learned = async (name: string) => new Blob([new Uint8Array(await readFile(`fixtures/sd3/${name}`))]);

it('takes a word learned elsewhere for what [V] is read as, in both of its forms, alone or with its LoRA', async () => {
  const found = { word: { tokens: 1, rows: [{ shape: [1, 32] }, { shape: [1, 48] }] }, token: '<new1>', startedFrom: 'dog', notes: [] };
  const given: unknown[] = [];
  const shelf = { importWord: async (...all: unknown[]) => { given.push(...all); return {}; }, import: async (...all: unknown[]) => { given.push(all[3]); return {}; } };
  const into = { ...rooms, opening: reading(32, 48), shelf } as never;
  for (const name of ['learned_embeds.pt', 'learned_embeds.safetensors']) {
    expect(await recogniseFile({ file: await learned(name), name, pictureId: 'p', purpose: 'alone' }, into)).toMatchObject({ kind: 'concept' });
    expect(given.splice(0)).toMatchObject([found, name]);
    const lora = new Blob([writeSafetensors({ 'transformer.a.lora_A.weight': { shape: [2, 2], data: new Float32Array(4) } })]);
    await recogniseFile({ file: lora, name: 'lora.safetensors', pictureId: 'p', purpose: 'restore', word: { file: await learned(name), name } }, into);
    expect(given.splice(0)).toMatchObject([found]);
    await expect(recogniseFile({ file: lora, name: 'lora.safetensors', pictureId: 'p', purpose: 'restore', word: { file: lora, name: 'x.bin' } }, into)).rejects.toMatchObject({ code: 'file-unrecognised', message: expect.stringContaining('holds no learned word') as string });
  }
});

it('says which base a word was learned for where this one cannot read it, and leaves out what it has no encoder for', async () => {
  const name = 'learned_embeds.pt';
  const drop = async (...widths: number[]) => recogniseFile({ file: await learned(name), name, pictureId: 'p', purpose: 'alone' }, { ...rooms, opening: reading(...widths), shelf: { importWord: async ({ notes }: { notes: string[] }) => ({ notes }) } } as never);
  await expect(drop(192)).rejects.toMatchObject({ code: 'base-mismatch', message: expect.stringMatching(/CLIP-L \(32 numbers a token\) and CLIP-G \(48 numbers a token\)\. This base’s text encoder reads 192/) as string });
  await expect(drop(32, 64)).rejects.toMatchObject({ code: 'base-mismatch', message: expect.stringContaining('This base’s CLIP-G reads 64') as string });
  expect(await drop(32)).toMatchObject({ notes: ['Its rows for CLIP-G were left out, as this base has no such encoder.'] });
});

it('puts together what was dropped together', () => {
  const file = new Blob([]);
  const names = (...all: string[]) => dropTogether(all.map((name) => ({ file, name }))).map(({ name, config, word }) => [name, config !== undefined, word?.name]);
  expect(names('a.safetensors', 'learned_embeds.pt', 'adapter_config.json')).toEqual([['a.safetensors', true, 'learned_embeds.pt']]);
  expect(names('learned_embeds.safetensors', 'pytorch_lora_weights.safetensors')).toEqual([['pytorch_lora_weights.safetensors', false, 'learned_embeds.safetensors']]);
  expect(names('a.safetensors', 'b.safetensors', 'x.pt')).toEqual([['a.safetensors', false, undefined], ['b.safetensors', false, undefined], ['x.pt', false, undefined]]);
  expect(names('learned_embeds.pt', '1.png')).toEqual([['learned_embeds.pt', false, undefined], ['1.png', false, undefined]]);
});

it('says of a model as a pickle what it is, and opens none', async () => {
  const pt = new Uint8Array(await readFile('fixtures/sd3/learned_embeds.pt'));
  await expect(dropped(pt, 'alone')).rejects.toMatchObject({ code: 'file-unrecognised', subject: 'p', message: expect.stringContaining('PyTorch') as string, remedy: expect.stringContaining('.safetensors') as string });
  await expect(dropped(Uint8Array.from([0x80, 2, 0x7d, 0x2e]), 'alone')).rejects.toMatchObject({ code: 'file-unrecognised', message: expect.stringContaining('pickle') as string });
});
