/**
 * The trainer: one async generator, one yield per optimizer step. It knows no method by name: a stage declares the
 * evaluations it needs and turns their velocities into gradients (trainingStep.ts); here are stages, optimizer and state.
 * Deterministic: random numbers are keyed by (seed, purpose, step), so a run resumed from exportState() ends with the very
 * weights of one that never stopped. A step either happens completely or, on a Fault, not at all.
 */
import * as tf from '../engine/tf';
import { invariant } from '../engine/invariant';
import type { Method } from '../methods/method';
import { loraSites, type Adapter, type Between } from '../models/mmdit';
import type { StepMetrics } from '../protocol/messages';
import type { Recipe } from '../protocol/recipe';
import type { FlowBase } from './base';
import { copyMoments, freshMoments, readTrainState, TRAIN_STATE_VERSION, type TrainState } from './checkpoint';
import { cloneRows, disposeRows, type LearnedConcept, type RowTensors } from './concept';
import type { Dataset } from './dataset';
import { readGradients } from './gradients';
import { cloneAdapter, disposeAdapter, initLora, loraLayout, toAdapter } from './lora';
import { adamW, clipFactor, globalNorm } from './optimizer';
import { RANDOM_VERSION } from './random';
import { initialRows } from './rowInit';
import { drawBatch, stepGradients } from './trainingStep';

/** Steps over which the running median of λ* is taken. */
const LAMBDA_WINDOW = 50;

export type TrainerStep = Omit<StepMetrics, 'runId'> & {
  totalSteps: number;
  /** Running median of λ*; 1 before stage 2. */
  lambda: number;
  /** Per sample, stage 2: |r|/|g| and rms of g. */
  offsetRatio: number[];
  guidanceRms: number[];
};

export interface Trainer {
  readonly totalSteps: number;
  /** Optimizer steps done, both stages counted. */
  readonly step: number;
  readonly stage: 'extractor' | 'student' | 'finished';
  readonly lambda: number;
  /** One yield per step; ends after the last, or at the next step boundary once the signal fires (call again to go on). */
  steps(signal?: AbortSignal): AsyncGenerator<TrainerStep>;
  /** A copy of the state after the last completed step. */
  exportState(): Promise<TrainState>;
  /** What is learned so far, under handles of its own (no numbers copied). `final`: as if learning ended now. The caller disposes (disposeConcept). */
  concept(options?: { final?: boolean }): LearnedConcept;
  dispose(): void;
}

