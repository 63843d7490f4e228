/** The fields that experiments vary: each does what it says, and at its neutral value nothing at all. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { methods } from '../../methods';
import { loraSites, velocity, velocityVjp } from '../../models/mmdit';
import type { RecipeOf } from '../../protocol/recipe';
import { useBackend } from '../../testing/backend';
import { tinyBase, tinyDataset, tinyRecipe, tinyWords } from '../../testing/tiny';
import type { FlowBase } from '../base';
import { initLora, loraLayout, toAdapter } from '../lora';
import type { TrainState } from './checkpoint';
import { disposeDataset, pictureVariants, varied } from './dataset';
import { normal } from '../random';
import { rateFactor } from './optimizer';
import { createTrainer } from './train';
import { drawBatch } from './trainingStep';

let base: FlowBase;
beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
});

async function train(change: Partial<RecipeOf<'purecc'>>, count = Infinity, dataset = tinyDataset()): Promise<TrainState> {
  const trainer = await createTrainer({ base, method: methods.purecc, recipe: tinyRecipe(change), dataset });
  for await (const { step } of trainer.steps()) if (step >= count) break;
  const state = await trainer.exportState();
  trainer.dispose();
  disposeDataset(dataset);
  return state;
}

it('a student that starts from the extractor has its values and fresh moments, and goes its own way', async () => {
  const { groups: { extractor, student } } = await train({ studentStart: 'extractor' }, 4);
  expect(student!.values).toEqual(extractor!.values);
  expect([student!.m, student!.v].every((moments) => moments.every((value) => value === 0))).toBe(true);
  const end = await train({ studentStart: 'extractor' });
  expect(end.groups.extractor).toEqual(extractor);
  expect(end.groups.student!.values).not.toEqual(student!.values);
});

describe('mixed rows', () => {
  it('are those of on where no step drops them, and of off where all do', async () => {
    expect((await train({ studentRows: 'mixed', rowDropout: 0 })).groups).toEqual((await train({ studentRows: 'on' })).groups);
    expect((await train({ studentRows: 'mixed', rowDropout: 1 })).groups).toEqual((await train({ studentRows: 'off' })).groups);
  });

  it('are dropped in the share that was asked for, by the step alone', () => {
    const recipe = tinyRecipe({ studentRows: 'mixed', rowDropout: 0.3 });
    const { branches } = methods.purecc.stages.student.step;
    const rows = Array.from({ length: 1000 }, (_, i) => branches(recipe, [(i + 0.5) / 1000, 0.5]).find(({ name }) => name === 'complete')!.rows);
    expect(rows.filter((id) => id === null)).toHaveLength(300);
    expect(methods.purecc.stages.student.result(recipe).rows).toBe('rows');
  });

  it('do both in one run', async () => {
    const mixed = await train({ studentRows: 'mixed', stage2Steps: 8 });
    for (const studentRows of ['on', 'off'] as const) expect(mixed.groups.student).not.toEqual((await train({ studentRows, stage2Steps: 8 })).groups.student);
  });
});

describe('the rate', () => {
  it('goes down as diffusers’ schedules do, over the last part of a stage', () => {
    const over = (shape: 'constant' | 'linear' | 'cosine', part: number) => Array.from({ length: 10 }, (_, step) => rateFactor({ shape, part }, step, 10));
    expect(over('constant', 1)).toEqual(new Array(10).fill(1));
    // get_linear_schedule_with_warmup and get_cosine_schedule_with_warmup without a warm-up, 10 steps, read off torch
    over('linear', 1).forEach((factor, i) => expect(factor).toBeCloseTo(1 - i / 10, 12));
    over('cosine', 1).forEach((factor, i) => expect(factor).toBeCloseTo(0.5 * (1 + Math.cos((Math.PI * i) / 10)), 12));
    expect(over('linear', 0.4).map((factor) => Number(factor.toFixed(3)))).toEqual([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]);
    expect(over('linear', 0)).toEqual(over('constant', 0));
  });

  it('falls in each stage by itself, and only then differs from a constant one', async () => {
    const change = { lrScheduler: 'linear', lrDecayRatio: 0.5 } as const;
    // of four steps the last two are in the falling half, and the first of these still has the full rate
    expect((await train(change, 3)).groups).toEqual((await train({}, 3)).groups);
    expect((await train(change, 4)).groups).not.toEqual((await train({}, 4)).groups);
    expect((await train({ ...change, lrDecayRatio: 0 })).groups).toEqual((await train({})).groups);
  });
});

describe('LoRA on the MLPs too', () => {
  const input = () => {
    const { context, pooled } = tinyWords(1, false, 21);
    return { x: tf.randomNormal<tf.Rank.R4>([1, 4, 4, 4], 0, 1, 'float32', 5), sigma: [0.5], context, pooled };
  };

  it('has both linear layers of every MLP that there is, under diffusers’ names', () => {
    const names = loraSites(base.mmdit, 'attention+mlp').map(({ name }) => name);
    const attention = loraSites(base.mmdit).map(({ name }) => name);
    const more = names.filter((name) => !attention.includes(name));
    // three blocks, the last without a text MLP
    expect(more).toHaveLength(10);
    expect(more).toContain('transformer_blocks.0.ff_context.net.0.proj');
    expect(more).toContain('transformer_blocks.2.ff.net.2');
    expect(more).not.toContain('transformer_blocks.2.ff_context.net.2');
  });

  it('changes nothing when fresh, and its gradients are central differences', () => {
    const layout = loraLayout(loraSites(base.mmdit, 'attention+mlp'), 1);
    const values = initLora(layout, { seed: 1, purpose: 'test', step: 0 });
    const given = input();
    const plain = velocity(base.mmdit, given, null, null).dataSync();
    expect(velocity(base.mmdit, given, toAdapter(layout, values), null).dataSync()).toEqual(plain);
    const probe = tf.randomNormal<tf.Rank.R4>([1, 4, 4, 4], 0, 1, 'float32', 6);
    const at = (numbers: Float32Array) => tf.sum(tf.mul(velocity(base.mmdit, given, toAdapter(layout, numbers), null), probe)).dataSync()[0]!;
    for (let i = 0; i < values.length; i++) values[i]! += 0.1 * Math.sin(i);
    const { sites } = velocityVjp(base.mmdit, given, toAdapter(layout, values), null, { recompute: true, wantRows: false }).pullback(probe);
    for (const name of ['transformer_blocks.0.ff.net.0.proj', 'transformer_blocks.1.ff_context.net.2', 'transformer_blocks.2.ff.net.2']) {
      const { b } = layout.sites.find((site) => site.name === name)!;
      const [up, down] = [values.slice(), values.slice()];
      up[b.from]! += 1e-2;
      down[b.from]! -= 1e-2;
      const numeric = (at(up) - at(down)) / 2e-2;
      const found = sites[name]!.b.dataSync()[0]!;
      // float32 differences of sums over 64 numbers of order one
      expect(Math.abs(found - numeric), name).toBeLessThan(2e-2 * Math.max(1, Math.abs(numeric)));
      expect(Math.abs(found), name).toBeGreaterThan(1e-3);
    }
  });

  it('learns in both stages', async () => {
    const { groups } = await train({ sites: 'attention+mlp' });
    expect(groups.student!.values.length).toBe(loraLayout(loraSites(base.mmdit, 'attention+mlp'), 2).size);
    const start = await train({ sites: 'attention+mlp' }, 4);
    expect(groups.student!.values).not.toEqual(start.groups.student!.values);
  });
});

describe('shifted copies', () => {
  const picture = () => tf.tensor4d(Array.from({ length: 4 * 4 * 3 }, (_, i) => Math.floor(i / 3)), [1, 4, 4, 3]);
  const firstChannel = (variant: { mirrored: boolean; right: number; down: number }) => Array.from(tf.slice(varied(picture(), variant, 2), [0, 0, 0, 0], [1, 4, 4, 1]).dataSync());

  it('stand behind the unshifted ones, mirrored or not', () => {
    expect(pictureVariants({ flip: false, shiftCells: 0 })).toEqual([{ mirrored: false, right: 0, down: 0 }]);
    expect(pictureVariants({ flip: true, shiftCells: 0 })).toHaveLength(2);
    const all = pictureVariants({ flip: true, shiftCells: 1 });
    expect(all).toHaveLength(18);
    expect(all.slice(0, 2)).toEqual([{ mirrored: false, right: 0, down: 0 }, { mirrored: true, right: 0, down: 0 }]);
    expect(new Set(all.map((variant) => JSON.stringify(variant))).size).toBe(18);
  });

  it('are moved by whole cells, edges drawn out', () => {
    expect(firstChannel({ mirrored: false, right: 1, down: 0 })).toEqual([0, 0, 0, 1, 4, 4, 4, 5, 8, 8, 8, 9, 12, 12, 12, 13]);
    expect(firstChannel({ mirrored: false, right: 0, down: -1 })).toEqual([8, 9, 10, 11, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15]);
    expect(firstChannel({ mirrored: true, right: 0, down: 0 })).toEqual([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]);
  });
});

describe('the hold on other captions', () => {
  const { branches } = methods.purecc.stages.student.step;
  const names = (recipe: ReturnType<typeof tinyRecipe>, second: number) => branches(recipe, [0.5, second]).map(({ name }) => name);

  it('takes the place of the hold on Base in its share of steps, and leaves vOriginal where it was', () => {
    const recipe = tinyRecipe({ priorShare: 0.25 });
    expect(names(recipe, 0.3)).toEqual(names(tinyRecipe(), 0.3));
    expect(names(recipe, 0.2)).toEqual(['complete', 'priorStudent', 'priorFrozen', 'baseFrozen', 'target', 'reference']);
    expect(names(tinyRecipe({ priorShare: 1, anchor: 0 }), 0.2)).toEqual(names(tinyRecipe({ anchor: 0 }), 0.2));
    expect(names(tinyRecipe({ priorShare: 1, originalSource: 'trainable' }), 0.2)).toContain('baseStudent');
  });

  it('pulls the student on them to the base on them, with the anchor’s weight', () => {
    const shape: [number, number, number, number] = [2, 4, 4, 3];
    const v = (step: number) => tf.tensor4d(normal(shape, { seed: 9, purpose: 'test', step }), shape);
    const recipe = tinyRecipe({ priorShare: 1, anchor: 3 });
    const velocities = Object.fromEntries(names(recipe, 0).map((name, i) => [name, v(i)]));
    const { gradients, terms } = methods.purecc.stages.student.step.loss({ target: v(20), sigma: tf.tensor1d([0.5, 0.5]), velocities }, recipe);
    const expected = tf.mul(tf.sub(velocities.priorStudent!, velocities.priorFrozen!), (2 * 3) / (4 * 4 * 3 * 2));
    expect(tf.max(tf.abs(tf.sub(gradients.priorStudent!, expected))).dataSync()[0]).toBeLessThan(1e-6);
    expect(terms.anchor!.weight).toBe(3);
    expect(gradients.baseStudent).toBeUndefined();
  });

  it('reads the rows that were drawn, those beyond the number of pictures too', async () => {
    const recipe = { priorShare: 1, stage1Steps: 1, stage2Steps: 12 };
    const other = tinyDataset();
    const context = other.words.prior.context;
    const [rows, tokens, width] = context.shape;
    // 3 pictures, 5 captions: only the last two are others
    other.words.prior.context = tf.concat3d([tf.slice3d(context, [0, 0, 0], [3, tokens, width]), tf.zeros([rows - 3, tokens, width])], 0);
    context.dispose();
    expect(other.pictures).toBe(3);
    expect((await train(recipe, Infinity, other)).groups.student!.values).not.toEqual((await train(recipe)).groups.student!.values);
  });

  it('draws one for each sample, the same for the same seed and step', () => {
    const dataset = tinyDataset();
    const draw = (step: number) => drawBatch(dataset, tinyRecipe({ batchSize: 4 }), 1, step);
    const rows = Array.from({ length: 40 }, (_, step) => draw(step).priors);
    expect(new Set(rows.flat())).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(draw(7).priors).toEqual(rows[7]);
    disposeDataset(dataset);
  });
});

it('the student has a rate of its own', async () => {
  const [one, other] = [await train({}), await train({ studentLearningRate: 3e-3 })];
  expect(other.groups.extractor!.values).toEqual(one.groups.extractor!.values);
  expect(other.groups.student!.values).not.toEqual(one.groups.student!.values);
});
