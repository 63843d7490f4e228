import 'fake-indexeddb/auto';
import { expect, it } from 'vitest';
import { loraSites, type Mmdit } from '../models/mmdit';
import { disposeConcept, restoreConcept } from '../pipeline/concept';
import { Part } from '../pipeline/parts';
import type { ConceptSummary } from '../protocol/concepts';
import { defaultRecipe, type Recipe, type RecipeOf } from '../protocol/recipe';
import { readLearnedRows } from '../formats/learnedRows';
import { openSafetensors } from '../formats/safetensors';
import { writeSafetensors, type PlainTensor } from '../formats/safetensorsWriter';
import type { StoredTensors } from '../formats/storedTensors';
import { getConcept, putConcept } from '../storage/conceptStore';
import { openDatabase, type Database } from '../storage/db';
import { putModel } from '../storage/modelStore';
import { useBackend } from '../testing/backend';
import type { FoundWord } from './learnedWord';
import { Shelf } from './shelf';

/** Two blocks of width 8, as far as a LoRA asks of them: their names and sizes. */
const linear = { inFeatures: 8, outFeatures: 8 };
const attention = { q: linear, k: linear, v: linear, out: linear };
const stream = { attention, up: linear, down: linear };
const two = { first: linear, second: linear };
const outer = { patchEmbed: linear, timeEmbed: two, pooledEmbed: two, contextEmbed: linear, normOut: linear, projectOut: linear };
const mmdit = { config: { depth: 2, hidden: 8, pooledWidth: 5 }, blocks: [0, 1].map((index) => ({ index, last: index === 1, x: stream, context: stream, dual: null })), ...outer } as unknown as Mmdit;
const values = (...shape: number[]) => ({ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.fround(Math.sin(i + 1))) });
const base = { parts: { transformer: new Part(async () => mmdit, () => {}, true) } };
const tensors: StoredTensors = { ...Object.fromEntries(loraSites(mmdit).flatMap(({ name }) => [[`${name}.a`, values(8, 2)], [`${name}.b`, values(2, 8)]])), rows: values(2, 8), pooledDelta: values(5) };

let count = 0;
async function opened(recipe: Partial<Recipe>): Promise<{ db: Database; shelf: Shelf }> {
  const db = await openDatabase(`shelf-${count++}`);
  const opening = { baseId: 'embedded', db: async () => db, base: async () => base, all: async () => ({ base, stored: { files: {} } }) };
  const shelf = new Shelf(opening as never, {} as never, {} as never, {} as never);
  await putConcept(db, { conceptId: 'c', name: 'dog', createdAt: '2026-01-01', base: 'embedded', imported: false, recipe: { ...defaultRecipe(), classWord: 'dog', ...recipe }, measures: null, lambda: 1, preview: null, tensors, captions: [] });
  return { db, shelf };
}
const exported = async (shelf: Shelf, includeRows = true) => (await shelf.export('c', { includeCaptions: false, includeRows, keys: 'diffusers', author: '', includeThumbnail: false })).file;
const kept = async (db: Database, { conceptId, recipe }: ConceptSummary) => {
  const { tensors: stored } = await getConcept(db, conceptId);
  return { rows: 'rows' in stored, pooledDelta: 'pooledDelta' in stored, studentRows: (recipe as RecipeOf<'purecc'>).studentRows };
};
async function changed(file: Blob, change: (tensors: Record<string, PlainTensor>, metadata: Record<string, string>) => void): Promise<Blob> {
  const source = openSafetensors(new Uint8Array(await file.arrayBuffer()));
  const out: Record<string, PlainTensor> = {};
  for (const key of source.keys()) out[key] = { shape: source.shape(key), data: await source.read(key) };
  const metadata = { ...source.header.metadata };
  change(out, metadata);
  return new Blob([writeSafetensors(out, metadata)]);
}

it('writes no rows of a student that was trained without them, and reads such a concept back as it was', async () => {
  const { db, shelf } = await opened({ studentRows: 'off' });
  const file = await exported(shelf);
  expect(openSafetensors(new Uint8Array(await file.arrayBuffer())).keys().filter((key) => key.startsWith('lamina'))).toEqual([]);
  const { concept, notes } = await shelf.import(file, 'dog.safetensors');
  expect(await kept(db, concept)).toEqual({ rows: false, pooledDelta: false, studentRows: 'off' });
  expect(notes).toEqual([]);
});

