/** A model with the names, depth and layout of Stable Diffusion 3.5 Medium, made narrow: from its files to a picture, streamed and not. */
import 'fake-indexeddb/auto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { blobBytes } from '../formats/checkpointFile';
import { disposeBase, flowing, loadBase, type BaseOptions } from '../pipeline/base';
import type { LearnedConcept } from '../pipeline/concept';
import type { Evaluation } from '../pipeline/evaluate';
import { wordFor } from '../pipeline/learnedWord';
import { disposePrompts, encodePrompts } from '../pipeline/prompts';
import { disposeFieldWords, encodeFieldWords, guidedField, untouched } from '../pipeline/sampling/velocityFields';
import { mergedField, mixedField, mixTerms, type MixConcepts } from '../pipeline/sampling/mixField';
import { sampleAll } from '../pipeline/sampling/sample';
import { T5_TOKENS } from '../pipeline/textTower';
import { newGuidance, plainComposition, type Mix } from '../protocol/mix';
import { defaultRecipe } from '../protocol/recipe';
import { openDatabase, type Database } from '../storage/db';
import { openModel } from '../storage/modelStore';
import { useBackend } from '../testing/backend';
import { normal } from '../pipeline/random';
import { writeCheckpoint, type TensorBytes } from '../testing/fakeCheckpoint/container';
import { FAKE_MODELS, randomTensors } from '../testing/fakeCheckpoint/random';
import { importSurveyed, surveyFiles } from './importing';

const SIZE = { height: 64, width: 96 };
let dir: string;
let db: Database;
let modelId: string;
let withT5: string;

