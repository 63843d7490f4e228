/** CLIP's text and image encoders. */
export { disposeClipText, encodeText, encodeTextAsync, loadClipText, type ClipText, type EncodedText, type EncodeOptions, type Pooling } from './text';
export { disposeClipVision, encodeImage, encodeImageAsync, imageStates, imageVjp, loadClipVision, type ClipVision, type ImageStates } from './vision';
