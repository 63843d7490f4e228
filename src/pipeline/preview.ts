import type { Tensor4D } from '../engine/tf';
import type { Probe } from '../protocol/messages';
import type { Base } from './base';
import type { FieldWords, LearnedConcept, Pacing } from './fields';

/** Runs the base's trajectory to the probe's sigma (or reuses `at`), then caches velocities there. */
export declare function makeProbe(options: { base: Base; words: FieldWords; concept: LearnedConcept; seed: number; guidance: number; steps: number; revision: number } & Pacing): Promise<Probe>;
/** The draft's latent [1,h,w,C]: xSigma − sigma·v(balance), by guidance fusion; no model call. */
export declare function draft(probe: Probe, balance: number): Tensor4D;
/** Linear latent→RGB: `latentToRgb` [C+1][3], the last row the offset. Pixels [h·w·3] in −1…1. */
export declare function latentToPixels(probe: Probe, balance: number, latentToRgb: number[][]): Float32Array;
