/**
 * The trainer: one async generator, one yield per optimizer step. It knows no method by name: a stage declares the
 * evaluations it needs and turns their velocities into gradients (trainingStep.ts); parameters and their moments lie where
 * the backend computes (parameters.ts); here are stages and state.
 * Deterministic: random numbers are keyed by (seed, purpose, step), so a run resumed from exportState() ends with the very
 * weights of one that never stopped. A step either happens completely or, on a Fault, not at all.
 */
import { cutFlat } from '../../engine/kernels/flatCopy';
import { getBackend, getKernel, dispose as disposeTensors, type Tensor1D, type Tensor2D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { Method } from '../../methods/method';
import { loraSites, type Adapter, type Between } from '../../models/mmdit';
import type { StepMetrics } from '../../protocol/run';
import type { Recipe } from '../../protocol/recipe';
import type { FlowBase } from '../base';
import { freshMoments, readTrainState, TRAIN_STATE_VERSION, type TrainState } from './checkpoint';
import { cloneRows, disposeRows, type LearnedConcept, type RowTensors } from '../concept';
import type { Dataset } from './dataset';
import { disposeFigures, figureTensors, nameFigures } from './figures';
import { flatGradients, nameGradient } from './gradients';
import { cloneAdapter, disposeAdapter, initLora, loraLayout, toAdapter } from '../lora';
import type { Move, Parameters } from './parameters';
import { cpuParameters } from './parametersCpu';
import { gpuParameters } from './parametersGpu';
import { RANDOM_VERSION } from '../random';
import { initialRows } from './rowInit';
import { drawBatch, nameVelocity, notFinite, stepGradients, type StepOutcome } from './trainingStep';

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
  const { extractor: extractorMoments, student: studentMoments, rows: rowMoments, ...state } = given === undefined || given === null ? await freshState() : readTrainState(given, sizes);
  const parameters: Parameters = getKernel('AdamW', getBackend()) ? gpuParameters() : cpuParameters();
  parameters.set('extractor', extractorMoments);
  if (studentMoments) parameters.set('student', studentMoments);
  parameters.set('rows', rowMoments);

  const makeRows = (): RowTensors => {
    const [table, pooledDelta] = cutFlat(parameters.values('rows'), [[depth, hidden], ...(deltaNumbers ? [[deltaNumbers]] : [])]);
    return { rows: table as Tensor2D, pooledDelta: (pooledDelta ?? null) as Tensor1D | null };
  };
  let extractor = toAdapter(layout, parameters.values('extractor'));
  let student: Adapter | null = studentMoments && toAdapter(layout, parameters.values('student'));
  let rows = makeRows();
  /** The end of the step under way: from here on its state is neither the old nor the new one. */
  let committing: Promise<unknown> = Promise.resolve();

  const finished = () => state.step >= totalSteps;
  const lambda = () => (state.lambdas.length ? median(state.lambdas) : 1);

  /** One optimizer step; on a Fault nothing has changed. */
  async function advance(): Promise<TrainerStep> {
    const started = performance.now();
    const stage = method.stages.find(({ id }) => id === state.stage);
    invariant(stage, `the method has no stage “${state.stage}”`);
    const batch = drawBatch(dataset, recipe, base.shift, state.step);
    try {
      const weights = { adapters: { none: null, extractor, student }, rows };
      const outcome = await stepGradients({ base, dataset, stage, recipe, batch, weights, between });
      const committed = commit(outcome, stage.trains.rows);
      committing = committed;
      return { ...(await committed), sigma: batch.sigma, stepMs: performance.now() - started, totalSteps, lambda: lambda() };
    } finally {
      disposeTensors([batch.xSigma, batch.target]);
    }
  }

  /** Moves the parameters and counts the step. Disposes the outcome. */
  async function commit({ parts, gradients, velocities }: StepOutcome, trainsRows: boolean): Promise<Omit<TrainerStep, 'sigma' | 'stepMs' | 'totalSteps' | 'lambda'>> {
    const number = state.step + 1;
    const stageStep = state.stage === 'extractor' ? number : number - recipe.stage1Steps;
    const flat = flatGradients(layout, gradients, deltaNumbers);
    const moves: Move[] = [{ group: state.stage, gradient: flat.adapter, learningRate: recipe.learningRate, weightDecay: recipe.weightDecay, clip: recipe.gradientClip, step: stageStep }];
    if (trainsRows && flat.rows) moves.push({ group: 'rows', gradient: flat.rows, learningRate: recipe.rowLearningRate, weightDecay: 0, clip: null, step: stageStep });
    try {
      const { losses, figures } = figureTensors(parts);
      const { refused, norms, numbers } = await parameters.move(moves, losses, figures);
      if (refused) throw notFinite(refused === 'losses' ? await nameVelocity(velocities) : nameGradient(layout, refused), number);
      if (moves.length > 1) {
        disposeRows(rows);
        rows = makeRows();
      }
      replace(toAdapter(layout, parameters.values(state.stage)));

      const named = nameFigures(parts, numbers);
      const { lambdaStar = [], cosine = [], offsetRatio = [], guidanceRms = [], floorHit = [] } = named.perSample;
      state.lambdas = [...state.lambdas, ...lambdaStar].slice(-LAMBDA_WINDOW * recipe.batchSize);
      const at = state.stage;
      state.step = number;
      if (number === recipe.stage1Steps && totalSteps > number) beginStudent();
      return { step: number, stage: at, losses: named.losses, lambdaStar, cosine, offsetRatio, guidanceRms, gradientNorm: norms[0]!, floorHits: floorHit.reduce((sum, hit) => sum + hit, 0) };
    } finally {
      disposeFigures(parts);
      disposeTensors([flat.adapter, ...(flat.rows ? [flat.rows] : []), ...Object.values(velocities)]);
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
    parameters.set('student', fresh('studentInit'));
    student = toAdapter(layout, parameters.values('student'));
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
      await Promise.allSettled([committing]);
      const numbers = Promise.all([parameters.read('extractor'), student && parameters.read('student'), parameters.read('rows')]);
      const now = { ...state, lambdas: [...state.lambdas] };
      const [extractorNow, studentNow, rowsNow] = await numbers;
      return { ...now, extractor: extractorNow, student: studentNow, rows: rowsNow };
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
      parameters.dispose();
    },
  };
}
