/** Pictures given and pictures drawn, as they cross the thread. A bitmap belongs to whoever received it. */
import type { Captions, ConceptKind } from './captions';
import type { ObjectMask } from './objectMasks';
import type { Square } from './objects';

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

/** What somebody said by hand of who or what is meant in a picture's crop; what nobody said is found anew. */
export interface MeantPart { /** Of the object, where it was brushed. */ mask?: ObjectMask; /** Of whom, or where the head is in truth. */ head?: Square }

/** What was said, and no more, of a record that also says other things. */
export const meantOf = ({ mask, head }: MeantPart): MeantPart => ({ ...(mask && { mask }), ...(head && { head }) });

/** Captions where the method reads them. */
export interface TrainingPicture extends MeantPart { pictureId: string; crop: Crop; captions?: Captions }

/** How a step from one noise level to the next is made: Euler's, or DPM-Solver++ (2M), which also looks at the step before. */
export const SAMPLERS = ['euler', 'dpmpp-2m'] as const;
export type Sampler = (typeof SAMPLERS)[number];

/** Where a picture belongs. `strip` pictures carry their training step, `tick` pictures their balance. */
export type PictureSlot =
  | { kind: 'base' }
  /** The untouched base's twin of a run's strip. */
  | { kind: 'original'; runId: string }
  | { kind: 'concept' }
  | { kind: 'strip'; runId: string; step: number; side: 'concept' | 'customBase' }
  | { kind: 'tick'; balance: number }
  /** The Mix page's picture; `merged`: the same concepts as merged LoRAs. */
  | { kind: 'mix'; merged: boolean }
  /** The same mix from other noise. */
  | { kind: 'mix-seed' }
  /** The object of the pictures in another place; the prompt says which. */
  | { kind: 'place' };

/** quick: whole, but in the student's few steps; a full one follows. */
export type PictureState = 'draft-linear' | 'draft' | 'partial' | 'quick' | 'full';

/** What a picture is drawn from, but for the concept and its balance. Only pictures that have it in common can be compared. */
export interface PictureKey {
  prompt: string;
  negative: string;
  seed: number;
  /** CFG scale. */
  guidance: number;
  /** Steps of the whole picture; 0 for drafts, which have none. */
  steps: number;
  sampler: Sampler;
  /** Skip-layer guidance, on models that were published with it. */
  skipLayers: boolean;
  /** Decides which Base prompt belongs to the prompt. */
  kind: ConceptKind;
}

/** What a draft says of steps, since it makes none. */
export const NO_STEPS = { steps: 0, sampler: 'euler', skipLayers: false } as const satisfies Partial<PictureKey>;

/** A draft's key, and what it shows: the optimizer steps of a concept, null where it came from the Shelf; or an object of pictures by its revision, else null. */
export type DraftKey = Omit<PictureKey, keyof typeof NO_STEPS> & { atStep: number | null; object: number | null };

export interface PictureEvent extends PictureKey {
  slot: PictureSlot;
  revision: number;
  bitmap: ImageBitmap;
  state: PictureState;
  step: number;
  elapsedMs: number;
  balance: number;
  /** Optimizer steps of the concept it shows; null for the base and for concepts of the Shelf. */
  atStep: number | null;
  /** Revision of the object of pictures that a draft shows; the session draws whole pictures of none but the newest. */
  object?: number | null;
  /** mixPictureKey of the mix it shows; absent on others. */
  mix?: string;
}

export interface DrawParams {
  prompt: string;
  negative: string;
  seed: number;
  /** 1…100. */
  steps: number;
  sampler: Sampler;
  /** Only where the base `skips`. */
  skipLayers: boolean;
  /** CFG scale around the balanced velocity; 1 is off. */
  guidance: number;
  balance: number;
  /** Decides which Base prompt belongs to the prompt while there is no concept that says so. */
  kind: ConceptKind;
  /** Also draw the untouched base's twin (same seed, Base prompt) into slot `base`. */
  withBase: boolean;
}
