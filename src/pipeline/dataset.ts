import type { Tensor3D, Tensor4D } from '../engine/tf';
import type { CaptionRole } from '../methods/method';
import type { Captions } from '../protocol/captions';
import type { Recipe } from '../protocol/recipe';
import type { Base, EncodedPrompts } from './base';
/** latents [n,h,w,C] (with mirrored ones behind when recipe.flip); words.<role> has n rows too (null: one row). */
export interface Dataset { latents: Tensor4D; count: number; words: Record<CaptionRole, EncodedPrompts> }
export interface DatasetItem { pixels: Float32Array | Tensor3D; captions: Captions }
export declare function buildDataset(base: Base, items: readonly DatasetItem[], recipe: Recipe, onProgress?: (done: number, total: number) => void): Promise<Dataset>;
export declare function disposeDataset(dataset: Dataset): void;
