import type { Tensor4D } from '../engine/tf';
import type { Base } from './base';
import type { VelocityField } from './fields';

export interface SampleOptions {
  base: Base;
  field: VelocityField;
  /** Noise of row i is keyed by seeds[i]. */
  seeds: readonly number[];
  steps: number;
  guidance: number;
  signal?: AbortSignal;
  between?: () => Promise<void>;
}
/** One item per Euler step; `latent` belongs to the receiver of the last item, earlier ones are disposed by the sampler at the next step. */
export declare function sample(options: SampleOptions): AsyncGenerator<{ step: number; steps: number; sigma: number; latent: Tensor4D }>;
/** All steps at once; Fault `aborted` when the signal fires. The caller disposes the latent [K,h,w,C]. */
export declare function sampleAll(options: SampleOptions & { onStep?: (step: number, steps: number) => void }): Promise<Tensor4D>;
