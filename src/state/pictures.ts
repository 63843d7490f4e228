/**
 * What goes in: the cards, their crops and captions, the concept's name and class word. Each card owns its bitmaps.
 * A file that cannot be read stays as a card with its fault and never stops the others.
 */
import { dropTogether, type NamedFile } from '../protocol/dropTogether';
import { captionProblem, changeCaptions, needsClassWord, prefillCaptions, type Captions, type ConceptKind, type ConceptWords } from '../protocol/captions';
import type { DropPurpose, FoundDrawing } from '../protocol/concepts';
import type { FaultData } from '../protocol/faults';
import type { Crop, FitCheck, PictureInfo } from '../protocol/pictures';
import { closeAll, replaceBitmap } from './bitmaps';
import { cardsAgain, idsWithin, masksAgain, withMoment, type Moment } from './dataHistory';
import { possibleParams, startPrompt } from './params';
import { SHOWN_PICTURES } from '../protocol/limits';
import { metaOf, wordsOf, type Recipe } from '../protocol/recipe';
import { readSample, sampleKind } from './samples';
import { faultOf, type Slice } from './slice';

export interface Card {
  pictureId: string;
  name: string;
  /** As it was dropped; null for pictures of a stored run, whose files the worker has. */
  file: Blob | null;
  state: 'reading' | 'ready' | 'faulty';
  info: PictureInfo | null;
  crop: Crop | null;
  captions: Captions;
  fit: FitCheck | null;
  fitState: 'none' | 'checking' | 'done';
  fault: FaultData | null;
}

export interface NewFile { file: Blob; name: string; captions?: Captions; /** The adapter_config.json and the learned word beside a LoRA. */ config?: Blob; word?: NamedFile }

export interface PicturesSlice {
  conceptName: string;
  conceptNamed: boolean;
  cards: readonly Card[];
  selectedId: string | null;
  inputFault: FaultData | null;
  loadingSample: string | null;
  /** What can be undone, the newest last. */
  history: readonly Moment[];
  /** What the captions were last made for; null where that is the recipe's. */
  captioned: ConceptWords | null;
  addFiles(files: readonly NewFile[]): Promise<void>;
  removeCard(pictureId: string): void;
  select(pictureId: string): void;
  setCrop(pictureId: string, crop: Crop): void;
  setCaption(pictureId: string, which: keyof Captions, text: string): void;
  checkFit(pictureId: string): Promise<void>;
  setConceptName(name: string): void;
  setKind(kind: ConceptKind): void;
  setClassWord(word: string): void;
  loadSample(set: string): Promise<void>;
  /** Puts all pictures away; undo brings them back. */
  startOver(): void;
  /** For good: nothing of it can be undone. `readAgain`: what the session has read anew meanwhile and is not to forget. */
  clearPictures(readAgain?: readonly string[]): void;
  /** Keeps what there is before a change for undo; `of` as a moment has it. Call it before anything is changed. */
  note(label: string, of: string | null): void;
  /** Takes the last change back, while nothing is being learned or open. */
  undo(): void;
  /** Name and prompt that follow from kind and class word, as far as the user has not written them. */
  suggestPrompt(): void;
  /** Cards of pictures that the worker has, in place of those that were there. */
  showCards(pictures: readonly (PictureInfo & { captions?: Captions })[]): void;
}

/** A card of a stored run: the picture is read already and its captions are as they were learned. */
export function defaultCard({ pictureId, name, width, height, crop, captions = prefillCaptions('world', ''), bitmap }: PictureInfo & { captions?: Captions }): Card {
  const info = { pictureId, name, width, height, crop, bitmap };
  return { pictureId, name, file: null, state: 'ready', info, crop, captions, fit: null, fitState: 'none', fault: null };
}

/** Pictures that are read side by side: decoded ones are large. */
const SIDE_BY_SIDE = 20;

async function fewAtATime<T>(all: readonly T[], work: (one: T, n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => { while (next < all.length) { const n = next++; await work(all[n]!, n); } };
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, all.length) }, worker));
}

