/** Concept cards: keeping the object in hand, and what can be done with those on the Shelf. */
import type { ParamsOf, ResultOf } from '../protocol/messages';
import { likenessRange, type CardSummary } from '../protocol/objects';
import { wordsOf } from '../protocol/recipe';
import { startPrompt } from './params';
import { faultOf, type Slice } from './slice';
import { referencesOf } from './objects';
import { asking, leftWaits } from './shelf';

export interface ObjectCardsSlice {
  /** On the Shelf, newest first. */
  objectCards: readonly CardSummary[];
  /** Whether the session has said which there are. */
  cardsRead: boolean;
  /** The card that is open, or that was made of the object in hand. */
  card: CardSummary | null;
  /** Pictures that came with a card that was opened; null where none was. */
  openedPictures: readonly string[] | null;
  keepObject(): Promise<void>;
  refreshCards(): Promise<void>;
  openCard(cardId: string): Promise<void>;
  renameCard(cardId: string, name: string): Promise<void>;
  deleteCard(cardId: string): Promise<void>;
  exportCard(cardId: string): Promise<ResultOf<'exportCard'> | null>;
}

export const objectCardsSlice: Slice<ObjectCardsSlice> = ({ set, get, env }) => {
  const ask = asking(set);
  const changed = (card: CardSummary) => set({ objectCards: get().objectCards.map((each) => (each.cardId === card.cardId ? card : each)), ...(get().card?.cardId === card.cardId && { card }) });

  return {
    objectCards: [], cardsRead: false, card: null, openedPictures: null,

    async keepObject() {
      const { conceptName, recipe } = get();
      const pictures = referencesOf(get());
      const { classWord } = wordsOf(recipe);
      void get().askToPersist();
      set({ objectFault: null });
      try {
        const params: ParamsOf<'keepCard'> = { name: conceptName || (classWord.trim() === '' ? 'My picture' : `My ${classWord.trim()}`), classWord: classWord.trim(), pictures };
        const card = await env.client.request('keepCard', params);
        const { object } = get();
        set({ card, ...(object && { object: { ...object, cardId: card.cardId } }) });
        get().notify(`“${card.name}” is on the Shelf.`);
        await get().refreshCards();
      } catch (error) {
        set({ objectFault: faultOf(error) });
      }
    },

    async refreshCards() {
      await ask(null, async () => set({ objectCards: await env.client.request('cards', undefined), cardsRead: true }));
    },

    async openCard(cardId) {
      get().holdObject(true);
      const done = await ask(cardId, async () => {
        const { card, object, pictures } = await env.client.request('openCard', { cardId });
        const { run, kept } = get();
        const left = kept ? null : run;
        // the session has it in hand already, and nothing else
        set({ object: null });
        get().clearConcept(pictures.map(({ pictureId }) => pictureId));
        const kind = object.kind === 'identity' ? 'person' : 'instance';
        get().takeKind(kind);
        get().setField('classWord', card.classWord);
        get().takeObject(object, pictures, card);
        set({ tab: 'learn', conceptName: card.name, conceptNamed: true, balance: likenessRange.start[card.kind] });
        get().setParams({ prompt: startPrompt(kind, card.classWord) || 'a [V]' }, false);
        if (left) {
          get().notify(leftWaits(left));
          void get().findUnfinished();
        }
        get().outdateDrafts();
        await get().draw();
        return true;
      });
      if (done) return;
      // it could not be opened: what was in hand before is
      get().holdObject(false);
      await get().refreshObject();
    },

    async renameCard(cardId, name) {
      await ask(cardId, async () => changed(await env.client.request('renameCard', { cardId, name })));
    },

    async deleteCard(cardId) {
      await ask(cardId, async () => {
        await env.client.request('deleteCard', { cardId });
        const { object } = get();
        set({ objectCards: get().objectCards.filter((card) => card.cardId !== cardId), ...(get().card?.cardId === cardId && { card: null, object: object && { ...object, cardId: null } }) });
        await get().refreshObject();
      });
    },

    exportCard: (cardId) => ask(cardId, () => env.client.request('exportCard', { cardId })),
  };
};
