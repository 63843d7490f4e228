/** Picture adapters: tokens of a picture (this folder) for cross-attention in the transformer (mmdit/crossAttention.ts). */
export { encodeTokens, type EncodedPicture } from './encode';
export type { AdapterKind, PictureAdapter } from './types';
export { disposePictureAdapter, expectAdapterFits, loadPictureAdapter } from './weights';
