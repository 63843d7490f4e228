/** The SD3 transformer: load, evaluate, differentiate. See types.ts for the data and driver.ts for the order of things. */
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import type { WeightSource } from '../weightSource';
import type { Adapter, Between, ConceptRows, LoraSite, Mmdit, MmditInput, VelocityVjp, VelocityVjpAsync, VjpOptions } from './types';

export type * from './types';
export declare function loadMmdit(source: WeightSource, config?: unknown): Promise<Mmdit>;
export declare function disposeMmdit(model: Mmdit): void;
export declare function loraSites(model: Mmdit): LoraSite[];
export declare function velocity(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null): Tensor4D;
export declare function velocityAsync(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, between: Between): Promise<Tensor4D>;
export declare function velocityVjp(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, options: VjpOptions): VelocityVjp;
export declare function velocityVjpAsync(model: Mmdit, input: MmditInput, adapter: Adapter | null, rows: ConceptRows | null, options: VjpOptions, between: Between): Promise<VelocityVjpAsync>;
export declare function textStates(model: Mmdit, input: MmditInput): Tensor3D[];
