/** Everything a run needs to go on, as plain typed arrays (structured-cloneable). */
export interface Moments { values: Float32Array; m: Float32Array; v: Float32Array }
export interface TrainState {
  version: 1;
  stage: 'extractor' | 'student';
  /** Optimizer steps done, both stages counted. */
  step: number;
  extractor: Moments;
  student: Moments | null;
  rows: Moments;
  /** λ* of the last 50 stage-2 samples' steps, newest last. */
  lambdas: number[];
}
/** Throws Fault `run-missing` when it is not a state of this version, or does not fit the sizes. */
export declare function readTrainState(value: unknown): TrainState;