it('gives rows back to a student that was trained with them', async () => {
  const { db, shelf } = await opened({ studentRows: 'on' });
  const { concept, notes } = await shelf.import(await exported(shelf), 'dog.safetensors');
  expect(await kept(db, concept)).toEqual({ rows: true, pooledDelta: true, studentRows: 'on' });
  expect(notes).toEqual([]);
});

it('leaves rows out where the recipe knows of none, or where there is no recipe, and says so', async () => {
  const { db, shelf } = await opened({ studentRows: 'on' });
  const whole = await exported(shelf);
  const unsaid = await changed(whole, (_, metadata) => { metadata['lamina.recipe'] = JSON.stringify({ ...JSON.parse(metadata['lamina.recipe']!), studentRows: false }); });
  const bare = await changed(whole, (_, metadata) => { for (const key of Object.keys(metadata)) delete metadata[key]; });
  for (const [file, note] of [[unsaid, 'its recipe says that it was learned without them'], [bare, 'no recipe that says what they are for']] as const) {
    const { concept, notes } = await shelf.import(file, 'dog.safetensors');
    expect(await kept(db, concept)).toEqual({ rows: false, pooledDelta: false, studentRows: 'off' });
    expect(notes.join()).toContain(note);
  }
});

it('says that rows are missing which the recipe speaks of', async () => {
  const { db, shelf } = await opened({ studentRows: 'on' });
  const { concept, notes } = await shelf.import(await exported(shelf, false), 'dog.safetensors');
  expect(await kept(db, concept)).toEqual({ rows: false, pooledDelta: false, studentRows: 'off' });
  expect(notes).toEqual(['It was learned with concept rows, which are not in this file: it draws without them, as in other tools.']);
});

it('says in plain words what of a file was left out', async () => {
  const { shelf } = await opened({ studentRows: 'off' });
  const file = await changed(await exported(shelf), (all) => {
    for (const layer of ['0', '1']) Object.assign(all, { [`transformer.transformer_blocks.${layer}.ff.up.lora_A.weight`]: values(2, 8), [`transformer.transformer_blocks.${layer}.ff.up.lora_B.weight`]: values(8, 2) });
    delete all['transformer.transformer_blocks.0.attn.to_q.lora_B.weight'];
  });
  expect((await shelf.import(file, 'dog.safetensors')).notes).toEqual([
    '1 part was left out, because half of it is missing: transformer.transformer_blocks.0.attn.to_q.',
    '2 parts were left out, because this base has no such layer: transformer.transformer_blocks.0.ff.up and others.',
  ]);
});

it('reads a LoRA of another tool as that tool does: [V] is no word that only Lamina teaches', async () => {
  const { shelf } = await opened({ studentRows: 'off', trigger: 'mimi' });
  const own = await exported(shelf);
  expect((await shelf.import(own, 'dog.safetensors')).concept.recipe).toMatchObject({ trigger: 'mimi' });
  const bare = await changed(own, (_, metadata) => { for (const key of Object.keys(metadata)) delete metadata[key]; });
  expect((await shelf.import(bare, 'dog.safetensors')).concept.recipe).toMatchObject({ trigger: '' });
});

it('names an imported base as other programs do', async () => {
  const { db, shelf } = await opened({ studentRows: 'off' });
  await putModel(db, { modelId: 'abc-int8', name: 'SD3.5 Medium', createdAt: '2026-01-01', installed: true, precision: 'int8', from: { names: [], address: null }, parts: [], texts: {} });
  await putConcept(db, { ...(await getConcept(db, 'c')), base: 'abc-int8' });
  const { metadata } = openSafetensors(new Uint8Array(await (await exported(shelf)).arrayBuffer())).header;
  expect(metadata).toMatchObject({ 'modelspec.architecture': 'stable-diffusion-3-5-medium/lora', ss_base_model_version: 'sd3.5-medium', 'lamina.base': 'sd3.5-medium' });
});

