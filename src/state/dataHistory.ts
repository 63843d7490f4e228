/**
 * Undo for what goes in: pictures, crops, masks, heads, captions, class word and kind. A moment is what they were before a change; changes
 * of one field in a row are one moment, so that typing is undone at once. Pictures that were removed stay until no moment has them.
 */
import type { ConceptWords } from '../protocol/captions';
import type { CardMask } from './objects';
import type { Card } from './pictures';

/** What is undone together. Cards are taken as they are, but for what the worker has made of them since. */
export interface Moment {
  id: number;
  /** What was done then, in words: "Remove 3.png". */
  label: string;
  /** Changes with the same one, in a row, are one; null is never another's. */
  of: string | null;
  cards: readonly Card[];
  masks: Readonly<Record<string, CardMask>>;
  selectedId: string | null;
  words: ConceptWords;
  /** What the captions were last made for; its class word is never empty once there was one. */
  captioned: ConceptWords;
  conceptName: string;
  conceptNamed: boolean;
}

/** Enough to go back through an afternoon of captions. */
const MOST_MOMENTS = 50;

/** The history with one more; unchanged where the last change was of the same. */
export function withMoment(history: readonly Moment[], moment: Omit<Moment, 'id'>): readonly Moment[] {
  const last = history.at(-1);
  return last && last.of !== null && last.of === moment.of ? history : [...history, { ...moment, id: (last?.id ?? 0) + 1 }].slice(-MOST_MOMENTS);
}

/** Ids of all pictures that can still come back. */
export const idsWithin = (history: readonly Moment[]): Set<string> => new Set(history.flatMap(({ cards }) => cards.map(({ pictureId }) => pictureId)));

/** Masks of a moment, and those that were found only since. */
export const masksAgain = ({ masks }: Moment, present: Moment['masks']): Moment['masks'] => ({ ...present, ...masks });

/** Cards of a moment, each with its bitmaps and fit of now. One that was removed while it was read is gone. */
export function cardsAgain(moment: Moment, present: ReadonlyMap<string, Card>): Card[] {
  return moment.cards.flatMap((then) => {
    const now = present.get(then.pictureId);
    return now ? [{ ...now, crop: then.crop ?? now.crop, captions: then.captions }] : [];
  });
}
