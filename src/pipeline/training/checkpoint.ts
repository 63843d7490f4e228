/**
 * The state of a run as plain data: everything needed to go on and end with the very same weights. Random numbers are
 * keyed by step, so no generator state is kept. Validated on the way in: it comes from a database that may be older or damaged.
 */
import { Fault } from '../../protocol/faults';
import { RANDOM_VERSION } from '../random';

export const TRAIN_STATE_VERSION = 1;

/** Parameters of one optimizer group with AdamW's first and second moments, same length each. */
export interface Moments { values: Float32Array; m: Float32Array; v: Float32Array }

export interface TrainState {
  version: typeof TRAIN_STATE_VERSION;
  random: typeof RANDOM_VERSION;
  stage: 'extractor' | 'student';
  /** Optimizer steps done, both stages counted. */
  step: number;
  extractor: Moments;
  /** Null in stage 1. */
  student: Moments | null;
  /** Concept rows [depth·hidden], then the pooled delta where the recipe has one. */
  rows: Moments;
  /** λ* of the last 50 steps, sample by sample, newest last. */
  lambdas: number[];
}

/** Sizes a state must have to fit a model and a recipe. */
export interface StateSizes { adapter: number; rows: number; stage1Steps: number; totalSteps: number }

export const freshMoments = (values: Float32Array): Moments => ({ values, m: new Float32Array(values.length), v: new Float32Array(values.length) });
export const copyMoments = ({ values, m, v }: Moments): Moments => ({ values: values.slice(), m: m.slice(), v: v.slice() });

const refuse = (what: string): Fault => new Fault('run-missing', `The stored state of this run cannot be used: ${what}.`, 'Start the run again.');

function readMoments(value: unknown, name: string, length: number): Moments {
  const given = value as Partial<Moments> | null | undefined;
  for (const part of ['values', 'm', 'v'] as const) {
    const numbers = given?.[part];
    if (!(numbers instanceof Float32Array)) throw refuse(`${name}.${part} is missing`);
    if (numbers.length !== length) throw refuse(`${name}.${part} has ${numbers.length} numbers where ${length} are needed`);
    if (!numbers.every(Number.isFinite)) throw refuse(`${name}.${part} holds numbers that are not finite`);
  }
  return copyMoments(given as Moments);
}

/** A state of this version that fits, copied; Fault `run-missing` says what is wrong with it otherwise. */
export function readTrainState(value: unknown, sizes: StateSizes): TrainState {
  const given = value as Partial<TrainState> | null;
  if (typeof given !== 'object' || given === null) throw refuse('it is empty');
  if (given.version !== TRAIN_STATE_VERSION || given.random !== RANDOM_VERSION) throw refuse('another version of the app wrote it');
  const { stage, step } = given;
  if (stage !== 'extractor' && stage !== 'student') throw refuse('it names no stage');
  if (!Number.isInteger(step) || step! < 0 || step! > sizes.totalSteps) throw refuse(`step ${String(step)} does not lie within the run’s ${sizes.totalSteps}`);
  if ((stage === 'student') !== (step! >= sizes.stage1Steps && sizes.totalSteps > sizes.stage1Steps)) throw refuse(`step ${step} does not belong to its stage`);
  if (!Array.isArray(given.lambdas) || !given.lambdas.every((lambda) => typeof lambda === 'number')) throw refuse('the running λ is missing');
  return {
    version: TRAIN_STATE_VERSION,
    random: RANDOM_VERSION,
    stage,
    step: step!,
    extractor: readMoments(given.extractor, 'extractor', sizes.adapter),
    student: stage === 'student' ? readMoments(given.student, 'student', sizes.adapter) : null,
    rows: readMoments(given.rows, 'rows', sizes.rows),
    lambdas: [...given.lambdas],
  };
}
