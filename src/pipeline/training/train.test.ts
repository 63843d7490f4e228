import { beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { methods } from '../../methods';
import { streams } from '../../methods/purecc';
import { loraSites, textStates, velocity, velocityVjp, type Adapter } from '../../models/mmdit';
import { forwardSteps } from '../../models/mmdit/forward';
import { drain } from '../../models/steps';
import type { RecipeOf } from '../../protocol/recipe';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { tinyBase, tinyDataset, tinyRecipe } from '../../testing/tiny';
import type { FlowBase } from '../base';
import { freshMoments, type TrainState } from './checkpoint';
import { disposeConcept } from '../concept';
import { disposeDataset } from './dataset';
import { flattenGradients, initLora, loraLayout, toAdapter } from '../lora';
import { adamW, clipFactor, globalNorm } from './optimizer';
import { pickPrompts } from '../prompts';
import { initialRows } from './rowInit';
import { createTrainer, type Trainer, type TrainerStep } from './train';
import { drawBatch } from './trainingStep';

const method = methods.purecc;
let base: FlowBase;
let data: ReturnType<typeof tinyDataset>;

beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
});
beforeEach(() => void (data = tinyDataset()));
afterEach(() => disposeDataset(data));

async function run(trainer: Trainer, count = Infinity): Promise<TrainerStep[]> {
  const rows: TrainerStep[] = [];
  if (count <= 0) return rows;
  for await (const row of trainer.steps()) {
    rows.push(row);
    if (rows.length >= count) break;
  }
  return rows;
}

/** A run of `count` steps; its state and rows. */
async function train(recipe: RecipeOf<'purecc'>, count = Infinity, state?: unknown): Promise<{ state: TrainState; rows: TrainerStep[] }> {
  const trainer = await createTrainer({ base, method, recipe, dataset: data, state });
  const rows = await run(trainer, count);
  const exported = await trainer.exportState();
  trainer.dispose();
  return { state: exported, rows };
}

const evaluate = (x: Tensor4D, sigma: number[], role: 'complete' | 'base' | 'target' | 'class' | 'null', pictures: number[], adapter: Adapter | null, rows: tf.Tensor2D | null): Tensor4D => {
  const words = pickPrompts(data.words[role], pictures);
  return velocity(base.mmdit, { x, sigma, context: words.context, pooled: words.pooled }, adapter, rows && { rows, at: words.at, pooledDelta: null });
};

async function baseWeights(): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  const walk = async (value: unknown): Promise<void> => {
    if (value instanceof tf.Tensor) found.push((await value.data<'float32'>()).slice());
    else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) await walk(part);
  };
  const { timeEmbed, blocks, contextEmbed, normOut, projectOut, patchEmbed } = base.mmdit;
  for (const part of [timeEmbed, contextEmbed, normOut, projectOut, patchEmbed, ...blocks]) await walk(Object.fromEntries(Object.entries(part).filter(([key]) => key !== 'transposed')));
  return found;
}

