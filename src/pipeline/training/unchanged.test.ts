/**
 * The numbers of training and of fields, held to the bit on wasm: SHA-256 of weights, moments, losses and velocities of the tiny
 * base. A change that is meant to leave results alone leaves these; one that is not records them anew and says why.
 */
import { createHash } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { methods } from '../../methods';
import type { RecipeOf } from '../../protocol/recipe';
import { useBackend } from '../../testing/backend';
import { tinyBase, tinyDataset, tinyRecipe, tinyWords } from '../../testing/tiny';
import type { FlowBase } from '../base';
import { disposeConcept } from '../concept';
import { disposeDataset } from './dataset';
import { createTrainer } from './train';
import { balancedField, baseField, conceptField, disposeFieldWords, type FieldWords } from '../sampling/velocityFields';
import { draft, makeProbe } from '../sampling/preview';

let base: FlowBase;
beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
});

const short = (parts: readonly (Float32Array | string)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'string' ? part : new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return hash.digest('hex').slice(0, 12);
};

const recipes: [string, Partial<RecipeOf<'purecc'>>][] = [
  ['default', {}],
  ['paper', { guidanceReference: 'null', anchor: 0 }],
  ['trainable', { originalSource: 'trainable', lambdaClamp: 'off', pooledDelta: true }],
  ['detached', { originalSource: 'trainable-detached', lambdaMode: 'fixed', fixedLambda: 2 }],
  ['plain LoRA', { eta: 0, anchor: 0, batchSize: 3, seed: 7 }],
  ['one stage', { stage2Steps: 0, rank: 3 }],
  ['without rows', { studentRows: 'off', eta: 0.5, gradientClip: 0.1 }],
];

async function hashes(change: Partial<RecipeOf<'purecc'>>): Promise<Record<string, string>> {
  const dataset = tinyDataset();
  const trainer = await createTrainer({ base, method: methods.purecc, recipe: tinyRecipe(change), dataset });
  const found: Record<string, string> = {};
  const losses: string[] = [];
  for await (const row of trainer.steps()) {
    const { lambdaStar = [], cosine = [], floorHit = [] } = row.figures;
    losses.push(JSON.stringify([row.step, row.stage, row.losses, row.sigma, lambdaStar, cosine, row.gradientNorm, floorHit.reduce((sum, hit) => sum + hit, 0), row.lambda]));
    if (row.step === 2 || row.step === 4 || row.step === 6 || row.step === trainer.totalSteps) {
      const { groups: { extractor, student, rows }, units } = await trainer.exportState();
      found[`state ${row.step}`] = short([...[extractor, student, rows].flatMap((group) => (group ? [group.values, group.m, group.v] : [])), JSON.stringify(units)]);
    }
    if (row.step === 3 || row.step === 6 || row.step === trainer.totalSteps) {
      const words: FieldWords = { complete: tinyWords(1, true, 11), base: tinyWords(1, false, 12), target: tinyWords(1, true, 13), class: tinyWords(1, false, 14), null: tinyWords(1, false, 15), negative: tinyWords(1, false, 16) };
      const concept = trainer.concept();
      const x = tf.tensor4d(Array.from({ length: 64 }, (_, i) => Math.sin(i * 1.7)), [1, 4, 4, 4]);
      const fields = { base: baseField(base, words), concept: conceptField(base, words, concept), bare: conceptField(base, words, concept, { rows: false }), ...Object.fromEntries([0, 0.5, 1, 1.5].map((balance) => [`balance ${balance}`, balancedField(base, words, concept, balance)])) };
      for (const guidance of [1, 3]) {
        const drawn: Float32Array[] = [];
        for (const field of Object.values(fields)) drawn.push((await (await field.evaluate(x, 0.6, guidance)).data<'float32'>()).slice());
        found[`fields ${row.step} × ${guidance}`] = short(drawn);
      }
      const probe = await makeProbe({ base, words, concept, seed: 3, guidance: 3, revision: 1, steps: 8 });
      found[`draft ${row.step}`] = short([await draft(probe, 0.7).data<'float32'>()]);
      x.dispose();
      disposeFieldWords(words);
      disposeConcept(concept);
    }
  }
  found.rows = short(losses);
  trainer.dispose();
  disposeDataset(dataset);
  return found;
}

it.each(recipes)('the recipe “%s” gives the numbers it gave', async (_, change) => {
  expect(await hashes(change)).toMatchSnapshot();
});