/** A T5 of two layers over the words of its fixture, as wide as the narrow transformer reads. */
function tinyT5(width: number, vocabulary: number): TensorBytes[] {
  const [heads, head, wide] = [2, 8, 40];
  const shapes: Record<string, number[]> = { 'shared.weight': [vocabulary, width], 'encoder.final_layer_norm.weight': [width], 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight': [32, heads] };
  for (const i of [0, 1]) {
    const at = `encoder.block.${i}.layer.`;
    for (const name of ['q', 'k', 'v']) shapes[`${at}0.SelfAttention.${name}.weight`] = [heads * head, width];
    Object.assign(shapes, { [`${at}0.SelfAttention.o.weight`]: [width, heads * head], [`${at}0.layer_norm.weight`]: [width], [`${at}1.layer_norm.weight`]: [width], [`${at}1.DenseReluDense.wi_0.weight`]: [wide, width], [`${at}1.DenseReluDense.wi_1.weight`]: [wide, width], [`${at}1.DenseReluDense.wo.weight`]: [width, wide] });
  }
  return Object.entries(shapes).map(([key, shape], step) => ({ key, shape, dtype: 'F32' as const, pieces: () => [new Uint8Array(normal([shape.reduce((a, b) => a * b, 1)], { seed: 4, purpose: 'test', step }).map((value) => 0.3 * value).buffer)] }));
}

beforeAll(async () => {
  await useBackend('wasm');
  dir = await mkdtemp(join(tmpdir(), 'lamina-sd35-'));
  db = await openDatabase('sd35');
  const paths = await Promise.all(FAKE_MODELS.map(async (model) => {
    const path = join(dir, `${model.replace('-', '_')}.safetensors`);
    await writeCheckpoint(path, await randomTensors(model, 0.001));
    return path;
  }));
  const surveyed = await surveyFiles(await Promise.all(paths.map(async (path) => blobBytes(new Blob([new Uint8Array(await readFile(path))]), basename(path)))));
  expect(surveyed.lacking).toEqual([]);
  expect(surveyed.notes).toEqual([]);
  expect(surveyed.parts.map(({ part }) => part.part).sort()).toEqual(['text_encoder', 'text_encoder_2', 'transformer', 'vae']);
  const options = { name: 'narrow', precision: 'int8', clipMerges: () => readFile('public/clip/merges.txt', 'utf8') } as const;
  ({ modelId } = await importSurveyed(db, surveyed, options));

  const contextWidth = surveyed.parts[0]!.tensors.find(({ name }) => name === 'context_embedder.weight')!.shape[1]!;
  const words = JSON.parse(await readFile('fixtures/t5/tokenizer.json', 'utf8')) as { model: { vocab: unknown[] }; added_tokens: unknown[] };
  const t5 = join(dir, 't5xxl.safetensors');
  await writeCheckpoint(t5, tinyT5(contextWidth, words.model.vocab.length + words.added_tokens.length));
  const blob = async (path: string) => blobBytes(new Blob([new Uint8Array(await readFile(path))]), path === 'fixtures/t5/tokenizer.json' ? 'sd3/tokenizer_3/tokenizer.json' : basename(path));
  const without = await surveyFiles(await Promise.all([...paths, t5].map(blob)));
  expect(without.parts.map(({ part }) => part.part)).not.toContain('text_encoder_3');
  expect(without.notes).toEqual([expect.stringContaining('T5 encoder stays behind')]);
  const whole = await surveyFiles(await Promise.all([...paths, t5, 'fixtures/t5/tokenizer.json'].map(blob)));
  expect([whole.notes, whole.parts.length]).toEqual([[], 5]);
  withT5 = (await importSurveyed(db, whole, options)).modelId;
}, 120_000);
afterAll(async () => {
  db.close();
  await rm(dir, { recursive: true, force: true });
});

async function draw(options: BaseOptions, model = modelId): Promise<{ pixels: Float32Array; most: number; context: readonly number[] }> {
  const base = await loadBase('narrow', await openModel(db, model), options);
  const [words, negative] = [await encodePrompts(base, ['a red dog on a beach'], ''), await encodePrompts(base, [''], '')];
  let most = 0;
  const latent = await flowing(base, (flow) => sampleAll({
    base: { ...flow, latentShape: () => base.latentShape(SIZE) }, field: guidedField(flow, untouched(negative), [{ positive: untouched(words), negative: untouched(negative), weight: 1 }]), seeds: [1], steps: 2, guidance: 3,
    between: async () => { most = Math.max(most, flow.mmdit.blocks.filter(({ x }) => x.attention.q.packed !== null).length); },
  }));
  const pixels = await base.parts.autoencoder.use((one) => one.decode(latent));
  const again = await base.parts.autoencoder.use((one) => one.encode(pixels));
  expect(again.shape).toEqual(latent.shape);
  expect(pixels.shape).toEqual([1, SIZE.height, SIZE.width, 3]);
  const values = new Float32Array(await pixels.data<'float32'>());
  const context = words.context.shape;
  tf.dispose([latent, pixels, again]);
  [words, negative].forEach(disposePrompts);
  disposeBase(base);
  return { pixels: values, most, context };
}

describe('Stable Diffusion 3.5 Medium’s own layout', () => {
  it('draws the same whether its networks stay or come by phase, its blocks stay or are streamed', async () => {
    const before = tf.memory().numTensors;
    const staying = await draw({});
    expect(staying.context).toEqual([1, 77 + T5_TOKENS, expect.any(Number)]);
    expect(staying.pixels.every(Number.isFinite)).toBe(true);
    expect(new Set(staying.pixels).size).toBeGreaterThan(100);
    const streamed = await draw({ partsStay: false, streamBytes: 0 });
    expect([staying.most, streamed.most]).toEqual([24, 1]);
    expect(streamed.pixels).toEqual(staying.pixels);
    expect(tf.memory().numTensors).toBe(before);
  }, 120_000);

  it('reads with T5 where its files and its words are there, in place or streamed', async () => {
    const before = tf.memory().numTensors;
    const [plain, staying, streamed] = [await draw({}), await draw({}, withT5), await draw({ partsStay: false, streamBytes: 0 }, withT5)];
    expect(staying.context).toEqual(plain.context);
    expect(staying.pixels).not.toEqual(plain.pixels);
    expect(streamed.pixels).toEqual(staying.pixels);
    expect(tf.memory().numTensors).toBe(before);
  }, 120_000);

  it('reads a learned word by each encoder’s own rows, and by its name in T5', async () => {
    const before = tf.memory().numTensors;
    const files = await openModel(db, withT5);
    const base = await loadBase('narrow', files);
    const ids = base.tokenizer.encodeBare('dog beach').slice(1, -1);
    const rowsOf = async (folder: string) => {
      const source = await files.weights(folder);
      const rows = await Promise.all(ids.map((id) => source.readRows('text_model.embeddings.token_embedding.weight', id, id + 1)));
      return { shape: [rows.length, rows[0]!.length], data: Float32Array.from(rows.flatMap((row) => [...row])) };
    };
    const found = { clip_l: await rowsOf('text_encoder'), clip_g: await rowsOf('text_encoder_2') };
    const tables = await base.parts.text.use(async (tower) => tower.tables);
    expect(tables.map(({ vocabulary }) => vocabulary)).toEqual([49408, 49408]);
    const { word } = wordFor(tables, found, 'w');
    const learned = await encodePrompts(base, ['a [V] at night'], { text: 'dog beach', word });
    const said = await encodePrompts(base, ['a dog beach at night'], '');
    const otherwise = await encodePrompts(base, ['a [V] at night'], { text: 'cat', word });
    const values = async ({ context, pooled }: typeof said) => [await context.data(), await pooled.data()];
    expect(await values(learned)).toEqual(await values(said));
    // T5 alone reads the name
    const [mine, other] = [(await values(learned))[0]!, (await values(otherwise))[0]!];
    const clip = (77 * mine.length) / learned.context.shape[1];
    expect(mine.slice(0, clip)).toEqual(other.slice(0, clip));
    expect(mine.slice(clip)).not.toEqual(other.slice(clip));
    expect(() => wordFor(tables, { ...found, clip_g: null }, 'w')).toThrow('This base’s CLIP-G finds nothing in it.');
    [learned, said, otherwise].forEach(disposePrompts);
    disposeBase(base);
    expect(tf.memory().numTensors).toBe(before);
  }, 120_000);

  it('mixes each concept with the zero tokens that it was learned with, and everything with those that all agree on', async () => {
    const before = tf.memory().numTensors;
    const base = await loadBase('narrow', await openModel(db, modelId));
    const learned = (zeroTokens: string): LearnedConcept => ({ recipe: { ...defaultRecipe(), classWord: 'dog', zeroTokens: zeroTokens as 'none' }, adapters: {}, rows: {}, result: { adapter: null, rows: null }, lambda: 1, learned: true });
    const concepts = (counts: Record<string, string>): MixConcepts => new Map(Object.entries(counts).map(([id, count]) => [id, { concept: learned(count), words: { conceptId: id, name: id, kind: 'instance', classWord: 'dog' } }]));
    const mix = (ids: readonly string[]): Mix => ({
      version: 1, prompt: 'a dog on a beach', names: {}, seed: 1, steps: 8, guidance: 3, composition: plainComposition, start: null,
      guidances: [newGuidance('text', { kind: 'text', words: null }), ...ids.map((id) => newGuidance(id, { kind: 'concept', conceptId: id, words: null }))],
    });
    const lengths = async (counts: Record<string, string>) => {
      const terms = await mixTerms(base, mix(Object.keys(counts)), concepts(counts));
      const length = ({ words }: Evaluation) => words.context.shape[1];
      const found = [length(terms.origin), ...terms.guidances.flatMap(({ positive, negative }) => [length(positive), length(negative)])];
      terms.dispose();
      return found;
    };
    expect(await lengths({ a: '256' })).toEqual([333, 333, 333, 333, 333]);
    expect(await lengths({ a: '77', b: '77' })).toEqual([154, 154, 154, 154, 154, 154, 154]);
    expect(await lengths({ a: '256', b: 'none' })).toEqual([154, 154, 154, 333, 333, 77, 77]);
    const merged = await mergedField(base, mix(['a']), concepts({ a: 'none' }));
    merged.dispose();
    // texts of several lengths are evaluated in passes of their own
    const drawn = await mixedField(base, mix(['a', 'b']), concepts({ a: '256', b: 'none' }));
    const latent = await flowing(base, (flow) => sampleAll({ base: { ...flow, latentShape: () => base.latentShape(SIZE) }, field: drawn.field(flow), seeds: [1], steps: 1, guidance: 3 }));
    expect((await latent.data()).every(Number.isFinite)).toBe(true);
    latent.dispose();
    drawn.dispose();
    disposeBase(base);
    expect(tf.memory().numTensors).toBe(before);
  }, 120_000);

  it('has as many zero tokens in place of T5 as a recipe asks for', async () => {
    const before = tf.memory().numTensors;
    for (const [id, lengths] of [[modelId, { 77: 154, 256: 333, none: 77 }], [withT5, { 77: 154, 256: 154, none: 154 }]] as const) {
      const base = await loadBase('narrow', await openModel(db, id));
      expect(base.zeroTokens).toBe(id === modelId ? T5_TOKENS : 0);
      const read: Uint8Array[] = [];
      for (const [zeroTokens, length] of Object.entries(lengths)) {
        const words = await encodeFieldWords(base, ['a [V] dog'], '', { ...defaultRecipe(), classWord: 'dog', zeroTokens: zeroTokens as 'none' });
        for (const each of [words.complete, words.base, words.negative]) expect(each.context.shape[1]).toBe(length);
        const [said, behind] = tf.tidy(() => [tf.slice(words.complete.context, [0, 0, 0], [1, 77, -1]), tf.sum(tf.abs(tf.slice(words.complete.context, [0, 77, 0], [1, -1, -1])))]) as [tf.Tensor, tf.Tensor];
        read.push(new Uint8Array((await said.data<'float32'>()).slice().buffer));
        if (length > 77) expect((await behind.data())[0] === 0).toBe(id === modelId);
        tf.dispose([said, behind]);
        disposeFieldWords(words);
      }
      expect(read.map((bytes) => Buffer.compare(bytes, read[0]!))).toEqual([0, 0, 0]);
      disposeBase(base);
    }
    expect(tf.memory().numTensors).toBe(before);
  }, 120_000);
});
