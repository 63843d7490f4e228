/** The data set before Learn survives a reload: what the cards, captions and recipe say is kept after a pause, and shown again at the start. */
import type { DataSet, DataSetLevel } from '../protocol/dataSet';
import { onBase } from '../protocol/recipe';
import type { Environment } from './client';
import { meantIn } from './objects';
import { faultOf, type Slice, type Studio, type StudioState } from './slice';

/** A pause in editing this long stores what was edited. */
const KEEP_MS = 500;

export interface DataSetSlice {
  /** Whether what an earlier visit left has been looked for; nothing is stored over it before. */
  dataSetRead: boolean;
  /** Of what is in hand: above 0 something else waits under it. */
  dataSetLevel: DataSetLevel;
  /** Shows the uppermost that is kept; `done` is the level of one that is put away for good. */
  restoreDataSet(done?: DataSetLevel): Promise<void>;
}

export const dataSetSlice: Slice<DataSetSlice> = ({ set, get, env }) => ({
  dataSetRead: false, dataSetLevel: 0,
  async restoreDataSet(done) {
    try {
      if (done !== undefined) await env.client.request('keepDataSet', { level: done, dataSet: null });
      const free = get().run === null && get().opened === null && get().cards.length === 0;
      const found = free ? await env.client.request('dataSet', undefined) : null;
      if (free && !found) set({ dataSetLevel: 0 });
      // somebody may have been quicker
      if (!found || found.pictures.length === 0 || get().run || get().cards.length > 0) return found?.pictures.forEach(({ bitmap }) => bitmap.close());
      const linked = get().linkedRecipe;
      get().showCards(found.pictures);
      const files = new Map(found.pictures.map(({ pictureId, file }) => [pictureId, file]));
      set({
        dataSetLevel: found.level, conceptName: found.name, conceptNamed: found.named, captioned: found.captioned, ...(linked ? {} : { recipe: onBase(found.recipe, get().usedBase.id) }),
        cards: get().cards.map((card) => ({ ...card, file: files.get(card.pictureId)! })),
      });
      get().takeMasks(found.pictures);
      get().suggestPrompt();
      for (const { pictureId } of found.pictures) void get().checkFit(pictureId);
    } catch (error) {
      set({ inputFault: faultOf(error) });
    } finally {
      set({ dataSetRead: true });
    }
  },
});

/** Whether what is in hand came with a card that was opened, and nothing else: the card has it. */
const isCard = ({ openedPictures, cards }: Pick<StudioState, 'openedPictures' | 'cards'>): boolean =>
  openedPictures !== null && cards.length === openedPictures.length && cards.every(({ pictureId }) => openedPictures.includes(pictureId));

/** Null where no picture is ready. */
function dataSetOf({ cards, recipe, conceptName, conceptNamed, captioned, masks }: StudioState): DataSet | null {
  const pictures = cards.flatMap(({ state, pictureId, crop, captions }) => (state === 'ready' && crop ? [{ pictureId, crop, captions, ...meantIn(masks[pictureId], crop) }] : []));
  return pictures.length === 0 ? null : { name: conceptName, named: conceptNamed, recipe, captioned, pictures };
}

/** Stores what is being put together whenever it has changed. Returns the function that ends it. */
export function followDataSet(studio: Studio, { client, later }: Pick<Environment, 'client' | 'later'>): () => void {
  let last: unknown[] = [];
  let stopWaiting = () => {};
  const keep = () => {
    const state = studio.getState();
    // under a concept of the Shelf, or a run of another tab, it waits as it is; a run has its pictures itself, and so has a card
    if (!state.dataSetRead || state.opened || state.elsewhere !== null) return;
    client.request('keepDataSet', { level: state.dataSetLevel, dataSet: state.run || isCard(state) ? null : dataSetOf(state) }).catch((error: unknown) => {
      const fault = faultOf(error);
      // the worker died over something else, and another takes its place
      if (fault?.code === 'worker-crashed' && studio.getState().restarting !== null) stopWaiting = later(KEEP_MS, keep);
      else studio.setState({ inputFault: fault });
    });
  };
  return studio.subscribe(({ cards, recipe, conceptName, run, opened, dataSetRead, masks }) => {
    const now = [cards, recipe, conceptName, masks, run === null, opened === null];
    if (!dataSetRead || now.every((value, i) => value === last[i])) return;
    last = now;
    stopWaiting();
    stopWaiting = later(KEEP_MS, keep);
  });
}