export const picturesSlice: Slice<PicturesSlice> = ({ set, get, env }) => {
  const change = (pictureId: string, next: (card: Card) => Partial<Card>) =>
    set({ cards: get().cards.map((card) => (card.pictureId === pictureId ? { ...card, ...next(card) } : card)) });

  /** Removed cards that undo can still bring back, with their bitmaps. */
  const parked = new Map<string, Card>();
  const conceptWords = (): ConceptWords => {
    const { kind, classWord } = wordsOf(get().recipe);
    return { kind, classWord };
  };
  /** What the captions were last made for. */
  const captionedFor = (): ConceptWords => get().captioned ?? conceptWords();
  const note: PicturesSlice['note'] = (label, of) => {
    const { history, cards, masks, selectedId, conceptName, conceptNamed } = get();
    set({ history: withMoment(history, { label, of, cards, masks, selectedId, words: conceptWords(), captioned: captionedFor(), conceptName, conceptNamed }) });
    forgetLost();
  };
  /** Frees the parked cards that nothing can bring back. */
  const forgetLost = () => {
    const kept = idsWithin(get().history);
    for (const [pictureId, card] of parked) {
      if (kept.has(pictureId)) continue;
      parked.delete(pictureId);
      closeAll([card.info, card.fit]);
      if (card.state === 'ready') env.client.request('forgetPicture', { pictureId }).catch((error: unknown) => set({ inputFault: faultOf(error) }));
    }
  };
  /** Pictures that the worker has read anew: it keeps them, and what was parked of them goes. */
  const unpark = (pictureIds: readonly string[]) => {
    for (const pictureId of pictureIds) {
      const card = parked.get(pictureId);
      if (card) closeAll([card.info, card.fit]);
      parked.delete(pictureId);
    }
  };
  const park = (cards: readonly Card[]) => { for (const card of cards) if (card.state !== 'reading') parked.set(card.pictureId, card); };

  /** Captions after kind or class word changed; typing goes on from what there was before its first letter. */
  const recaption = (words: ConceptWords) => {
    const { kind, classWord } = words;
    if (needsClassWord(kind) && classWord.trim() === '') return;
    const { cards: before, captioned } = get().history.at(-1)!;
    const captionsOf = new Map(before.map((card) => [card.pictureId, card.captions]));
    set({ captioned: words, cards: get().cards.map((card) => ({ ...card, captions: changeCaptions(captionsOf.get(card.pictureId) ?? card.captions, captioned, { to: words }) })) });
  };
  const refreshNames = () => {
    const { recipe, conceptNamed, promptWritten } = get();
    const { kind, classWord } = wordsOf(recipe);
    const word = kind === 'instance' ? classWord.trim() : kind;
    if (!conceptNamed) set({ conceptName: word === '' ? '' : `My ${word}` });
    if (!promptWritten) get().setParams({ prompt: startPrompt(kind, classWord) }, false);
  };

  const takeParams = (found: FoundDrawing['params']) => {
    const { params, said } = possibleParams(found);
    get().setParams(params);
    if (said !== '') get().notify(said);
  };

  const readFile = async (pictureId: string, { file, name, config, word }: NewFile, purpose: DropPurpose) => {
    try {
      const dropped = await env.client.request('drop', { file, name, pictureId, purpose, ...(config && { config }), ...(word && { word }) });
      if (dropped.kind === 'picture') {
        const { drawn, animated } = dropped;
        if (animated) get().notify(`“${name}” is animated: its first frame is used.`);
        if (drawn) get().notify(`“${name}” says how it was drawn.`, 'plain', drawn.mix ? { label: 'Open its mix', accept: () => { get().openMix(drawn.mix); } } : { label: 'Use its prompt', accept: () => { takeParams(drawn.params); } });
        const at = get().cards.findIndex((card) => card.pictureId === pictureId);
        if (at < 0 || at >= SHOWN_PICTURES) dropped.picture.bitmap.close();
        if (at < 0) return;
        change(pictureId, () => ({ state: 'ready', info: dropped.picture, crop: dropped.picture.crop }));
        const selected = get().cards.find((card) => card.pictureId === get().selectedId);
        if (selected?.state !== 'ready') set({ selectedId: pictureId });
        get().drawFirst();
        await get().checkFit(pictureId);
        return;
      }
      get().removeCard(pictureId);
      await get().acceptDropped(dropped, name);
    } catch (error) {
      const fault = faultOf(error);
      change(pictureId, () => ({ state: 'faulty', fault }));
    }
  };

  // A worker that replaces another has no pictures: it gets those on the cards again.
  env.client.on('compute', () => {
    void fewAtATime([...get().cards, ...parked.values()], async ({ pictureId, name, file, state }) => {
      if (!file || state !== 'ready') return;
      await env.client.request('drop', { file, name, pictureId, purpose: 'among' })
        .then((dropped) => { if (dropped.kind === 'picture') dropped.picture.bitmap.close(); })
        .catch((error: unknown) => set({ inputFault: faultOf(error) }));
    });
  });

  return {
    conceptName: '', conceptNamed: false, cards: [], selectedId: null, inputFault: null, loadingSample: null, history: [], captioned: null,

    async addFiles(given) {
      const files = dropTogether(given);
      set({ inputFault: null });
      const { most } = metaOf(get().recipe).pictures;
      const room = most - get().cards.length;
      const taken = files.slice(0, Math.max(0, room));
      if (files.length > taken.length) {
        const left = files.length - taken.length;
        set({ inputFault: { code: 'too-many-pictures', message: `${left === 1 ? 'One picture was' : `${left} pictures were`} left out: a ${get().recipe.kind === 'world' ? 'world' : 'concept'} takes up to ${most}.`, remedy: 'Remove some pictures first.' } });
      }
      const { kind, classWord } = get().recipe.kind === 'world' ? captionedFor() : conceptWords();
      if (taken.length > 0) note(taken.length === 1 ? `Add ${taken[0]!.name}` : `Add ${taken.length} pictures`, get().loadingSample === null ? null : 'sample');
      const added = taken.map((file): Card => ({
        pictureId: env.newId(), name: file.name, file: file.file, state: 'reading', info: null, crop: null, captions: file.captions ?? prefillCaptions(kind, classWord),
        fit: null, fitState: 'none', fault: null,
      }));
      set({ cards: [...get().cards, ...added], selectedId: get().selectedId ?? added[0]?.pictureId ?? null });
      const purpose = get().cards.length > 1 ? 'among' : 'alone';
      await fewAtATime(added, (card, n) => readFile(card.pictureId, taken[n]!, purpose));
    },

    removeCard(pictureId) {
      const { cards, selectedId } = get();
      const at = cards.findIndex((card) => card.pictureId === pictureId);
      const card = cards[at];
      if (!card) return;
      if (card.state === 'ready') {
        note(`Remove ${card.name}`, `remove ${pictureId}`);
        const { id } = get().history.at(-1)!;
        get().notify(`“${card.name}” is removed.`, 'plain', { label: 'Undo', accept: () => { if (get().history.at(-1)?.id === id) get().undo(); } });
      }
      park([card]);
      const left = cards.filter((other) => other !== card);
      set({ cards: left, inputFault: null, selectedId: selectedId === pictureId ? (left[Math.min(at, left.length - 1)]?.pictureId ?? null) : selectedId });
      forgetLost();
    },

    select: (selectedId) => set({ selectedId }),

    setCrop(pictureId, crop) {
      note('Crop', `crop ${pictureId}`);
      change(pictureId, (card) => ({ crop, fit: replaceBitmap(card.fit, null), fitState: 'none' }));
      void get().checkFit(pictureId);
    },

    setCaption(pictureId, which, text) {
      note('Caption', `${which} ${pictureId}`);
      change(pictureId, (card) => ({ captions: changeCaptions(card.captions, captionedFor(), { which, text }) }));
    },

    async checkFit(pictureId) {
      const at = get().cards.findIndex((other) => other.pictureId === pictureId);
      const card = get().cards[at];
      if (!card?.crop || at >= SHOWN_PICTURES || !get().ready || card.fitState === 'checking') return;
      change(pictureId, () => ({ fitState: 'checking' }));
      try {
        const fit = await env.client.request('fitCheck', { pictureId, crop: card.crop });
        if (!get().cards.some((other) => other.pictureId === pictureId)) return void fit.bitmap.close();
        change(pictureId, (now) => ({ fit: replaceBitmap(now.fit, fit), fitState: 'done' }));
      } catch (error) {
        const fault = faultOf(error);
        change(pictureId, () => ({ fitState: 'done', ...(fault ? { fault } : {}) }));
      }
    },

    setConceptName: (conceptName) => set({ conceptName, conceptNamed: conceptName !== '' }),

    setKind(kind) {
      note('Kind of concept', 'words');
      const captioned = captionedFor();
      get().takeKind(kind);
      // a world reads no captions: they wait as they are
      if (kind === 'world') set({ captioned });
      else recaption(conceptWords());
      refreshNames();
    },

    setClassWord(word) {
      note('Class word', 'words');
      get().setField('classWord', word);
      recaption(conceptWords());
      refreshNames();
    },

    async loadSample(name) {
      set({ loadingSample: name, inputFault: null });
      try {
        const sample = await readSample(env, name);
        if (get().run || get().opened) get().newConcept();
        note(`Load ${sample.title}`, 'sample');
        park(get().cards);
        set({ cards: [], selectedId: null, captioned: null });
        forgetLost();
        set({ conceptName: sample.title, conceptNamed: true, promptWritten: false });
        get().takeKind(sampleKind(name, sample.kind, get().ready?.faces ?? false));
        get().setField('classWord', sample.classWord);
        refreshNames();
        await get().addFiles(sample.files);
      } catch (error) {
        set({ inputFault: faultOf(error) });
      } finally {
        set({ loadingSample: null });
      }
    },

    startOver() {
      note('Start over', 'start over');
      park(get().cards);
      set({ cards: [], selectedId: null, captioned: null, inputFault: null, conceptName: '', conceptNamed: false, promptWritten: false });
      get().setField('classWord', '');
      refreshNames();
      get().notify('The pictures are put away.', 'plain', { label: 'Undo', accept: get().undo });
    },

    suggestPrompt: refreshNames,
    note,

    showCards(pictures) {
      const before = get().cards;
      park(before);
      unpark(pictures.map(({ pictureId }) => pictureId));
      set({ cards: pictures.map(defaultCard), history: [], captioned: null, selectedId: pictures[0]?.pictureId ?? null, inputFault: null });
      forgetLost();
    },

    clearPictures(readAgain = []) {
      park(get().cards);
      unpark(readAgain);
      set({ cards: [], history: [], captioned: null, selectedId: null, inputFault: null, conceptName: '', conceptNamed: false });
      forgetLost();
    },

    undo() {
      const { history, cards, run, opened } = get();
      const moment = history.at(-1);
      if (!moment || run || opened) return;
      const present = new Map([...parked, ...cards.map((card) => [card.pictureId, card] as const)]);
      const again = cardsAgain(moment, present);
      const masks = masksAgain(moment, get().masks);
      park(cards);
      for (const { pictureId } of again) parked.delete(pictureId);
      const { selectedId, captioned, conceptName, conceptNamed, words } = moment;
      set({ history: history.slice(0, -1), cards: again, masks, selectedId, captioned, conceptName, conceptNamed, inputFault: null });
      get().takeKind(words.kind);
      get().setField('classWord', words.classWord);
      refreshNames();
      forgetLost();
      for (const card of again) if (card.crop !== present.get(card.pictureId)?.crop) void get().checkFit(card.pictureId);
      void get().refreshObject();
    },
  };
};

/** What keeps these pictures from being learned, in words, or null. */
export function picturesProblem(state: Pick<PicturesSlice, 'cards'> & { recipe: Recipe }): string | null {
  const usable = state.cards.filter((card) => card.state === 'ready');
  if (state.cards.some((card) => card.state === 'reading')) return 'Pictures are still being read.';
  if (usable.length === 0) return 'Drop at least one picture.';
  const { least, most, captioned } = metaOf(state.recipe).pictures;
  if (usable.length < least) return `A world takes at least ${least} pictures; these are ${usable.length}.`;
  if (usable.length > most) return `A concept takes up to ${most} pictures; these are ${usable.length}. Remove some, or learn a world of them.`;
  if (needsClassWord(state.recipe.kind) && wordsOf(state.recipe).classWord.trim() === '') return 'Give the class word: what is it in general?';
  if (!captioned) return null;
  for (const [n, card] of usable.entries()) {
    const problem = captionProblem(card.captions);
    if (problem) return `Picture ${n + 1}: ${problem}`;
  }
  return null;
}
