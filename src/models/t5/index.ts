/** T5 v1.1's encoder, SD3's third text encoder. */
export { encodeT5, encodeT5Async } from './encode';
export { disposeT5, loadT5, t5Linears, type T5Encoder, type T5Layer, type T5Options } from './weights';
