/** Tensor ops of the models with hand-written gradients: our kernels where the backend has them, else composed and tuned for tfjs' wasm. All float32. */
export { geluErf, geluTanh, quickGelu } from './activations';
export { attention, type AttentionOptions } from './attention';
export { convolve, type ConvolveOptions } from './convolve';
export { gatedResidual } from './gatedResidual';
export { groupNorm } from './groupNorm';
export { joinTokens } from './joinTokens';
export { disposeLinear, evictLinear, frozenAway, frozenLinear, frozenPacked, linear, placeLinear, residentLinear, withdrawLinear, type FrozenLinear, type LoraPair, type Products } from './linear';
export { layerNorm, normModulate, rmsNorm } from './norms';
export { takeRows } from './takeRows';
export { alias, withGradient } from './withGradient';
