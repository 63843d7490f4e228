/** The pipeline on the embedded base as shipped: loading, prompts, data sets, and the sample sets' captions. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { CONCEPT_MARK, type Captions } from '../../protocol/captions';
import { defaultRecipe } from '../../protocol/recipe';
import { useBackend } from '../../testing/backend';
import { folderFiles } from '../../testing/files';
import { readPng } from '../../testing/png';
import { disposeBase, loadBase, type Base } from '../base';
import { buildDataset, disposeDataset } from '../training/dataset';
import { encodeFieldWords, disposeFieldWords } from './velocityFields';
import { measurePrompts } from '../measuring/measure';
import { wordFor } from '../learnedWord';
import { disposePrompts, encodePrompts, promptRoles } from '../prompts';

interface SampleSet { name: string; kind: 'instance' | 'style'; classWord: string; images: (Captions & { file: string })[] }
const concepts = 'public/concepts';
const sets = readdirSync(concepts).map((name) => JSON.parse(readFileSync(join(concepts, name, 'captions.json'), 'utf8')) as SampleSet);
const recipeOf = ({ kind, classWord }: SampleSet) => ({ ...defaultRecipe(), kind, classWord, flip: true });

let base: Base;
beforeAll(async () => {
  await useBackend('wasm');
  base = await loadBase('embedded', folderFiles('public/base'));
});
afterAll(() => {
  const before = tf.memory().numTensors;
  disposeBase(base);
  expect(tf.memory().numTensors).toBeLessThan(before - 100);
});

describe('prompts', () => {
  const same = (a: tf.Tensor, b: tf.Tensor) => expect(tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]).toBe(0);

  it('are read with a learned word’s rows at [V], which as the base’s own rows are its own words', async () => {
    const tables = await base.parts.text.use(async (tower) => tower.tables);
    const source = await folderFiles('public/base').weights('text_encoder');
    const idsOf = (text: string) => base.tokenizer.encodeBare(text).slice(1, -1);
    const wordOf = async (text: string) => {
      const rows = await Promise.all(idsOf(text).map((id) => source.readRows('text_model.embeddings.token_embedding.weight', id, id + 1)));
      return { text: 'dog', word: wordFor(tables, { clip_l: { shape: [rows.length, tables[0]!.width], data: Float32Array.from(rows.flatMap((row) => [...row])) }, clip_g: null }, 'w').word };
    };
    const [cat, truck] = [await wordOf('cat'), await wordOf('red truck')];
    const before = tf.memory().numTensors;
    const words = await encodePrompts(base, ['a [V] dog on a beach', '[V], a [V]', 'a (big [V]:1.4) with a [other]'], truck, { other: cat });
    expect(tf.memory().numTensors).toBe(before + 2);
    expect(words.at).toEqual([2, 1, 3]);
    const spoken = await encodePrompts(base, ['a red truck dog on a beach', 'red truck, a red truck', 'a (big red truck:1.4) with a cat'], '');
    same(words.context, spoken.context);
    same(words.pooled, spoken.pooled);
    expect(words.named).toEqual({ other: [-1, -1, 7] });
    disposePrompts(words);
    disposePrompts(spoken);
    // kept by what is read, not by what it is called
    const spokenAs = async ({ text, word }: typeof cat) => encodeFieldWords(base, ['a [V] dog'], '', { kind: 'instance', classWord: '', trigger: text, word });
    const [one, other] = [await spokenAs(cat), await spokenAs(truck)];
    expect(tf.max(tf.abs(tf.sub(one.complete.context, other.complete.context))).dataSync()[0]).toBeGreaterThan(0.01);
    same(one.base.context, other.base.context);
    [one, other].forEach(disposeFieldWords);
    // it takes its own length, and must end within what the encoder reads
    const long = (n: number) => `${'a '.repeat(n)}[V]`;
    expect((await encodePrompts(base, [long(20)], truck)).at).toEqual([21]);
    await expect(encodePrompts(base, [long(21)], truck)).rejects.toThrow(expect.objectContaining({ code: 'prompt-invalid' }));
  });

  it('are read with the class word at [V], and say where it stands', async () => {
    const words = await encodePrompts(base, ['a [V] dog on a beach', 'a dog on a beach', '[V] dog'], 'dog');
    expect(words.at).toEqual([2, -1, 1]);
    const spoken = await encodePrompts(base, ['a dog dog on a beach', 'a dog on a beach', 'dog dog'], 'dog');
    same(words.context, spoken.context);
    same(words.pooled, spoken.pooled);
    disposePrompts(words);
    disposePrompts(spoken);
  });

  it('read several concepts at places of their own', async () => {
    const words = await encodePrompts(base, ['a [cat] and a [V] dog', 'a [V] dog'], 'dog', { cat: 'cat' });
    expect(words.named).toEqual({ cat: [2, -1] });
    expect(words.at).toEqual([5, 2]);
    const spoken = await encodePrompts(base, ['a cat and a dog dog', 'a dog dog'], 'dog');
    same(words.context, spoken.context);
    disposePrompts(words);
    disposePrompts(spoken);
  });

  it('refuse a [V] beyond what the encoder reads', async () => {
    const long = `${'a red dog and '.repeat(8)}a ${CONCEPT_MARK} dog`;
    await expect(encodePrompts(base, [long], 'dog')).rejects.toThrow(expect.objectContaining({ code: 'prompt-invalid' }));
    // 24 tokens, two of them markers: the 22nd word is the last one read.
    const filled = (words: number) => `${'dog '.repeat(words)}${CONCEPT_MARK}`;
    expect((await encodePrompts(base, [filled(21)], 'dog')).at).toEqual([22]);
    await expect(encodePrompts(base, [filled(22)], 'dog')).rejects.toThrow(expect.objectContaining({ code: 'prompt-invalid' }));
  });

  it('give Base, Target and class of an instance and of a style', () => {
    expect(promptRoles('a [V] dog on a beach', { kind: 'instance', classWord: 'dog' })).toEqual({ complete: 'a [V] dog on a beach', base: 'a dog on a beach', target: '[V] dog', class: 'dog' });
    expect(promptRoles('a dog on a beach, [V]', { kind: 'style', classWord: '' })).toEqual({ complete: 'a dog on a beach, [V]', base: 'a dog on a beach', target: '[V]', class: '' });
  });
});

describe.each(sets.map((set) => [set.name, set] as const))('the sample set %s', (_, set) => {
  it('is captioned and measured in words the base knows', () => {
    const texts = [...set.images.flatMap(({ complete, base: plain, target }) => [complete, plain, target]), ...measurePrompts(set), set.classWord];
    const words = new Set(texts.flatMap((text) => text.replaceAll(CONCEPT_MARK, '').toLowerCase().match(/[a-z]+/g) ?? []));
    expect([...words].filter((word) => !base.tokenizer.known(word))).toEqual([]);
  });

  it('becomes latents the autoencoder can turn back, mirrored ones behind', async () => {
    const pictures = set.images.map(({ file }) => readPng(readFileSync(join(concepts, set.name, file))).pixels);
    const before = tf.memory().numTensors;
    const dataset = await buildDataset(base, set.images.map((captions, i) => ({ pixels: pictures[i]!, captions })), recipeOf(set));
    expect(dataset.latents.shape).toEqual([2 * set.images.length, ...base.latentShape()]);
    expect(dataset.words.complete!.at.every((position) => position > 0)).toBe(true);
    const error = async (n: number, mirrored: boolean) => {
      const latent = tf.slice(dataset.latents, n, 1);
      const drawn = await base.parts.autoencoder.use((autoencoder) => autoencoder.decode(latent));
      const picture = tf.tensor4d(pictures[0]!, [1, 128, 128, 3]);
      const found = tf.tidy(() => tf.mean(tf.square(tf.sub(drawn, mirrored ? tf.reverse(picture, 2) : picture))).dataSync()[0]!);
      tf.dispose([latent, drawn, picture]);
      return found;
    };
    // The base's autoencoder reproduces its own world at 20 dB and better: mean square below 4/10². An unrelated picture is at .3 and more.
    expect(await error(0, false)).toBeLessThan(0.04);
    expect(await error(set.images.length, true)).toBeLessThan(0.04);
    expect(await error(set.images.length, false)).toBeGreaterThan(await error(0, false));
    disposeDataset(dataset);
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('a data set has every shifted copy behind the pictures, and captions once', async () => {
  const pixels = new Float32Array(128 ** 2 * 3).map((_, i) => Math.sin(i / 700));
  const captions = { complete: 'a [V] dog', base: 'a dog', target: '[V] dog' };
  const recipe = { ...defaultRecipe(), classWord: 'dog', shiftCells: 1, flip: true };
  const dataset = await buildDataset(base, [{ pixels, captions }, { pixels, captions }], recipe);
  expect([dataset.latents.shape[0], dataset.unshifted, dataset.words.complete!.at.length]).toEqual([36, 4, 2]);
  const plain = await buildDataset(base, [{ pixels, captions }, { pixels, captions }], { ...recipe, shiftCells: 0 });
  expect(tf.slice(dataset.latents, 0, 4).dataSync()).toEqual(plain.latents.dataSync());
  disposeDataset(dataset);
  disposeDataset(plain);
});

it('field words are encoded once, stay right when those handed out are freed, and follow the class word', async () => {
  const kind = 'instance' as const;
  const words = () => encodeFieldWords(base, ['a [V] dog on a beach', 'a house'], 'night', { kind, classWord: 'dog', trigger: '' });
  const first = await words();
  const plain = await encodePrompts(base, ['a [V] dog on a beach', 'a house'], 'dog');
  const numbers = plain.context.dataSync();
  expect(first.complete.context.dataSync()).toEqual(numbers);
  disposeFieldWords(first);
  const before = tf.memory().numTensors;
  const again = await words();
  expect(again.complete.context.dataSync()).toEqual(numbers);
  expect(again.complete.at).toEqual(plain.at);
  disposeFieldWords(again);
  expect(tf.memory().numTensors).toBe(before);
  const cat = await encodeFieldWords(base, ['a [V] dog on a beach', 'a house'], 'night', { kind, classWord: 'cat', trigger: '' });
  expect(cat.complete.context.dataSync()).not.toEqual(numbers);
  disposeFieldWords(cat);
  disposePrompts(plain);
});

it('refuses captions without a concept', async () => {
  const item = { pixels: new Float32Array(128 ** 2 * 3), captions: { complete: 'a dog', base: 'a dog', target: '[V] dog' } };
  await expect(buildDataset(base, [item], defaultRecipe())).rejects.toMatchObject({ code: 'caption-invalid', subject: '1' });
  await expect(buildDataset(base, [], defaultRecipe())).rejects.toMatchObject({ code: 'too-few-pictures' });
});
