import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { methods } from '../../methods';
import { lossesOf } from '../../methods/pulid';
import { identityLoss } from '../../methods/pulid/loss';
import { velocity, velocityFeatures, type Adapter, type VelocityGradients } from '../../models/mmdit';
import { injectionSites } from '../../models/mmdit';
import { defaultRecipe, type RecipeOf } from '../../protocol/recipe';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { tinyBase, tinyDataset } from '../../testing/tiny';
import { tinyReferences, tinySight } from '../../testing/tinySight';
import type { FlowBase } from '../base';
import { eulerSigmas } from '../flow';
import { initLora, loraLayout, toAdapter } from '../lora';
import { normal } from '../random';
import { disposeDataset, type Dataset } from './dataset';
import { createTrainer } from './train';
import { walkGradients, type Sight, type Walking } from './trajectory';
import { otherReferences } from './trajectoryStep';

type Recipe = RecipeOf<'pulid'>;
const recipeOf = (change: Partial<Recipe> = {}): Recipe => ({ ...defaultRecipe(undefined, undefined, 'pulid'), classWord: 'woman', rank: 2, learningRate: 1e-2, batchSize: 2, walkSteps: 3, window: 2, likenessSteps: 2, identitySteps: 2, alignmentSteps: 2, ...change });
const between = async () => {};
const scalar = (x: tf.Tensor) => x.dataSync()[0]!;
const bits = (x: tf.Tensor) => x.dataSync();
const size = (sites: VelocityGradients['sites']) => Math.sqrt(Object.values(sites).reduce((sum, { a, b }) => sum + scalar(tf.add(tf.sum(tf.square(a)), tf.sum(tf.square(b)))), 0));

let base: FlowBase;
let sight: Sight;
let dataset: Dataset & { words: Required<Dataset['words']> };
let pairs: Adapter;

beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  sight = await tinySight();
  dataset = { ...tinyDataset(), references: tinyReferences() };
  const layout = loraLayout(injectionSites(sight.adapter.cross), 2);
  pairs = toAdapter(layout, Float32Array.from(initLora(layout, { seed: 3, purpose: 'test', step: 0 }), (value, i) => value + 0.2 * Math.sin(i)));
});

function walkingOf(change: Partial<Walking> & { recipe?: Partial<Recipe>; stage?: 'identity' | 'alignment' } = {}): Walking {
  const { recipe, stage = 'alignment', ...rest } = change;
  const given = recipeOf(recipe);
  const step = methods.pulid.stages[stage].step as unknown as { walk(recipe: Recipe, chances: readonly [number, number]): Walking['walk'] };
  const noise = tf.tensor4d(normal([2, 4, 4, 4], { seed: 5, purpose: 'test', step: 9 }), [2, 4, 4, 4]);
  const words = { context: tf.slice(dataset.words.scene.context, [0, 0, 0], [2, -1, -1]), pooled: tf.slice(dataset.words.scene.pooled, [0, 0], [2, -1]), at: [-1, -1] };
  return {
    model: base.mmdit, shift: base.shift, sight, noise, words, tokens: tf.slice(dataset.references!.tokens, [0, 0, 0], [2, -1, -1]), wanted: tf.slice(dataset.references!.vectors, [0, 0], [2, -1]),
    pairs, walk: step.walk(given, [0.5, 0.5]), losses: { ...lossesOf(stage, given), ...{ flow: undefined } } as Walking['losses'], recompute: false, between, ...rest,
  };
}

/** The weighted sum of the losses of a walk. */
async function total(walking: Walking): Promise<number> {
  const { terms } = await walkGradients(walking);
  return Object.values(terms).reduce((sum, { perSample, weight }) => sum + weight * scalar(tf.mean(perSample)), 0);
}

