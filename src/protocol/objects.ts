/**
 * An object from pictures alone, without training: the pictures with their masks, what the object encoder made of them (tokens, held by
 * the session and kept as a card), and how pictures drawn by them compare with the pictures given.
 */
import type { FaultData } from './faults';
import type { ObjectMask } from './objectMasks';
import type { Crop, DrawParams, PictureInfo } from './pictures';

/** Strengths of the picture beside its words: 0 the text alone, 1 as the encoder was trained. */
export const likenessRange = { min: 0, max: 1.4, step: 0.05, start: 0.8 } as const;

/** A picture to be looked at: only what its mask covers is. */
export interface ReferencePicture { pictureId: string; crop: Crop; mask: ObjectMask }

/** A mask found without being asked; with a reason why it can't be used as it is. */
export interface FoundMask { pictureId: string; mask: ObjectMask; fault: FaultData | null }

/** The object that the session holds. */
export interface ObjectInHand {
  /** Counts up with each encoding; what was drawn of an earlier one is stale. */
  revision: number;
  references: number;
  tokens: number;
  sizeBytes: number;
  /** Encoding all pictures took so long. */
  elapsedMs: number;
  /** Nouns of the base's words that the first picture may show, the likeliest first; none where the base can't compare words with pictures. */
  guesses: string[];
  /** Set once it is on the Shelf. */
  cardId: string | null;
}

/** What a drawn picture has of the given ones. */
export interface ObjectFigures {
  /** Of the drawn picture. */
  revision: number;
  /** CLIP-I: mean cosine to the pictures given. Null where the base can't see. */
  likeness: number | null;
  /** Copied from the pictures, 0…1, the most of any (pipeline/measuring/copyScore.ts). Null where they aren't at hand. */
  copied: number | null;
}

export interface CardSummary {
  cardId: string;
  name: string;
  classWord: string;
  createdAt: string;
  /** Of its tokens. */
  sizeBytes: number;
  references: number;
  preview: Blob | null;
  base: string;
  imported: boolean;
  /** Whether its pictures are kept beside it; imported cards have none. */
  pictured: boolean;
}

/** A card in hand again: what it holds, and its pictures, read again. */
export interface OpenedCard { card: CardSummary; object: ObjectInHand; pictures: (ReferencePicture & PictureInfo & { file: Blob })[] }

/** Idle pictures of the object in other places. */
export type PlacesParams = Omit<DrawParams, 'withBase' | 'prompt'> & { prompts: string[] };
