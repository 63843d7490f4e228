/**
 * The trainer: one async generator, one yield per optimizer step. It knows no method by name: a method declares its groups of
 * parameters (groups.ts) and its stages, a stage the evaluations it needs and their loss (trainingStep.ts); parameters and their
 * moments lie where the backend computes (parameters.ts); here are stages and state.
 * Deterministic: random numbers are keyed by (seed, purpose, step), so a run resumed from exportState() ends with the very
 * weights of one that never stopped. A step either happens completely or, on a Fault, not at all.
 */
import { getBackend, getKernel, dispose as disposeTensors, reshape, type Tensor3D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import type { Method, PointStep, Stage } from '../../methods/method';
import { stageAfter, stagesOf, totalStepsOf } from '../../methods/meta';
import type { Between } from '../../models/mmdit';
import { median } from '../../protocol/median';
import type { StepMetrics } from '../../protocol/run';
import type { Recipe } from '../../protocol/recipe';
import type { FlowBase } from '../base';
import { freshMoments, readTrainState, TRAIN_STATE_VERSION, type TrainState } from './checkpoint';
import { cloneWeights, disposeWeights, type LearnedConcept, type Weights } from '../concept';
import type { Dataset } from './dataset';
import { disposeFigures, figureTensors, nameFigures } from './figures';
import { disposeGradients, formOf, renew, type TrainedGroup } from './groups';
import type { Move, Parameters } from './parameters';
import { cpuParameters } from './parametersCpu';
import { rateFactor } from './optimizer';
import { gpuParameters } from './parametersGpu';
import { RANDOM_VERSION } from '../random';
import { drawBatch, nameVelocity, notFinite, stepGradients, type StepOutcome } from './trainingStep';
import type { Sight } from './trajectory';
import { isTrajectory, trajectoryGradients } from './trajectoryStep';

/** Steps over which the running median of the balance's unit is taken. */
const UNIT_WINDOW = 50;

export type TrainerStep = Omit<StepMetrics, 'runId'> & {
  totalSteps: number;
  /** Unit of the balance; 1 before there is one. */
  lambda: number;
};

export interface Trainer {
  readonly totalSteps: number;
  /** Optimizer steps done, all stages counted. */
  readonly step: number;
  /** The one that the next step belongs to; the last when all are done. */
  readonly stage: string;
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
  /** For methods that draw pictures with a reference; stays the caller's. */
  sight?: Sight | null;
  /** What exportState gave; anything else is refused by Fault `run-missing`. */
  state?: unknown;
  /** Awaited between blocks of the transformer, so that drafts and messages get their turn. */
  between?: Between;
}

export async function createTrainer({ base, method, recipe, dataset, sight = null, state: given, between = async () => {} }: TrainerOptions): Promise<Trainer> {
  const { meta } = method;
  const stages = stagesOf(meta, recipe);
  const totalSteps = totalStepsOf(meta, recipe);
  const stageAt = (done: number) => stageAfter(meta, recipe, done);
  const specs = method.groups(recipe);
  const groups: Record<string, TrainedGroup> = Object.fromEntries(Object.entries(specs).map(([id, spec]) => [id, formOf(spec, base, sight)]));
  /** Groups trained by then, in the order in which they begin. */
  const begunAt = (done: number): string[] => [...new Set(stages.filter(({ begin }) => begin <= stageAt(done).begin).flatMap(({ id }) => method.stages[id]!.trains))];
  const parameters: Parameters = getKernel('AdamW', getBackend()) ? gpuParameters() : cpuParameters();
  const start = async (id: string) => freshMoments(await groups[id]!.start({ base, dataset, seed: recipe.seed, between, values: async (group) => (await parameters.read(group)).values }));

  async function freshState(): Promise<TrainState> {
    const moments: TrainState['groups'] = {};
    for (const id of begunAt(0)) moments[id] = await start(id);
    return { version: TRAIN_STATE_VERSION, random: RANDOM_VERSION, stage: stageAt(0).id, step: 0, groups: moments, units: [] };
  }
  const expected = { totalSteps, at: (step: number) => ({ stage: stageAt(step).id, sizes: Object.fromEntries(begunAt(step).map((id) => [id, groups[id]!.size])) }) };
  const { groups: moments, ...state } = given === undefined || given === null ? await freshState() : readTrainState(given, expected);
  const weights: Weights = { adapters: {}, rows: {} };
  const take = (id: string, numbers: TrainState['groups'][string]) => {
    parameters.set(id, numbers);
    renew(weights, id, groups[id]!, parameters);
  };
  for (const [id, numbers] of Object.entries(moments)) take(id, numbers);
  /** The end of the step under way: from here on its state is neither the old nor the new one. */
  let committing: Promise<unknown> = Promise.resolve();

  const finished = () => state.step >= totalSteps;
  const lambda = () => median(state.units) ?? 1;
  const stageOf = (id: string) => {
    const stage = method.stages[id];
    invariant(stage, `the method has no stage “${id}”`);
    return stage;
  };

  /** Losses and gradients of the step under way, by its kind. */
  function outcomeOf(stage: Stage, batch: ReturnType<typeof drawBatch>): Promise<StepOutcome> {
    const given = { base, dataset, recipe, batch, weights, between };
    if (!isTrajectory(stage)) return stepGradients({ ...given, stage: stage as Stage & { step: PointStep<Recipe> } });
    invariant(sight, 'a trajectory needs an adapter, a decoder and who looks at the picture');
    return trajectoryGradients({ ...given, stage, sight, step: state.step });
  }

  /** One optimizer step; on a Fault nothing has changed. */
  async function advance(): Promise<TrainerStep> {
    const started = performance.now();
    const stage = stageOf(state.stage);
    const batch = drawBatch(dataset, recipe, base.shift, state.step);
    try {
      const outcome = await outcomeOf(stage, batch);
      const committed = commit(outcome);
      committing = committed;
      return { ...(await committed), sigma: batch.sigma, stepMs: performance.now() - started, totalSteps, lambda: lambda() };
    } finally {
      disposeTensors([batch.xSigma, batch.target]);
    }
  }

  /** Steps in which a group has moved, the one under way counted. */
  const stepsOf = (id: string): number =>
    stages.reduce((sum, { id: stage, begin, end }) => sum + (stageOf(stage).trains.includes(id) ? Math.max(0, Math.min(end, state.step + 1) - begin) : 0), 0);

  /** Moves the parameters and counts the step. Disposes the outcome. */
  async function commit({ parts, gradients, velocities }: StepOutcome): Promise<Omit<TrainerStep, 'sigma' | 'stepMs' | 'totalSteps' | 'lambda'>> {
    const number = state.step + 1;
    const stage = state.stage;
    const { begin, count } = stageAt(state.step);
    const moves = stageOf(stage).trains.map((id): Move => {
      const { learningRate, schedule, ...settings } = specs[id]!.optimizer;
      return { group: id, gradient: groups[id]!.gradient(gradients), learningRate: learningRate * rateFactor(schedule, state.step - begin, count), ...settings, step: stepsOf(id) };
    });
    disposeGradients(gradients);
    try {
      const { losses, figures } = figureTensors(parts);
      const { refused, norms, numbers } = await parameters.move(moves, losses, figures);
      if (refused) throw notFinite(refused === 'losses' ? await nameVelocity(velocities) : groups[refused.group]!.nameOf(refused.index), number);
      for (const { group } of moves) renew(weights, group, groups[group]!, parameters);

      const named = nameFigures(parts, numbers);
      const unit = meta.unit === null ? undefined : named.perSample[meta.unit];
      state.units = [...state.units, ...(unit ?? [])].slice(-UNIT_WINDOW * recipe.batchSize);
      state.step = number;
      await enter(stageAt(number).id);
      return { step: number, stage, losses: named.losses, figures: named.perSample, gradientNorm: norms[0]! };
    } finally {
      disposeFigures(parts);
      disposeTensors([...moves.map(({ gradient }) => gradient), ...Object.values(velocities)]);
    }
  }

  /** Starts the groups that begin with a stage. */
  async function enter(stage: string): Promise<void> {
    if (stage === state.stage) return;
    for (const id of stageOf(stage).trains) if (!weights.adapters[id] && !weights.rows[id]) take(id, await start(id));
    state.stage = stage;
  }

  return {
    totalSteps,
    get step() { return state.step; },
    get stage() { return state.stage; },
    get lambda() { return lambda(); },
    async *steps(signal) {
      while (!finished() && !signal?.aborted) yield await advance();
    },
    async exportState() {
      await Promise.allSettled([committing]);
      const now = { ...state, units: [...state.units] };
      const ids = Object.keys(groups).filter((id) => weights.adapters[id] || weights.rows[id]);
      const read = await Promise.all(ids.map((id) => parameters.read(id)));
      return { ...now, groups: Object.fromEntries(ids.map((id, i) => [id, read[i]!])) };
    },
    concept({ final = false } = {}) {
      const stage = stageOf(state.stage);
      const { references } = dataset;
      const [pictures = 0, count = 0, width = 0] = references?.tokens.shape ?? [];
      const seen = sight && references ? { sight: { adapter: sight.adapter, tokens: reshape(references.tokens, [1, pictures * count, width]) as Tensor3D } } : {};
      return { ...cloneWeights(weights), ...seen, result: stage.result(recipe), lambda: lambda(), learned: final || finished(), recipe: stage.keptAs?.(recipe) ?? recipe };
    },
    dispose() {
      disposeWeights(weights);
      parameters.dispose();
    },
  };
}
