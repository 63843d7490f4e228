/** Kept concepts: the list, the one that is open on Learn, and keeping, renaming, deleting, exporting, importing. */
import { dropTogether } from '../protocol/dropTogether';
import type { FaultData } from '../protocol/faults';
import type { ConceptSummary, Dropped, ExportOptions } from '../protocol/concepts';
import type { ResultOf } from '../protocol/messages';
import type { RunInfo } from '../protocol/run';
import { possibleParams, startPrompt } from './params';
import { isOpen } from './run';
import { faultOf, type Slice } from './slice';

export interface ShelfSlice {
  concepts: readonly ConceptSummary[];
  opened: ConceptSummary | null;
  /** The concept made of the present run, once kept. */
  kept: ConceptSummary | null;
  shelfBusy: boolean;
  /** Faults of one concept stand on its card; `conceptId` is null for those of the whole Shelf. */
  shelfFault: { conceptId: string | null; fault: FaultData } | null;
  refreshShelf(): Promise<void>;
  keep(): Promise<void>;
  openConcept(conceptId: string): Promise<void>;
  renameConcept(conceptId: string, name: string): Promise<void>;
  deleteConcept(conceptId: string): Promise<void>;
  exportConcept(conceptId: string, options: ExportOptions): Promise<ResultOf<'exportConcept'> | null>;
  /** The file of its learned word. */
  exportWord(conceptId: string): Promise<ResultOf<'exportWord'> | null>;
  /** Files dropped outside the Learn column or picked on the Shelf: a LoRA, a PNG with parameters, or a picture to learn from. */
  importFiles(files: readonly { file: Blob; name: string }[]): Promise<void>;
  acceptDropped(dropped: Exclude<Dropped, { kind: 'picture' }>, name: string): Promise<void>;
}

/** What becomes of a run when something else is opened. */
export const leftWaits = (run: RunInfo): string => `“${run.name}” waits ${isOpen(run) ? `at step ${run.step}, to be continued` : 'to be kept'}.`;

/** Runs what the Shelf is asked. A fault stands on the concept or card it concerns, and null is returned. */
export const asking = (set: (change: Partial<ShelfSlice>) => void) => async <T>(conceptId: string | null, action: () => Promise<T>): Promise<T | null> => {
  set({ shelfBusy: true, shelfFault: null });
  try {
    return await action();
  } catch (error) {
    const fault = faultOf(error);
    set({ shelfFault: fault && { conceptId, fault } });
    return null;
  } finally {
    set({ shelfBusy: false });
  }
};

export const shelfSlice: Slice<ShelfSlice> = ({ set, get, env }) => {
  const ask = asking(set);

  return {
    concepts: [], opened: null, kept: null, shelfBusy: false, shelfFault: null,

    async refreshShelf() {
      await ask(null, async () => set({ concepts: await env.client.request('concepts', undefined) }));
    },

    async keep() {
      void get().askToPersist();
      set({ runBusy: true, runFault: null });
      try {
        const kept = await env.client.request('keep', { name: get().conceptName || 'My concept' });
        set({ kept });
        get().notify(`“${kept.name}” is on the Shelf.`);
        await get().refreshShelf();
      } catch (error) {
        set({ runFault: faultOf(error) });
      } finally {
        set({ runBusy: false });
      }
    },

    async openConcept(conceptId) {
      await ask(conceptId, async () => {
        const opened = await env.client.request('openConcept', { conceptId });
        const { run, kept } = get();
        const left = kept ? null : run;
        get().clearConcept();
        set({ opened, tab: 'learn', measures: opened.measures, recipe: opened.recipe, conceptName: opened.name, conceptNamed: true });
        get().setParams({ prompt: startPrompt(opened.kind, opened.classWord) }, false);
        void get().draw();
        if (!left) return;
        get().notify(leftWaits(left));
        await get().findUnfinished();
      });
    },

    async renameConcept(conceptId, name) {
      await ask(conceptId, async () => {
        const renamed = await env.client.request('renameConcept', { conceptId, name });
        set({ concepts: get().concepts.map((concept) => (concept.conceptId === conceptId ? renamed : concept)), ...(get().opened?.conceptId === conceptId ? { opened: renamed, conceptName: name } : {}) });
      });
    },

    async deleteConcept(conceptId) {
      await ask(conceptId, async () => {
        await env.client.request('deleteConcept', { conceptId });
        if (get().opened?.conceptId === conceptId) get().newConcept();
        set({ concepts: get().concepts.filter((concept) => concept.conceptId !== conceptId) });
      });
    },

    exportWord: (conceptId) => ask(conceptId, () => env.client.request('exportWord', { conceptId })),
    exportConcept: (conceptId, options) => ask(conceptId, () => env.client.request('exportConcept', { conceptId, options })),

    async importFiles(files) {
      for (const { file, name, config, word } of dropTogether(files)) {
        await ask(null, async () => {
          const dropped = await env.client.request('drop', { file, name, pictureId: env.newId(), purpose: 'restore', ...(config && { config }), ...(word && { word }) });
          if (dropped.kind !== 'picture') return get().acceptDropped(dropped, name);
          dropped.picture.bitmap.close();
          set({ tab: 'learn' });
          await get().addFiles([{ file, name }]);
        });
      }
    },

    async acceptDropped(dropped, name) {
      if (dropped.kind === 'concept') {
        const { concept, matched, total, notes } = dropped;
        get().notify([`“${concept.name}” is on the Shelf${total === 0 ? '.' : `: ${matched} of ${total} layers of ${name} fit this base.`}`, ...notes].join(' '));
        await get().refreshShelf();
        return;
      }
      if (dropped.kind === 'card') {
        get().notify(`“${dropped.card.name}” is on the Shelf, a card of ${dropped.card.references === 1 ? 'one picture' : `${dropped.card.references} pictures`}.`);
        await get().refreshCards();
        return;
      }
      if (dropped.mix) {
        get().openMix(dropped.mix);
        get().notify(dropped.note || `The mix of ${name} is set.`);
        return;
      }
      if (dropped.conceptId) await get().openConcept(dropped.conceptId);
      const { params, said } = possibleParams(dropped.params);
      get().setParams(params);
      set({ tab: 'learn' });
      get().notify([dropped.note || `The parameters of ${name} are set.`, said].join(' ').trim());
    },
  };
};