export interface TrainerOptions {
  base: FlowBase;
  method: Method;
  recipe: Recipe;
  dataset: Dataset;
  /** What exportState gave; anything else is refused by Fault `run-missing`. */
  state?: unknown;
  /** Awaited between blocks of the transformer, so that drafts and messages get their turn. */
  between?: Between;
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

export async function createTrainer({ base, method, recipe, dataset, state: given, between = async () => {} }: TrainerOptions): Promise<Trainer> {
  const layout = loraLayout(loraSites(base.mmdit), recipe.rank);
  const { hidden, depth, pooledWidth } = base.mmdit.config;
  const rowNumbers = depth * hidden;
  const deltaNumbers = recipe.pooledDelta ? pooledWidth : 0;
  const totalSteps = recipe.stage1Steps + recipe.stage2Steps;
  const fresh = (purpose: 'extractorInit' | 'studentInit') => freshMoments(initLora(layout, { seed: recipe.seed, purpose, step: 0 }));

  async function freshState(): Promise<TrainState> {
    const rows = new Float32Array(rowNumbers + deltaNumbers);
    rows.set(await initialRows(base, dataset, recipe.seed));
    return { version: TRAIN_STATE_VERSION, random: RANDOM_VERSION, stage: 'extractor', step: 0, extractor: fresh('extractorInit'), student: null, rows: freshMoments(rows), lambdas: [] };
  }
  const sizes = { adapter: layout.size, rows: rowNumbers + deltaNumbers, stage1Steps: recipe.stage1Steps, totalSteps };
  const state = given === undefined || given === null ? await freshState() : readTrainState(given, sizes);

  const makeRows = (values: Float32Array): RowTensors => ({
    rows: tf.tensor2d(values.slice(0, rowNumbers), [depth, hidden]),
    pooledDelta: deltaNumbers ? tf.tensor1d(values.slice(rowNumbers)) : null,
  });
  let extractor = toAdapter(layout, state.extractor.values);
  let student: Adapter | null = state.student && toAdapter(layout, state.student.values);
  let rows = makeRows(state.rows.values);

  const finished = () => state.step >= totalSteps;
  const lambda = () => (state.lambdas.length ? median(state.lambdas) : 1);

  /** One optimizer step; on a Fault nothing has changed. */
  async function advance(): Promise<TrainerStep> {
    const started = performance.now();
    const stage = method.stages.find(({ id }) => id === state.stage);
    invariant(stage, `the method has no stage “${state.stage}”`);
    const number = state.step + 1;
    const batch = drawBatch(dataset, recipe, base.shift, state.step);
    try {
      const weights = { adapters: { none: null, extractor, student }, rows };
      const { parts, gradients } = await stepGradients({ base, dataset, stage, recipe, batch, weights, step: number, between });
      const found = await readGradients(layout, gradients, deltaNumbers, number);

      const norm = globalNorm(found.adapter);
      const group = state.stage === 'extractor' ? state.extractor : state.student!;
      const stageStep = state.stage === 'extractor' ? number : number - recipe.stage1Steps;
      adamW(group, found.adapter, { learningRate: recipe.learningRate, weightDecay: recipe.weightDecay, step: stageStep, scale: clipFactor(norm, recipe.gradientClip) });
      if (stage.trains.rows && found.rows) {
        adamW(state.rows, found.rows, { learningRate: recipe.rowLearningRate, weightDecay: 0, step: stageStep, scale: 1 });
        disposeRows(rows);
        rows = makeRows(state.rows.values);
      }
      replace(toAdapter(layout, group.values));

      const { lambdaStar = [], cosine = [], offsetRatio = [], guidanceRms = [], floorHit = [] } = parts.perSample;
      state.lambdas = [...state.lambdas, ...lambdaStar].slice(-LAMBDA_WINDOW * recipe.batchSize);
      const at = state.stage;
      state.step = number;
      if (number === recipe.stage1Steps && totalSteps > number) beginStudent();
      return {
        step: number, stage: at, losses: parts.losses, sigma: batch.sigma, lambdaStar, cosine, offsetRatio, guidanceRms,
        gradientNorm: norm, floorHits: floorHit.reduce((sum, hit) => sum + hit, 0), stepMs: performance.now() - started, totalSteps, lambda: lambda(),
      };
    } finally {
      tf.dispose([batch.xSigma, batch.target]);
    }
  }

  function replace(adapter: Adapter): void {
    disposeAdapter(state.stage === 'extractor' ? extractor : student);
    if (state.stage === 'extractor') extractor = adapter;
    else student = adapter;
  }

  /** Stage 2 starts from a fresh adapter with fresh moments, not from the extractor. */
  function beginStudent(): void {
    state.stage = 'student';
    state.student = fresh('studentInit');
    student = toAdapter(layout, state.student.values);
  }

  return {
    totalSteps,
    get step() { return state.step; },
    get stage() { return finished() ? 'finished' : state.stage; },
    get lambda() { return lambda(); },
    async *steps(signal) {
      while (!finished() && !signal?.aborted) yield await advance();
    },
    async exportState() {
      const { extractor: first, student: second, rows: third, lambdas } = state;
      return { ...state, extractor: copyMoments(first), student: second && copyMoments(second), rows: copyMoments(third), lambdas: [...lambdas] };
    },
    concept({ final = false } = {}) {
      const learned = final || finished();
      // A run ended before stage 2 has learned the extractor.
      const result = student ?? (learned ? extractor : null);
      // The extractor is trained with rows whatever the student is.
      const studentRows = recipe.studentRows || student === null;
      return { extractor: cloneAdapter(extractor), student: result && cloneAdapter(result), rows: cloneRows(rows), lambda: lambda(), learned, recipe: { ...recipe, studentRows } };
    },
    dispose() {
      disposeAdapter(extractor);
      disposeAdapter(student);
      disposeRows(rows);
    },
  };
}