describe('a run', () => {
  it('N2: same recipe and seed give the same weights; another seed others', async () => {
    const first = await train(tinyRecipe());
    expect((await train(tinyRecipe())).state).toEqual(first.state);
    expect((await train(tinyRecipe({ seed: 1 }))).state.groups.student!).not.toEqual(first.state.groups.student);
    expect(first.state.step).toBe(8);
    expect(first.rows.map(({ stage }) => stage)).toEqual(['extractor', 'extractor', 'extractor', 'extractor', 'student', 'student', 'student', 'student']);
  });

  it.each([0, 2, 4, 6])('N6: resumed after step %s it ends bit-identical', async (step) => {
    const recipe = tinyRecipe({ pooledDelta: true });
    const straight = await train(recipe);
    const half = await train(recipe, step);
    const { state, rows } = await train(recipe, Infinity, structuredClone(half.state));
    expect(state).toEqual(straight.state);
    expect(rows.map(({ losses, lambda }) => ({ losses, lambda }))).toEqual(straight.rows.slice(step).map(({ losses, lambda }) => ({ losses, lambda })));
  });

  it('refuses a state that does not fit', async () => {
    const { state } = await train(tinyRecipe(), 2);
    const options = { base, method, dataset: data };
    await expect(createTrainer({ ...options, recipe: tinyRecipe({ rank: 3 }), state })).rejects.toMatchObject({ code: 'run-missing' });
    await expect(createTrainer({ ...options, recipe: tinyRecipe(), state: { ...state, version: 0 } })).rejects.toMatchObject({ code: 'run-missing' });
    await expect(createTrainer({ ...options, recipe: tinyRecipe(), state: { ...state, stage: 'student' } })).rejects.toMatchObject({ code: 'run-missing' });
  });

  it('leaves no tensor behind, step by step and altogether', async () => {
    await train(tinyRecipe(), 1);
    await expectNoLeak(async () => {
      const trainer = await createTrainer({ base, method, recipe: tinyRecipe({ guidanceReference: 'null' }), dataset: data });
      await run(trainer, 1);
      const before = tf.memory().numTensors;
      await run(trainer, 2);
      expect(tf.memory().numTensors).toBe(before);
      await run(trainer);
      disposeConcept(trainer.concept());
      trainer.dispose();
    });
  });

  it('holds as many tensors and bytes after 200 steps as after the first of each stage', async () => {
    const trainer = await createTrainer({ base, method, recipe: tinyRecipe({ stage1Steps: 100, stage2Steps: 100 }), dataset: data });
    const held: Record<string, { numTensors: number; numBytes: number }> = {};
    for await (const { step, stage } of trainer.steps()) {
      const { numTensors, numBytes } = tf.memory();
      // the step that ends stage 1 already makes the student
      if (step === 1 || step === 101) held[stage] = { numTensors, numBytes };
      else if (step !== 100) expect({ step, numTensors, numBytes }).toEqual({ step, ...held[stage] });
    }
    expect(trainer.step).toBe(200);
    trainer.dispose();
  });

  it('P8, N3: base weights and, in stage 2, extractor and rows stay bit for bit; without adapter it is the base', async () => {
    const x = tf.slice(data.latents, 0, 2);
    const before = await baseWeights();
    const plain = evaluate(x, [0.5, 0.5], 'base', [0, 1], null, null).dataSync();
    const boundary = await train(tinyRecipe(), 4);
    const end = await train(tinyRecipe());
    expect(end.state.groups.extractor!).toEqual(boundary.state.groups.extractor!);
    expect(end.state.groups.rows!).toEqual(boundary.state.groups.rows!);
    expect(end.state.groups.student!).not.toEqual(boundary.state.groups.student!);
    expect(await baseWeights()).toEqual(before);
    expect(evaluate(x, [0.5, 0.5], 'base', [0, 1], null, null).dataSync()).toEqual(plain);
  });

  it('P10: the student begins as the base, bit for bit', async () => {
    const trainer = await createTrainer({ base, method, recipe: tinyRecipe(), dataset: data });
    await run(trainer, 4);
    const student = trainer.concept().adapters.student!;
    const x = tf.slice(data.latents, 0, 2);
    expect(evaluate(x, [0.5, 0.5], 'base', [0, 1], student, null).dataSync()).toEqual(evaluate(x, [0.5, 0.5], 'base', [0, 1], null, null).dataSync());
    trainer.dispose();
  });

  it('N5: what is not finite is named, and the state before it is kept', async () => {
    const { state } = await train(tinyRecipe(), 2);
    const poisoned = structuredClone(state);
    poisoned.groups.extractor!.values.fill(1e30);
    const trainer = await createTrainer({ base, method, recipe: tinyRecipe(), dataset: data, state: poisoned });
    await expect(run(trainer)).rejects.toMatchObject({ code: 'not-finite', message: expect.stringMatching(/velocity of complete at step 3/) });
    expect(await trainer.exportState()).toEqual(poisoned);
    trainer.dispose();
  });
});

