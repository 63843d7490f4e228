/**
 * An object or a face from pictures alone, without training: the pictures with their masks, what an encoder made of them (tokens, held by
 * the session and kept as a card), and how pictures drawn by them compare with the pictures given.
 */
import type { FaultData } from './faults';
import type { ObjectMask } from './objectMasks';
import type { Crop, DrawParams, PictureInfo } from './pictures';

/** What a picture is looked at as: a thing by the object encoder, somebody by the identity adapter. */
export type SightKind = 'object' | 'identity';

/** Strengths of the picture beside its words: 0 the text alone, 1 as the encoder was trained. A face begins as it was trained, where its four evaluations of a step are two. */
export const likenessRange = { min: 0, max: 1.4, step: 0.05, start: { object: 0.8, identity: 1 } satisfies Record<SightKind, number> } as const;

/** Words for somebody: who is called so can be drawn by the face alone. */
export const PEOPLE: readonly string[] = ['woman', 'man', 'girl', 'boy'];

/** A square of a crop in shares of its side; it may reach beyond. */
export interface Square { left: number; top: number; side: number }

/** A picture to be looked at: only what its mask covers is, and of somebody only what of that lies in the head's square. */
export interface ReferencePicture { pictureId: string; crop: Crop; mask: ObjectMask; head?: Square | null }

/**
 * How a face is seen while a picture is drawn. `startStep`: steps that are drawn without it first, which keep the words' layout. `look`:
 * PuLID's two modes, faithful to the face or leaving more to the words' style, or neither. `share`: the two pictures in hand are of two people,
 * who are mixed, and so much is the second; null: all pictures are of one.
 */
export interface Seeing { startStep: number; look: 'faithful' | 'plain' | 'style'; share: number | null }

export const startStepRange = { min: 0, max: 20 } as const;
export const shareRange = { min: 0, max: 1, step: 0.05, start: 0.5 } as const;
export const plainSeeing: Seeing = { startStep: 0, look: 'plain', share: null };

/** A mask found without being asked, with a reason why it can't be used as it is; of somebody, the heads of all who stand out, the largest first. */
export interface FoundMask { pictureId: string; mask: ObjectMask; fault: FaultData | null; heads: Square[] }

/** The object that the session holds. */
export interface ObjectInHand {
  kind: SightKind;
  /** Of a face; a thing is seen plainly. */
  seeing: Seeing;
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
  /** Mean cosine to the pictures given: CLIP-I of a thing, of a face that of the identity encoder's vectors. Null where the base can't see, or sees nobody. */
  likeness: number | null;
  /** Copied from the pictures, 0…1, the most of any (pipeline/measuring/copyScore.ts). Null where they aren't at hand. */
  copied: number | null;
}

export interface CardSummary {
  cardId: string;
  kind: SightKind;
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
