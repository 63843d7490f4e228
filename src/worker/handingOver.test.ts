import 'fake-indexeddb/auto';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { readZip } from '../formats/zip';
import { defaultRecipe, parseRecipe, type Recipe } from '../protocol/recipe';
import { openDatabase } from '../storage/db';
import { putRun } from '../storage/runStore';
import { readPng } from '../testing/png';
import { nodeRaster } from '../testing/session/raster';
import { handOver } from './handingOver';

const file = new Blob([new Uint8Array(await readFile('public/concepts/guide-dog/1.png'))]);
const db = await openDatabase('handing-over');
const captions = { complete: 'a [V] dog on grass', base: 'a dog on grass', target: '[V] dog' };
async function handed(recipe: Recipe, picture: object = { captions }): Promise<(name: string) => Uint8Array | undefined> {
  await putRun(db, { runId: 'r', name: 'Guide dog', createdAt: '', updatedAt: '', finished: true, recipe, prompt: '', seed: 1, engine: '', pictures: [{ pictureId: 'p', name: 'a.png', crop: { x: 10, y: 20, size: 64 }, file, ...picture }] });
  const archive = await handOver(db, nodeRaster, 'r');
  expect(archive.fileName).toBe('guide-dog-to-train.zip');
  const entries = readZip(new Uint8Array(await archive.file.arrayBuffer()), archive.fileName);
  return (name) => entries.get(`guide-dog/${name}`);
}
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

it('holds the pictures as they were cropped, and captions with the trigger word', async () => {
  const of = await handed({ ...defaultRecipe(), classWord: 'dog' });
  const { width, height, pixels } = readPng(Buffer.from(of('pictures/01.png')!));
  expect([width, height]).toEqual([64, 64]);
  const whole = readPng(Buffer.from(await file.arrayBuffer()));
  expect(pixels[0]).toBeCloseTo(whole.pixels[3 * (20 * whole.width + 10)]!, 2);
  expect(text(of('pictures/metadata.jsonl'))).toBe('{"file_name":"01.png","text":"a zq dog on grass"}\n');
  expect(text(of('purecc/stage2/concept.csv'))).toContain('a <new1> dog on grass,<new1> dog,a dog on grass,dog');
  expect(parseRecipe(JSON.parse(text(of('recipe.json'))))).toEqual({ ...defaultRecipe(), classWord: 'dog' });
});

it('takes the recipe’s figures where it was made for a large base, and published ones where it was made for the small one', async () => {
  const recipe = { ...defaultRecipe(), classWord: 'dog', rank: 12, learningRate: 2e-4, studentLearningRate: 3e-4, stage1Steps: 500, stage2Steps: 600, batchSize: 3, eta: 0.5, lambdaMode: 'fixed' as const, fixedLambda: 2 };
  const small = text((await handed(recipe))('purecc/train.sh'));
  for (const argument of ['--rank=4', '--max_train_steps=800', '--eta=2', '--learning_rate=0.0001']) expect(small).toContain(argument);
  const large = text((await handed({ ...recipe, base: 'sd3.5' }))('purecc/train.sh'));
  for (const argument of ['--rank=12', '--max_train_steps=500', '--max_train_steps=600', '--eta=0.5', '--fix_lambda=2', '--learning_rate=0.0002', '--learning_rate=0.0003', '--train_batch_size=3']) expect(large).toContain(argument);
  // what was measured has no place in scripts that take a constant
  expect(text((await handed({ ...recipe, base: 'sd3.5', lambdaMode: 'adaptive' }))('purecc/train.sh'))).toContain('--fix_lambda=1 ');
});

it('of a world has pictures alone', async () => {
  const of = await handed({ ...defaultRecipe(undefined, 'sd3.5', 'specialist'), steps: 1234 }, {});
  expect(text(of('pictures/metadata.jsonl'))).toBe('{"file_name":"01.png","text":""}\n');
  expect(text(of('diffusers/train.sh'))).toContain('--max_train_steps=1234');
  expect(of('purecc/train.sh')).toBeUndefined();
});

it('says that a run is gone', async () => {
  await expect(handOver(db, nodeRaster, 'gone')).rejects.toMatchObject({ code: 'run-missing' });
});
