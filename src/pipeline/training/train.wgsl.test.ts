/** The trainer on WebGPU, where parameters and moments stay on the device: against plain JavaScript, resumed, and across backends. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as tf from '../../engine/tf';
import { methods } from '../../methods';
import { disposeMmdit } from '../../models/mmdit';
import { useBackend, useWebgpu } from '../../testing/backend';
import { relativeError } from '../../testing/kernels/suite';
import { tinyBase, tinyDataset, tinyRecipe } from '../../testing/tiny';
import type { FlowBase } from '../base';
import type { Moments, TrainState } from './checkpoint';
import { disposeConcept } from '../concept';
import { disposeDataset, type Dataset } from './dataset';
import type { Recipe } from '../../protocol/recipe';
import { createTrainer, type Trainer, type TrainerStep } from './train';

const recipe = tinyRecipe({ pooledDelta: true });
/** Measured on SwiftShader: at most 4e-7. Room for adapters whose exponentials are less exact. */
const TOLERANCE = 5e-5;
let base: FlowBase;
let data: Dataset;
interface Run { state: TrainState; rows: TrainerStep[] }
let onCpu: Run;
/** On WebGPU, without a stop; `states` after each step. */
let straight: Run & { states: TrainState[] };

const trainerOf = (state?: unknown, given: Recipe = recipe): Promise<Trainer> => createTrainer({ base, method: methods.purecc, recipe: given, dataset: data, state });

async function run(trainer: Trainer, count = Infinity): Promise<TrainerStep[]> {
  const rows: TrainerStep[] = [];
  for await (const row of trainer.steps()) if (rows.push(row) >= count) break;
  return rows;
}

async function train(count = Infinity, state?: unknown): Promise<Run> {
  const trainer = await trainerOf(state);
  const rows = await run(trainer, count);
  const exported = await trainer.exportState();
  trainer.dispose();
  return { state: exported, rows };
}

async function open(): Promise<void> {
  base = await tinyBase();
  data = tinyDataset();
}
function close(): void {
  disposeDataset(data);
  disposeMmdit(base.mmdit);
}

/** Largest difference of each group's values, relative to the largest of them. */
function errors(got: TrainState, want: TrainState): Record<string, number> {
  const of = (a: Moments, b: Moments) => relativeError(a.values, b.values);
  return { extractor: of(got.groups.extractor!, want.groups.extractor!), student: of(got.groups.student!, want.groups.student!), rows: of(got.groups.rows!, want.groups.rows!) };
}

beforeAll(async () => {
  await useBackend('cpu');
  await open();
  onCpu = await train();
  close();
  await useWebgpu();
  await open();
}, 60_000);
afterAll(close);

describe('a run on WebGPU', () => {
  it('ends where plain JavaScript ends, step by step', async () => {
    const trainer = await trainerOf();
    const [rows, states]: [TrainerStep[], TrainState[]] = [[], []];
    for await (const row of trainer.steps()) {
      rows.push(row);
      states.push(await trainer.exportState());
    }
    trainer.dispose();
    straight = { rows, states, state: states.at(-1)! };
    rows.forEach((row, i) => {
      const want = onCpu.rows[i]!;
      // float32 forward and backward, summed in another order
      for (const name of Object.keys(want.losses)) expect(Math.abs(row.losses[name]! - want.losses[name]!) / want.losses.total!, `${name} of step ${row.step}`).toBeLessThan(TOLERANCE);
      expect(Math.abs(row.gradientNorm / want.gradientNorm - 1), `norm of step ${row.step}`).toBeLessThan(TOLERANCE);
      expect(relativeError([...(row.figures.lambdaStar ?? []), ...(row.figures.cosine ?? []), 1], [...(want.figures.lambdaStar ?? []), ...(want.figures.cosine ?? []), 1]), `λ* and cosine of step ${row.step}`).toBeLessThan(TOLERANCE);
    });
    for (const [group, error] of Object.entries(errors(straight.state, onCpu.state))) expect(error, group).toBeLessThan(TOLERANCE);
  });

  it.each([3, 6])('resumed after step %i it ends bit-identical', async (step) => {
    const { state, rows } = await train(Infinity, structuredClone(straight.states[step - 1]));
    expect(state).toEqual(straight.state);
    expect(rows.map(({ losses }) => losses)).toEqual(straight.rows.slice(step).map(({ losses }) => losses));
  });

  it('reads back once a step, keeps as many tensors, and leaves none', async () => {
    const before = tf.memory().numTensors;
    const trainer = await trainerOf(null, { ...recipe, stage1Steps: 3, stage2Steps: 2 });
    const backend = tf.backend() as unknown as { getBufferData: (buffer: unknown) => Promise<unknown>; readSync: () => unknown };
    const [reads, blocking] = [vi.spyOn(backend, 'getBufferData'), vi.spyOn(backend, 'readSync')];
    const held: Record<string, number> = {};
    for await (const { step, stage } of trainer.steps()) {
      expect(reads).toHaveBeenCalledTimes(step);
      const { numTensors } = tf.memory();
      // the step that ends stage 1 already makes the student
      if (step !== 3) expect(numTensors).toBe((held[stage] ??= numTensors));
    }
    expect(blocking).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    disposeConcept(trainer.concept());
    trainer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('a state asked for during a step is that before it or after it, whole', async () => {
    const trainer = await trainerOf(straight.states[0]);
    const asked: Promise<TrainState>[] = [];
    let done = false;
    const step = run(trainer, 1).then(() => { done = true; });
    while (!done) {
      asked.push(trainer.exportState());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await step;
    asked.push(trainer.exportState());
    const found = await Promise.all(asked);
    for (const state of found) expect(state).toEqual(straight.states[state.step - 1]);
    expect(new Set(found.map((state) => state.step))).toEqual(new Set([1, 2]));
    trainer.dispose();
  });

  it('a concept lent out keeps its numbers while learning goes on', async () => {
    const trainer = await trainerOf(straight.states[1]);
    const concept = trainer.concept();
    const name = Object.keys(concept.adapters.extractor!)[0]!;
    const lent = concept.adapters.extractor![name]!.a;
    const after = tf.tidy(() => tf.mul(lent, 1));
    await run(trainer, 1);
    expect(await lent.data()).toEqual(await after.data());
    const now = trainer.concept();
    expect(await now.adapters.extractor![name]!.a.data()).not.toEqual(await after.data());
    [concept, now].forEach(disposeConcept);
    after.dispose();
    trainer.dispose();
  });

  it('N5: what is not finite is named, and the state before it is kept', async () => {
    const poisoned = structuredClone(straight.states[1]!);
    poisoned.groups.extractor!.values.fill(1e30);
    const trainer = await trainerOf(poisoned);
    await expect(run(trainer)).rejects.toMatchObject({ code: 'not-finite', message: expect.stringMatching(/velocity of complete at step 3/) });
    expect(await trainer.exportState()).toEqual(poisoned);
    trainer.dispose();
  });

  it('goes on elsewhere, and back: a state is the same numbers on every backend', async () => {
    close();
    await useBackend('wasm');
    await open();
    const there = await train(Infinity, straight.states[4]);
    const early = await train(5);
    close();
    await useWebgpu();
    await open();
    const back = await train(Infinity, early.state);
    for (const state of [there.state, back.state]) for (const [group, error] of Object.entries(errors(state, onCpu.state))) expect(error, group).toBeLessThan(TOLERANCE);
  });
});
