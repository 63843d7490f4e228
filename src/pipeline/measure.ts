import type { Tensor4D } from '../engine/tf';
import type { Measures } from '../protocol/runReport';
import type { Base } from './base';
import type { LearnedConcept, Pacing } from './fields';

export interface MeasureOptions extends Pacing {
  base: Base;
  concept: LearnedConcept;
  /** The set's pictures [n,S,S,3], −1…1. */
  pictures: Tensor4D;
  steps: number;
  /** Keep the twins' pixels for a sheet. */
  keepPixels: boolean;
  /** Also draw the customized pictures without rows. */
  withoutRows: boolean;
}
/** pixels: five rows of eight, [40·S·S·3] (base twins, customized, customized on Base, base unrelated, customized unrelated), or null. */
export interface MeasureResult { measures: Measures; sheet: { pixels: Float32Array; size: number; columns: number; rows: number } | null }
export declare function measure(options: MeasureOptions, onProgress?: (done: number, total: number) => void): Promise<MeasureResult>;
