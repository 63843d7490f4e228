/** CLIP's text and image encoders. */
export { disposeClipText, encodeText, loadClipText, type ClipText, type EncodedText, type EncodeOptions, type Pooling } from './text';
export { disposeClipVision, encodeImage, loadClipVision, type ClipVision } from './vision';
