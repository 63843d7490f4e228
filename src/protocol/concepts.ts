/** Concepts of the Shelf, and what a dropped file turned out to be. */
import type { ConceptKind } from './captions';
import type { Mix } from './mix';
import type { CardSummary } from './objects';
import type { PictureInfo, DrawParams } from './pictures';
import type { Recipe } from './recipe';
import type { Measures } from './runReport';

export interface ConceptSummary {
  conceptId: string;
  name: string;
  /** [V] in prompts of this concept reads as this word; empty for styles and worlds. */
  classWord: string;
  kind: ConceptKind;
  createdAt: string;
  sizeBytes: number;
  /** PNG of the concept picture on the card. */
  preview: Blob | null;
  measures: Measures | null;
  recipe: Recipe;
  /** Median λ* at the end of training. */
  lambda: number;
  base: string;
  /** Imported from a file rather than learned here. */
  imported: boolean;
  /** Whether the pictures it was learned from are kept with it, so that it can be measured; they never go into its file. */
  pictured: boolean;
  /** Whether it changes the transformer at all: a learned word alone does not. */
  lora: boolean;
  /** Tokens of the learned word that [V] is read as; null where [V] is read as text. */
  wordTokens: number | null;
}

export interface ExportOptions {
  /** Write captions and picture count into the header; off by default, nothing private is written then. */
  includeCaptions: boolean;
  /** Also keep the concept rows in the file (`lamina_lora_rows.N`). */
  includeRows: boolean;
  /** Whose names the layers have. kohya's suit the single-file checkpoints, and the tools that use those. */
  keys: 'diffusers' | 'kohya';
  /** Written into the header; empty: nobody. */
  author: string;
  /** The card's picture in the header. */
  includeThumbnail: boolean;
}

export interface Vocabulary {
  /** Whole words the base has seen; empty for bases with an open vocabulary. */
  words: string[];
}

/** What a dropped file turned out to be. */
export type Dropped =
  | { kind: 'concept'; concept: ConceptSummary; /** Layers of its LoRA; 0 of 0 where it has none. */ matched: number; total: number; /** What of the file was left out and why, one sentence each. */ notes: string[] }
  | { kind: 'card'; card: CardSummary }
  | ({ kind: 'recipe' } & FoundDrawing)
  | { kind: 'picture'; picture: PictureInfo; /** It has several frames, of which the first is used. */ animated: boolean; /** What it says of how it was drawn, if anything. */ drawn: FoundDrawing | null };

/** How a picture was drawn, by its own word. `conceptId` is its concept's, where that is on the Shelf. */
export interface FoundDrawing { params: Partial<DrawParams>; conceptId: string | null; /** The mix it was drawn by. */ mix: Mix | null; note: string }

/**
 * What a file is meant for. `among`: a picture to learn from, beside others. `alone`: the same, but one of our own pictures is
 * restored instead. `restore`: whatever says how it was drawn is restored.
 */
export type DropPurpose = 'among' | 'alone' | 'restore';
