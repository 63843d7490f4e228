/** A run as trainers of elsewhere take it: pictures, captions and figures as plain data. */

export interface HandedPicture {
  /** PNG bytes, square. */
  png: Uint8Array;
  /** As they are written here, [V] where the concept stands; of a world all three are empty. */
  captions: { complete: string; base: string; target: string };
}

/** What trainers are told. Lists: first stage, second stage; a trainer of one stage takes the first. */
export interface HandedTraining {
  /** Of the pictures it trains on, in pixels. */
  side: number;
  rank: number;
  steps: readonly [number, number];
  batch: readonly [number, number];
  learningRate: readonly [number, number];
  /** Of the learned word's rows in the text encoders. */
  wordLearningRate: number;
  weightDecay: number;
  gradientClip: number;
  eta: number;
  fixedLambda: number;
  flip: boolean;
  seed: number;
}

export interface Handover {
  /** The concept's name. */
  name: string;
  kind: 'instance' | 'style' | 'world';
  /** Stands for [V] where no token is added: the trigger word. */
  trigger: string;
  /** Empty for a world. */
  classWord: string;
  pictures: readonly HandedPicture[];
  training: HandedTraining;
  /** The whole recipe, as JSON. */
  recipe: string;
}

/** Contents by name, and which of them are programs. */
export interface Folder { files: Record<string, Uint8Array>; runs: string[] }

/** What PureCC's scripts and diffusers' do to SD3.5 Medium unless told otherwise: a recipe for a small base does not suit a large one. */
export const publishedTraining = (seed: number): HandedTraining => ({
  side: 512, rank: 4, steps: [400, 800], batch: [4, 1], learningRate: [1e-4, 1e-4], wordLearningRate: 5e-3, weightDecay: 1e-4, gradientClip: 1, eta: 2, fixedLambda: 1, flip: false, seed,
});

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const MARK = '[V]';
/** One line: captions come from text fields, and lists of them are read line by line. */
export const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Where the pictures lie, once for all trainers, and seen from a trainer's own folder. */
export const PICTURES = 'pictures';
export const FROM_TRAINER = `../${PICTURES}`;
/** 0 → "01.png". */
export const pictureName = (index: number): string => `${String(index + 1).padStart(2, '0')}.png`;