describe('a walk', () => {
  it.each(['paper-l2', 'mse'] as const)('has the gradient of its losses, through attention, sampler and decoder (%s)', async (reduction) => {
    const walking = walkingOf({ recipe: { window: 3, reduction, semWeight: 2, layoutWeight: 0.7, identityWeight: 1.5 } });
    const { sites, terms } = await walkGradients(walking);
    expect(Object.keys(terms).sort()).toEqual(['identity', 'layout', 'sem']);
    expect(Object.keys(sites).sort()).toEqual(Object.keys(pairs).sort());
    for (const [name, part] of [['cross.0.to_q', 'a'], ['cross.0.to_kv', 'b'], ['cross.2.to_out', 'b']] as const) {
      const by = tf.tensor(normal([pairs[name]!.a.size + pairs[name]!.b.size], { seed: 1, purpose: 'test', step: 3 }).slice(0, pairs[name]![part].size), pairs[name]![part].shape);
      const value = (step: number) => total({ ...walking, pairs: { ...pairs, [name]: { ...pairs[name]!, [part]: tf.add(pairs[name]![part], tf.mul(by, step)) } } });
      const central = async (step: number) => ((await value(step)) - (await value(-step))) / (2 * step);
      const wanted = (4 * (await central(4e-3)) - (await central(8e-3))) / 3;
      const found = scalar(tf.sum(tf.mul(sites[name]![part], by)));
      expect(Math.abs(wanted), name).toBeGreaterThan(1e-3);
      expect(Math.abs(found - wanted), name).toBeLessThan(2e-2 * Math.max(0.05, Math.abs(wanted)));
    }
  });

  // I2
  it('takes both paths from the same noise under the same words, and the one without is the base’s to the bit', async () => {
    const seen: { q: Float32Array[]; withQ: Float32Array[] }[] = [];
    const walking = walkingOf();
    const losses = { ...walking.losses, alignment: { ...walking.losses.alignment!, loss: (...[withId, without]: Parameters<NonNullable<Walking['losses']['alignment']>['loss']>) => {
      seen.push({ q: without.map(({ q }) => bits(q) as Float32Array), withQ: withId.map((q) => bits(q) as Float32Array) });
      return walking.losses.alignment!.loss(withId, without);
    } } };
    await walkGradients({ ...walking, losses });
    let x = walking.noise;
    const sigmas = eulerSigmas(3, base.shift);
    for (const [k, { q }] of seen.entries()) {
      const input = { x, sigma: [sigmas[k]!, sigmas[k]!], context: walking.words.context, pooled: walking.words.pooled };
      const { velocity: v, features } = await velocityFeatures(base.mmdit, input, null, null, between);
      expect(q).toEqual(features.map((each) => bits(each.q)));
      expect(bits(v)).toEqual(bits(velocity(base.mmdit, input, null, null)));
      x = tf.add(x, tf.mul(v, sigmas[k + 1]! - sigmas[k]!));
    }
    expect(seen).toHaveLength(3);
    // before the first injection has acted, both have seen the very same
    expect(seen[0]!.withQ[0]).toEqual(seen[0]!.q[0]);
    expect(seen[0]!.withQ[1]).not.toEqual(seen[0]!.q[1]);
    expect(seen[1]!.withQ[0]).not.toEqual(seen[1]!.q[0]);
  });

  // I4
  it('has a gradient of L_id in what trains, unless no step is differentiated', async () => {
    const only = (window: number) => walkGradients(walkingOf({ stage: 'identity', recipe: { window } }));
    const [none, one] = [await only(0), await only(1)];
    expect(size(one.sites)).toBeGreaterThan(1e-3);
    expect(none.sites).toEqual({});
    expect(scalar(tf.mean(none.terms.identity!.perSample))).toBeCloseTo(scalar(tf.mean(one.terms.identity!.perSample)), 6);
    expect(bits(one.figures.likeness!)[1]).toBeCloseTo(1 - bits(one.terms.identity!.perSample)[1]!, 6);
  });

  // I5
  it('gives steps before the window nothing of what follows', async () => {
    // pairs that act at the first step alone have no gradient where only the last two are differentiated
    const walking = walkingOf({ stage: 'identity', recipe: { walkSteps: 3, window: 2 } });
    const sigmas = eulerSigmas(3, base.shift);
    const first = { x: walking.noise, sigma: [1, 1], context: walking.words.context, pooled: walking.words.pooled, injection: { weights: sight.adapter.cross, tokens: walking.tokens, weight: 1 } };
    const after = tf.add<tf.Tensor4D>(walking.noise, tf.mul(velocity(base.mmdit, first, pairs, null), sigmas[1]! - sigmas[0]!));
    const whole = await walkGradients(walking);
    // the two last steps alone, begun where the first has led
    const found = await walkGradients({ ...walking, walk: { steps: 3, window: 3, aligned: [] } });
    expect(size(found.sites)).not.toBeCloseTo(size(whole.sites), 5);
    const value = async (given: Adapter) => {
      let x = after;
      for (const k of [1, 2]) {
        const v = velocity(base.mmdit, { ...first, x, sigma: [sigmas[k]!, sigmas[k]!] }, given, null);
        x = tf.add(x, tf.mul(v, sigmas[k + 1]! - sigmas[k]!));
      }
      const drawn = await sight.autoencoder.decode(x);
      return scalar(tf.mean(identityLoss((await sight.look(drawn, between)).vectors, walking.wanted).perSample));
    };
    const name = 'cross.0.to_kv';
    const by = tf.tensor(normal([pairs[name]!.b.size], { seed: 1, purpose: 'test', step: 3 }), pairs[name]!.b.shape);
    const at = (step: number) => value({ ...pairs, [name]: { ...pairs[name]!, b: tf.add(pairs[name]!.b, tf.mul(by, step)) } });
    const central = async (step: number) => ((await at(step)) - (await at(-step))) / (2 * step);
    const wanted = (4 * (await central(4e-3)) - (await central(8e-3))) / 3;
    expect(Math.abs(scalar(tf.sum(tf.mul(whole.sites[name]!.b, by))) - wanted)).toBeLessThan(2e-2 * Math.max(0.05, Math.abs(wanted)));
  });

  it('cuts what follows there also where the step is compared', async () => {
    const walking = walkingOf({ recipe: { window: 2 } });
    const silent: NonNullable<Walking['losses']['alignment']> = { ...walking.losses.alignment!, loss: (withId, without) => {
      const { terms, gradients } = walking.losses.alignment!.loss(withId, without);
      return { terms, gradients: gradients.map((gradient) => tf.zerosLike(gradient)) };
    } };
    const [alone, beside] = [await walkGradients(walkingOf({ stage: 'identity', recipe: { window: 2 } })), await walkGradients({ ...walking, losses: { ...walking.losses, alignment: silent } })];
    for (const name of Object.keys(pairs)) expect(scalar(tf.max(tf.abs(tf.sub(beside.sites[name]!.b, alone.sites[name]!.b))))).toBeLessThan(1e-6);
  });

  // I1
  it('has L_align 0 exactly where nothing is injected', async () => {
    const none = await walkGradients(walkingOf({ tokens: tf.zeros([2, 0, 8]) }));
    for (const name of ['sem', 'layout']) expect([...bits(none.terms[name]!.perSample)]).toEqual([0, 0]);
    expect(size(none.sites)).toBe(0);
    const some = await walkGradients(walkingOf());
    for (const name of ['sem', 'layout']) expect(Math.min(...bits(some.terms[name]!.perSample))).toBeGreaterThan(1e-6);
  });

  it('takes a few-step student along on both paths, and gives it no gradient', async () => {
    const student = { 'transformer_blocks.1.attn.to_q': { a: tf.ones<tf.Rank.R2>([16, 2]), b: tf.fill<tf.Rank.R2>([2, 16], 0.1), scale: 1 } };
    const [plain, led] = [await walkGradients(walkingOf()), await walkGradients(walkingOf({ sight: { ...sight, student } }))];
    expect(Object.keys(led.sites).sort()).toEqual(Object.keys(pairs).sort());
    expect(bits(led.terms.identity!.perSample)).not.toEqual(bits(plain.terms.identity!.perSample));
    const none = await walkGradients(walkingOf({ sight: { ...sight, student }, tokens: tf.zeros([2, 0, 8]) }));
    expect([...bits(none.terms.layout!.perSample)]).toEqual([0, 0]);
  });

  it('leaves nothing behind, finished or broken off anywhere', async () => {
    const walking = walkingOf();
    const round = async (stop: number) => {
      let gaps = 0;
      const walked = await walkGradients({ ...walking, between: async () => { if (++gaps === stop) throw new Error('stop'); } }).catch(() => null);
      if (walked) tf.dispose([...Object.values(walked.terms).map(({ perSample }) => perSample), ...Object.values(walked.figures), ...Object.values(walked.sites).flatMap(({ a, b }) => [a, b])]);
      return walked !== null;
    };
    await round(-1); // makes the kept transposes
    await expectNoLeak(() => round(-1));
    for (const stop of [1, 4, 8, 11, 14, 17, 20, 23, 26]) await expectNoLeak(() => round(stop));
    let stop = 20;
    while (!(await round(++stop))) await expectNoLeak(() => round(stop));
    expect(stop).toBeGreaterThan(24);
  });
});

