/**
 * The state of a run as plain data: everything needed to go on and end with the very same weights. Random numbers are
 * keyed by step, so no generator state is kept. Validated on the way in: it comes from a database that may be older or damaged.
 */
import { Fault } from '../../protocol/faults';
import { RANDOM_VERSION } from '../random';

export const TRAIN_STATE_VERSION = 2;

/** Parameters of one optimizer group with AdamW's first and second moments, same length each. */
export interface Moments { values: Float32Array; m: Float32Array; v: Float32Array }

export interface TrainState {
  version: typeof TRAIN_STATE_VERSION;
  random: typeof RANDOM_VERSION;
  stage: string;
  /** Optimizer steps done, all stages counted. */
  step: number;
  /** Those that have begun, by id. An adapter's order: pipeline/lora.ts; rows: [depth·hidden], then the pooled delta where there is one. */
  groups: Record<string, Moments>;
  /** The figure that is the balance's unit over the last steps, sample by sample, newest last; empty where the method has none. */
  units: number[];
}

/** What a state must be to fit a model and a recipe. */
export interface Expected {
  totalSteps: number;
  /** The stage that a number of steps done belongs to, and the sizes of the groups begun by then. */
  at(step: number): { stage: string; sizes: Record<string, number> };
}

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

/** Version 1 knew one method: its groups stood beside the step, each under its name. */
function fromVersion1(given: Record<string, unknown>): Record<string, unknown> {
  if (given.version !== 1) return given;
  const { version: _, random, stage, step, lambdas, ...groups } = given;
  return { version: TRAIN_STATE_VERSION, random, stage, step, units: lambdas, groups };
}

/** A state of this version or the one before that fits, copied; Fault `run-missing` says what is wrong with it otherwise. */
export function readTrainState(value: unknown, expected: Expected): TrainState {
  if (typeof value !== 'object' || value === null) throw refuse('it is empty');
  const given = fromVersion1(value as Record<string, unknown>) as Partial<TrainState>;
  if (given.version !== TRAIN_STATE_VERSION || given.random !== RANDOM_VERSION) throw refuse('another version of the app wrote it');
  const { stage, step, units } = given;
  if (!Number.isInteger(step) || step! < 0 || step! > expected.totalSteps) throw refuse(`step ${String(step)} does not lie within the run’s ${expected.totalSteps}`);
  const here = expected.at(step!);
  if (stage !== here.stage) throw refuse(`step ${step} does not belong to its stage “${String(stage)}”`);
  if (!Array.isArray(units) || !units.every((unit) => typeof unit === 'number')) throw refuse('the running unit of the balance is missing');
  const groups = Object.fromEntries(Object.entries(here.sizes).map(([id, size]) => [id, readMoments(given.groups?.[id], id, size)]));
  return { version: TRAIN_STATE_VERSION, random: RANDOM_VERSION, stage: here.stage, step: step!, groups, units: [...units] };
}
