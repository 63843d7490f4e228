/** Pictures given and pictures drawn, as they cross the thread. A bitmap belongs to whoever received it. */
import type { Captions } from './captions';

/** A square in the picture's own pixels, after EXIF orientation. */
export interface Crop { x: number; y: number; size: number }

export interface PictureInfo {
  pictureId: string;
  name: string;
  width: number;
  height: number;
  /** Default crop: the largest centred square. */
  crop: Crop;
  /** Oriented, at most 512 px on its longer side, for the card. */
  bitmap: ImageBitmap;
}

/** What the base's autoencoder makes of a picture. `outside`: the reconstruction loses what makes the picture (photographs on the embedded base). */
export interface FitCheck { pictureId: string; bitmap: ImageBitmap; psnr: number; outside: boolean }

export interface TrainingPicture { pictureId: string; crop: Crop; captions: Captions }

/** Where a picture belongs. `strip` pictures carry their training step, `anchor` pictures their balance. */
export type PictureSlot =
  | { kind: 'base' }
  | { kind: 'concept' }
  | { kind: 'strip'; runId: string; step: number; side: 'concept' | 'customBase' }
  | { kind: 'anchor'; balance: number };

export type PictureState = 'draft-linear' | 'draft' | 'partial' | 'full';

export interface PictureEvent {
  slot: PictureSlot;
  revision: number;
  bitmap: ImageBitmap;
  state: PictureState;
  step: number;
  steps: number;
  elapsedMs: number;
  prompt: string;
  seed: number;
  balance: number;
}

export interface DrawParams {
  prompt: string;
  negative: string;
  seed: number;
  /** Euler steps, 1…100. */
  steps: number;
  /** CFG scale around the balanced velocity; 1 is off. */
  guidance: number;
  balance: number;
  /** Also draw the untouched base's twin (same seed, Base prompt) into slot `base`. */
  withBase: boolean;
}
