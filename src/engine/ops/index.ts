/** Tensor ops of the transformer with hand-written gradients. Shapes trail each signature; all float32. */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '../tf';

/** y = x·weight + bias; never trained. `transposed` is made at the first backward pass and kept. */
export interface FrozenLinear { inFeatures: number; outFeatures: number; weight: Tensor2D /* [in,out] */; bias: Tensor1D | null; transposed: Tensor2D | null /* [out,in] */ }
/** Adds scale·x·a·b. */
export interface LoraPair { a: Tensor2D /* [in,r] */; b: Tensor2D /* [r,out] */; scale: number }

export declare function linear<T extends Tensor>(x: T /* [..., in] */, w: FrozenLinear, lora?: LoraPair | null): T /* [..., out] */;
export declare function normModulate(x: Tensor3D, shift: Tensor3D /* [B,1,d] */, scale: Tensor3D): Tensor3D;
export declare function rmsNorm<T extends Tensor>(x: T, weight: Tensor1D): T;
export declare function attention(q: Tensor4D /* [B,H,N,d] */, k: Tensor4D, v: Tensor4D, options?: { causal?: boolean }): Tensor4D;
export declare function geluTanh<T extends Tensor>(x: T): T;
export declare function geluErf<T extends Tensor>(x: T): T;
export declare function quickGelu<T extends Tensor>(x: T): T;
export declare function gatedResidual(x: Tensor3D, gate: Tensor3D /* [B,1,d] */, y: Tensor3D): Tensor3D;
export declare function layerNorm<T extends Tensor>(x: T, weight: Tensor1D, bias: Tensor1D, epsilon?: number): T;
export declare function disposeLinear(w: FrozenLinear): void;
