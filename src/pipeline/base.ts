/**
 * A base model as the pipeline uses it: every network of one diffusers folder, the tokenizer, and the encoded empty
 * prompt. Owned by whoever called `loadBase`; `disposeBase` frees all of it. It reads through BaseFiles and never fetches.
 */
import type { Tensor2D, Tensor3D } from '../engine/tf';
import type { ClipText, ClipVision } from '../models/clip';
import type { Mmdit } from '../models/mmdit';
import type { Tokenizer } from '../models/tokenizer';
import type { TinyAutoencoder } from '../models/vae';
import type { BaseFiles } from '../models/weightSource';

/** Prompts as the transformer reads them. at[i]: position of [V] in the text stream of row i, −1 where there is none. */
export interface EncodedPrompts { context: Tensor3D; pooled: Tensor2D; at: number[] }

export interface Base {
  id: string;
  mmdit: Mmdit;
  vae: TinyAutoencoder;
  text: ClipText;
  vision: ClipVision;
  tokenizer: Tokenizer;
  /** Flow shift of the scheduler: 1 on the embedded base, 3 on SD3.5. */
  shift: number;
  /** [h, w, C] of one latent. */
  latentShape: [number, number, number];
  /** Side of a picture in pixels. */
  imageSize: number;
  /** The empty prompt, one row. */
  null: EncodedPrompts;
}

export type LoadProgress = (done: { part: string; parts: number; index: number }) => void;

export declare function loadBase(id: string, files: BaseFiles, onProgress?: LoadProgress): Promise<Base>;
export declare function disposeBase(base: Base): void;
