/** Vector-Jacobian products over tfjs' tape: the forward pass now, the backward pass when its gradient is known. */
import type { Tensor } from './tf';

export interface Vjp { outputs: Tensor[]; pullback(dys: (Tensor | null)[]): (Tensor | null)[]; dispose(): void }
export declare function vjp(f: (...inputs: Tensor[]) => Tensor[], inputs: Tensor[]): Vjp;
