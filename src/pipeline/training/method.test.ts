/**
 * The trainer with a method it has never heard of: a null-text specialist (GCFG), one stage, one adapter, flow loss under the
 * empty prompt, no captions and no concept rows. And the records of earlier versions.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { weightedLoss } from '../../engine/kernels/weightedLoss';
import * as tf from '../../engine/tf';
import { methodOf, methods } from '../../methods';
import type { MethodId } from '../../methods/metas';
import { number } from '../../methods/fields';
import type { Method } from '../../methods/method';
import { parseRecipe, defaultRecipe, type Recipe } from '../../protocol/recipe';
import { readStepMetrics } from '../../protocol/run';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { tinyBase, tinyDataset, tinyRecipe } from '../../testing/tiny';
import type { FlowBase } from '../base';
import { disposeConcept, resultOf } from '../concept';
import { disposeDataset, type Dataset } from './dataset';
import { createTrainer } from './train';

interface SpecialistRecipe { steps: number; rank: number; seed: number; batchSize: number }

const specialist: Method<SpecialistRecipe> = {
  meta: {
    name: 'Specialist', fields: { steps: number({ default: 3, min: 1, max: 10, label: '', group: '', why: '' }) }, presets: { plain: { label: '', why: '', values: {} } },
    stages: [{ id: 'specialise', label: '', term: '', steps: 'steps', cost: 1 }], losses: [{ name: 'flow', label: '', term: '' }], figures: [], unit: null, pictures: { least: 1, most: 20, captioned: false },
  },
  captions: ['null'],
  groups: ({ rank }) => ({ specialist: { kind: 'adapter', rank, sites: 'attention', start: { from: 'noise', stream: 40 }, optimizer: { learningRate: 1e-2, schedule: { shape: 'constant', part: 0 }, weightDecay: 0, clip: null } } }),
  stages: {
    specialise: {
      trains: ['specialist'],
      step: {
        kind: 'point',
        branches: () => [{ name: 'plain', caption: 'null', adapter: 'specialist', rows: null, trains: true }],
        loss({ target, velocities }) {
          const { means: [flow], gradient } = weightedLoss([{ left: velocities.plain!, right: target, weight: 1 }]);
          return { terms: { flow: { perSample: flow!, weight: 1 } }, figures: {}, gradients: { plain: gradient } };
        },
      },
      result: () => ({ adapter: 'specialist', rows: null }),
    },
  },
};
const recipe = { steps: 6, rank: 2, seed: 3, batchSize: 2 };

let base: FlowBase;
beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
});

/** Pictures without a caption. */
const bare = (): Dataset => {
  const { latents, pictures, words: { null: empty, ...others } } = tinyDataset();
  tf.dispose(Object.values(others).flatMap(({ context, pooled }) => [context, pooled]));
  return { latents, pictures, unshifted: pictures, words: { null: empty } };
};
const trainerOf = (dataset: Dataset, state?: unknown) => createTrainer({ base, method: specialist as unknown as Method, recipe: recipe as unknown as Recipe, dataset, state });

describe('a method of one stage without captions', () => {
  it('learns, resumes bit for bit, and has one group, one result and no rows', async () => {
    const dataset = bare();
    const first = await trainerOf(dataset);
    // what the base keeps from its first way back on (transposed weights) counts for nobody
    await first.steps().next();
    first.dispose();
    await expectNoLeak(() => learn(dataset));
    disposeDataset(dataset);
  });

  async function learn(dataset: Dataset): Promise<void> {
    const straight = await trainerOf(dataset);
    const losses: number[] = [];
    let half: unknown;
    for await (const { step, losses: { flow }, stage, lambda, figures } of straight.steps()) {
      losses.push(flow!);
      expect({ stage, lambda, figures }).toEqual({ stage: 'specialise', lambda: 1, figures: {} });
      if (step === 3) half = structuredClone(await straight.exportState());
    }
    const end = await straight.exportState();
    expect(Object.keys(end.groups)).toEqual(['specialist']);
    expect(losses).toHaveLength(6);
    const resumed = await trainerOf(dataset, half);
    for await (const { step } of resumed.steps()) expect(step).toBeGreaterThan(3);
    expect(await resumed.exportState()).toEqual(end);
    const concept = resumed.concept();
    expect({ ...resultOf(concept), adapter: null, learned: concept.learned }).toEqual({ adapter: null, rows: null, learned: true });
    expect(Object.keys(resultOf(concept).adapter!).length).toBeGreaterThan(10);
    disposeConcept(concept);
    straight.dispose();
    resumed.dispose();
  }
});

describe('what the first version stored', () => {
  it.each([2, 6])('a checkpoint after step %s goes on to the same end', async (step) => {
    const dataset = tinyDataset();
    const options = { base, method: methods.purecc, recipe: tinyRecipe(), dataset };
    const straight = await createTrainer(options);
    let old: unknown;
    for await (const row of straight.steps()) {
      if (row.step !== step) continue;
      const { random, stage, groups: { extractor, student = null, rows }, units } = structuredClone(await straight.exportState());
      old = { version: 1, random, stage, step, extractor, student, rows, lambdas: units };
    }
    const resumed = await createTrainer({ ...options, state: old });
    for await (const row of resumed.steps()) expect(row.step).toBeGreaterThan(step);
    expect(await resumed.exportState()).toEqual(await straight.exportState());
    straight.dispose();
    resumed.dispose();
    disposeDataset(dataset);
  });

  it('a recipe is read, what it does not name at its default', () => {
    const { version, method, base: id, kind, classWord, eta } = defaultRecipe();
    expect(parseRecipe({ version, method, base: id, kind, classWord, eta })).toEqual(defaultRecipe());
    expect(parseRecipe({ studentRows: true })).toMatchObject({ studentRows: 'on' });
    expect(parseRecipe({ studentRows: false })).toMatchObject({ studentRows: 'off' });
    expect(() => parseRecipe({ studentRows: 'sometimes' })).toThrow(/must be one of on, off, mixed/);
  });

  it('rows of metrics have their figures under their names', () => {
    const row = { runId: 'r', step: 5, stage: 'student', losses: { flow: 1 }, sigma: [0.5], lambdaStar: [0.3], cosine: [0.2], gradientNorm: 1, floorHits: 0, stepMs: 4 };
    const { lambdaStar, cosine, floorHits: _, ...rest } = row;
    expect(readStepMetrics(row)).toEqual({ ...rest, figures: { lambdaStar, cosine } });
    expect(readStepMetrics({ ...row, lambdaStar: [], cosine: [] }).figures).toEqual({});
    const today = { ...rest, figures: { other: [1] } };
    expect(readStepMetrics(today)).toEqual(today);
  });
});

it('no two purposes or adapters draw from the same stream of random numbers', async () => {
  const { purposes } = await import('../random');
  const streams = (Object.keys(methods) as MethodId[]).flatMap((id) => Object.values(methodOf({ method: id }).groups(defaultRecipe(undefined, undefined, id))).flatMap((group) => (group.kind === 'injection' ? [group.stream] : group.kind === 'adapter' && group.start.from === 'noise' ? [group.start.stream] : [])));
  const all = [...streams, ...Object.values(purposes)];
  expect(new Set(all).size).toBe(all.length);
});