it('reads a LoRA of PEFT with the configuration beside it, and says how it is read without', async () => {
  const { db, shelf } = await opened({ studentRows: 'off' });
  const saved = await changed(await exported(shelf), (all, metadata) => {
    for (const key of Object.keys(all)) {
      all[key.replace('transformer.', 'base_model.model.')] = all[key]!;
      delete all[key];
    }
    for (const key of Object.keys(metadata)) delete metadata[key];
  });
  const beside = (config: object) => new Blob([JSON.stringify({ peft_type: 'LORA', r: 2, ...config })]);
  const strengthOf = async ({ concept }: { concept: ConceptSummary }) => (await getConcept(db, concept.conceptId)).tensors['transformer_blocks.0.attn.to_q.b']!.data[0]! / tensors['transformer_blocks.0.attn.to_q.b']!.data[0]!;
  const [alone, told] = [await shelf.import(saved, 'adapter_model.safetensors'), await shelf.import(saved, 'adapter_model.safetensors', beside({ lora_alpha: 6 }))];
  expect([await strengthOf(alone), alone.notes]).toEqual([1, [expect.stringContaining('Drop both together')]]);
  expect([await strengthOf(told), told.notes]).toEqual([3, []]);
  const before = (await shelf.list()).length;
  await expect(shelf.import(saved, 'adapter_model.safetensors', beside({ lora_alpha: 6, use_dora: true }))).rejects.toMatchObject({ code: 'adapter-config' });
  expect(await shelf.list()).toHaveLength(before);
});

it('takes a LoRA with its learned word, gives both back, and writes the word as other tools read it', async () => {
  await useBackend('wasm');
  const { db, shelf } = await opened({ studentRows: 'off' });
  const found: FoundWord = { word: { rows: [values(2, 6), values(2, 4)], tokens: 2, id: 'w' }, token: '<new1>', startedFrom: 'dog', notes: ['So much was left out.'] };
  const bare = await changed(await exported(shelf), (_, metadata) => { for (const key of Object.keys(metadata)) delete metadata[key]; });
  const { concept, notes } = await shelf.import(bare, 'dog.safetensors', null, found);
  expect(concept).toMatchObject({ lora: true, wordTokens: 2, classWord: 'dog', recipe: { trigger: '<new1>' } });
  expect(notes).toEqual(['[V] is read as the learned word “<new1>”, which started from “dog”.', 'So much was left out.']);
  const restored = restoreConcept((await getConcept(db, concept.conceptId)).tensors, concept.recipe, 1);
  expect(restored.word).toMatchObject({ rows: found.word.rows, tokens: 2 });
  expect(Object.keys(restored.adapters.student!)).toHaveLength(loraSites(mmdit).length);
  disposeConcept(restored);
  const made = await shelf.exportWord(concept.conceptId);
  expect(made.fileName).toBe('dog-word.safetensors');
  expect(await readLearnedRows(made.file, made.fileName)).toEqual({ clipL: found.word.rows[0], clipG: found.word.rows[1], t5: null, token: '<new1>', startedFrom: 'dog' });
  const keys = openSafetensors(new Uint8Array(await (await shelf.export(concept.conceptId, { includeCaptions: false, includeRows: true, keys: 'diffusers', author: '', includeThumbnail: false })).file.arrayBuffer())).keys();
  expect(keys.filter((key) => key.includes('word') || key.includes('clip'))).toEqual([]);
  await expect(shelf.exportWord('c')).rejects.toMatchObject({ code: 'concept-missing', subject: 'c' });
});

it('makes a concept of a learned word alone, which changes nothing but what [V] is read as', async () => {
  const { db, shelf } = await opened({});
  const { concept, matched, total } = await shelf.importWord({ word: { rows: [values(1, 6)], tokens: 1, id: 'w' }, token: '', startedFrom: '', notes: [] }, 'my_cat.pt');
  expect(concept).toMatchObject({ name: 'my_cat', lora: false, wordTokens: 1, imported: true });
  expect([matched, total]).toEqual([0, 0]);
  const restored = restoreConcept((await getConcept(db, concept.conceptId)).tensors, concept.recipe, 1);
  expect([restored.adapters, restored.rows, restored.word?.tokens]).toEqual([{ student: {} }, {}, 1]);
});
