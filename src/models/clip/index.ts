/** CLIP's text and image encoders. */
import type { Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import type { WeightSource } from '../weightSource';

export interface ClipText { width: number }
export interface ClipVision { width: number; imageSize: number }
/** context [B,L,d]: hidden states after the last layer but one; pooled [B,p] projected; lastNormed [B,L,d]. The caller disposes all three. */
export interface EncodedText { context: Tensor3D; pooled: Tensor2D; lastNormed: Tensor3D }
export declare function loadClipText(source: WeightSource, config: unknown): Promise<ClipText>;
export declare function encodeText(model: ClipText, ids: readonly (readonly number[])[]): EncodedText;
export declare function disposeClipText(model: ClipText): void;
export declare function loadClipVision(source: WeightSource, config: unknown): Promise<ClipVision>;
export declare function encodeImage(model: ClipVision, pixels: Tensor4D): Tensor2D;
export declare function disposeClipVision(model: ClipVision): void;
