/**
 * What kernels may ask about the open WebGPU adapter to choose between their variants. Set when the device is opened;
 * a variant named by the caller goes before it.
 */
export const adapterTraits = {
  /** The adapter runs on the processor: barriers are expensive, plain loops are cheap. */
  software: false,
};