describe('the trainer with PuLID', () => {
  const start = (change: Partial<Recipe> = {}, state?: unknown) => createTrainer({ base, method: methods.pulid, recipe: recipeOf(change), dataset, sight, state });

  // I7
  it('turns on each stage’s terms, and changes nothing but its own pairs', async () => {
    const frozen = () => [...sight.adapter.cross.blocks.values()].flatMap(({ q, kv, out }) => [q, kv, out]).concat(base.mmdit.blocks.flatMap(({ x }) => [x.attention.q, x.attention.v])).map(({ weight }) => bits(weight!).slice());
    const before = frozen();
    const trainer = await start();
    const seen: Record<string, Set<string>> = {};
    for await (const { stage, losses, figures } of trainer.steps()) {
      const { total: _, ...terms } = losses;
      (seen[stage] ??= new Set()).add(Object.keys(terms).sort().join());
      expect('likeness' in figures).toBe(stage !== 'likeness');
    }
    expect(Object.fromEntries(Object.entries(seen).map(([stage, terms]) => [stage, [...terms]]))).toEqual({ likeness: ['flow'], identity: ['flow,identity'], alignment: ['flow,identity,layout,sem'] });
    expect(frozen()).toEqual(before);
    expect(Object.keys((await trainer.exportState()).groups)).toEqual(['injection']);
    trainer.dispose();
  });

  it('moves the picture towards the person, and the paths towards each other', async () => {
    const run = async (change: Partial<Recipe>) => {
      const trainer = await start({ likenessSteps: 0, alignmentSteps: 0, identitySteps: 0, learningRate: 3e-2, ...change });
      const rows: Record<string, number>[] = [];
      for await (const { losses } of trainer.steps()) rows.push(losses);
      trainer.dispose();
      const mean = (part: Record<string, number>[], name: string) => part.reduce((sum, row) => sum + row[name]!, 0) / part.length;
      return (name: string) => [mean(rows.slice(0, 8), name), mean(rows.slice(-8), name)] as const;
    };
    const [begun, ended] = (await run({ identitySteps: 24 }))('identity');
    expect(ended).toBeLessThan(begun - 0.05);
    const aligned = await run({ alignmentSteps: 24, identityWeight: 0, semWeight: 50, layoutWeight: 50 });
    for (const name of ['sem', 'layout']) {
      const [first, last] = aligned(name);
      expect(last).toBeLessThan(0.9 * first);
    }
  });

  it.each([1, 3, 5])('goes on from a checkpoint after step %s to the very same end, and leaks nothing', async (at) => {
    const straight = await start();
    let state: unknown;
    for await (const { step } of straight.steps()) if (step === at) state = structuredClone(await straight.exportState());
    const end = await straight.exportState();
    straight.dispose();
    await expectNoLeak(async () => {
      const resumed = await start({}, state);
      for await (const { step } of resumed.steps()) expect(step).toBeGreaterThan(at);
      expect(await resumed.exportState()).toEqual(end);
      resumed.dispose();
    });
  });

  // I6
  it('draws L_id’s pictures from pure noise: they don’t depend on the pictures of the set', async () => {
    const first = async (latents: tf.Tensor4D) => {
      const trainer = await createTrainer({ base, method: methods.pulid, recipe: recipeOf({ likenessSteps: 0 }), dataset: { ...dataset, latents }, sight });
      const { value } = await trainer.steps().next();
      trainer.dispose();
      return value!.losses;
    };
    const [plain, other] = [await first(dataset.latents), await first(tf.mul(dataset.latents, -2))];
    expect(other.identity).toBe(plain.identity);
    expect(other.flow).not.toBe(plain.flow);
  });
});

it('shows a picture’s noised point another reference than itself, where there are several', () => {
  for (let step = 0; step < 200; step++) {
    const pictures = [0, 1, 2, 5];
    otherReferences(pictures, 3, step, 4).forEach((row, i) => expect(row === pictures[i]! % 3 || row < 0 || row > 2).toBe(false));
  }
  expect(otherReferences([0, 0], 1, 7, 4)).toEqual([0, 0]);
  expect(new Set(Array.from({ length: 50 }, (_, step) => otherReferences([0], 3, step, 4)[0])).size).toBe(2);
});

it('frees what it was made with', () => disposeDataset(dataset));