describe('the method inside the run', () => {
  it('P5: η = 0 without anchor is plain LoRA', async () => {
    const recipe = tinyRecipe({ eta: 0, anchor: 0 });
    const { state } = await train(recipe);
    const boundary = await train(recipe, 4);
    // Plain LoRA: flow loss alone on the Complete caption, written out.
    const layout = loraLayout(loraSites(base.mmdit), recipe.rank);
    const group = freshMoments(initLora(layout, { seed: recipe.seed, purpose: streams.student, step: 0 }));
    const rows = tf.tensor2d(boundary.state.groups.rows!.values, [base.mmdit.config.depth, base.mmdit.config.hidden]);
    for (let step = 4; step < 8; step++) {
      const batch = drawBatch(data, recipe, base.shift, step);
      const words = pickPrompts(data.words.complete, batch.pictures);
      const { velocity: v, pullback } = velocityVjp(base.mmdit, { x: batch.xSigma, sigma: batch.sigma, context: words.context, pooled: words.pooled }, toAdapter(layout, group.values), { rows, at: words.at, pooledDelta: null }, { recompute: false, wantRows: false });
      const gradient = flattenGradients(layout, pullback(tf.mul<Tensor4D>(tf.sub(v, batch.target), 2 / v.size)).sites).dataSync<'float32'>();
      adamW(group, gradient, { learningRate: recipe.learningRate, weightDecay: recipe.weightDecay, step: step - 3, scale: clipFactor(globalNorm(gradient), recipe.gradientClip) });
    }
    expect(state.groups.student!).toEqual(group);
  });

  /** λ*, cosine and flow loss of the first stage-2 step, computed apart from the trainer. */
  async function oracle(recipe: RecipeOf<'purecc'>, state: TrainState, change: { extractor?: Adapter | null; otherNoise?: boolean } = {}) {
    const layout = loraLayout(loraSites(base.mmdit), recipe.rank);
    const batch = drawBatch(data, recipe, base.shift, state.step);
    const other = drawBatch(data, recipe, base.shift, state.step + 100);
    const rows = tf.tensor2d(state.groups.rows!.values, [base.mmdit.config.depth, base.mmdit.config.hidden]);
    const extractor = change.extractor === undefined ? toAdapter(layout, state.groups.extractor!.values) : change.extractor;
    const v = (x: Tensor4D, role: 'complete' | 'base' | 'target' | 'class' | 'null', adapter: Adapter | null, row: boolean) => evaluate(x, batch.sigma, role, batch.pictures, adapter, row ? rows : null);
    const complete = v(batch.xSigma, 'complete', toAdapter(layout, state.groups.student!.values), true);
    const reference = recipe.guidanceReference === 'null' ? v(batch.xSigma, 'null', extractor, false) : v(batch.xSigma, 'class', null, false);
    const g = tf.sub(v(change.otherNoise ? other.xSigma : batch.xSigma, 'target', extractor, true), reference);
    const r = tf.sub(complete, v(batch.xSigma, 'base', null, false));
    const sum = (a: tf.Tensor, b: tf.Tensor) => Array.from(tf.sum(tf.mul(a, b), [1, 2, 3]).dataSync());
    const rg = sum(r, g), gg = sum(g, g), rr = sum(r, r);
    return {
      lambda: rg.map((value, i) => Math.min(10, Math.max(0, value / gg[i]!))),
      cosine: rg.map((value, i) => value / Math.sqrt(gg[i]! * rr[i]!)),
      flow: tf.mean(tf.square(tf.sub(complete, batch.target))).dataSync()[0]!,
    };
  }
  const close = (a: readonly number[], b: readonly number[]) => a.every((value, i) => Math.abs(value - b[i]!) < 1e-4);

  it.each(['null', 'class'] as const)('P7, P9: g comes from the extractor with its adapter and rows on, at the same noise as everything else (%s)', async (guidanceReference) => {
    const recipe = tinyRecipe({ guidanceReference, learningRate: 0.05 });
    const { state } = await train(recipe, 4);
    const [step] = (await train(recipe, 1, state)).rows;
    const right = await oracle(recipe, state);
    expect(close(step!.figures.cosine!, right.cosine) && close(step!.figures.lambdaStar!, right.lambda)).toBe(true);
    expect(step!.losses.flow).toBeCloseTo(right.flow, 5);
    expect(close(step!.figures.cosine!, (await oracle(recipe, state, { otherNoise: true })).cosine)).toBe(false);
    // With the extractor's adapter off, as in the released code, it is another g.
    expect(close(step!.figures.cosine!, (await oracle(recipe, state, { extractor: null })).cosine)).toBe(false);
    const perturbed = structuredClone(state);
    perturbed.groups.extractor!.values.forEach((value, i, all) => (all[i] = value + 0.05 * Math.sin(i)));
    expect(close((await train(recipe, 1, perturbed)).rows[0]!.figures.cosine!, step!.figures.cosine!)).toBe(false);
    const rowless = structuredClone(state);
    rowless.groups.rows!.values.fill(0);
    expect(close((await train(recipe, 1, rowless)).rows[0]!.figures.cosine!, step!.figures.cosine!)).toBe(false);
  });

  it('P14: with a frozen original nothing walks back through it; trainable pulls the student on Base', async () => {
    const frozen = method.stages.student.step.branches(tinyRecipe({ anchor: 0 }), [0.5, 0.5]);
    expect(frozen.filter((branch) => branch.trains).map((branch) => branch.name)).toEqual(['complete']);
    expect(frozen.find((branch) => branch.caption === 'base')).toMatchObject({ adapter: null, trains: false });
    const trainable = method.stages.student.step.branches(tinyRecipe({ anchor: 0, originalSource: 'trainable' }), [0.5, 0.5]);
    expect(trainable.find((branch) => branch.caption === 'base')).toMatchObject({ adapter: 'student', trains: true });
    const detached = method.stages.student.step.branches(tinyRecipe({ anchor: 0, originalSource: 'trainable-detached' }), [0.5, 0.5]);
    expect(detached.find((branch) => branch.caption === 'base')).toMatchObject({ adapter: 'student', trains: false });
  });

  it('P11: every row of the concept gets its own gradient, acts from its own block on, and begins as the class word', async () => {
    const { depth, hidden } = base.mmdit.config;
    const start = await initialRows(base, data, 0);
    const { state } = await train(tinyRecipe(), 1);
    for (let l = 0; l < depth; l++) {
      const moved = Array.from(state.groups.rows!.values.subarray(l * hidden, (l + 1) * hidden)).some((value, i) => value !== start[l * hidden + i]);
      expect(moved, `row ${l}`).toBe(true);
    }
    const { pooledWidth } = base.mmdit.config;
    const delta = (await train(tinyRecipe({ pooledDelta: true }), 1)).state.groups.rows!.values.slice(-pooledWidth);
    expect(delta.filter((value) => value !== 0).length, 'the pooled delta starts at 0 and moves').toBeGreaterThan(pooledWidth / 2);
    const words = pickPrompts(data.words.complete, [0]);
    const input = { x: tf.slice(data.latents, 0, 1), sigma: [0.5], context: words.context, pooled: words.pooled };
    const own = (await textStates(base.mmdit, input)).map((y) => tf.reshape<tf.Rank.R2>(tf.slice(y, [0, words.at[0]!, 0], [1, 1, hidden]), [1, hidden]));
    const rows = tf.concat2d(own, 0);
    const before = velocity(base.mmdit, input, null, null).dataSync();
    const same = velocity(base.mmdit, input, null, { rows, at: words.at, pooledDelta: null }).dataSync();
    // Overwriting with the very states the base has: float32 slicing only.
    same.forEach((value, i) => expect(Math.abs(value - before[i]!)).toBeLessThan(1e-5));
    // Row 0 stands before any block: the embedded word itself, whatever the noise.
    expect(close(Array.from(pickRow(start, 0, hidden)), await meanOfWords(hidden))).toBe(true);

    for (let l = 0; l < depth; l++) {
      const zeroed = tf.mul<tf.Tensor2D>(rows, tf.tensor2d(Array.from({ length: depth }, (_, i) => [i === l ? 0 : 1])));
      // The stream as it arrives at each block, before that block's own row is put in.
      const seen = (table: tf.Tensor2D) => {
        const pictures: Float32Array[] = [];
        drain(forwardSteps(base.mmdit, input, null, { rows: table, at: words.at, pooledDelta: null }, { visit: (y) => pictures.push(y.dataSync<'float32'>().slice()) }));
        return pictures;
      };
      const whole = seen(rows), without = seen(zeroed);
      whole.forEach((y, block) => expect(y.every((value, i) => value === without[block]![i]), `row ${l} seen before block ${block}`).toBe(block <= l));
    }
  });

  const pickRow = (values: Float32Array, l: number, hidden: number) => values.subarray(l * hidden, (l + 1) * hidden);
  /** Mean over the pictures of the embedded word at [V]. */
  async function meanOfWords(hidden: number): Promise<number[]> {
    const words = data.words.complete;
    const x = tf.zeros<tf.Rank.R4>([data.pictures, 4, 4, 4]);
    const [first] = await textStates(base.mmdit, { x, sigma: new Array<number>(data.pictures).fill(1), context: words.context, pooled: words.pooled });
    return Array.from(tf.mean(tf.slice(first!, [0, words.at[0]!, 0], [data.pictures, 1, hidden]), [0, 1]).dataSync());
  }
});
