/**
 * What goes in: the cards, their crops and captions, the concept's name and class word. Each card owns its bitmaps.
 * A file that cannot be read stays as a card with its fault and never stops the others.
 */
import { captionProblem, deriveCaptions, prefillCaptions, type Captions } from '../protocol/captions';
import type { DropPurpose } from '../protocol/concepts';
import type { FaultData } from '../protocol/faults';
import type { Crop, FitCheck, PictureInfo } from '../protocol/pictures';
import { closeAll, replaceBitmap } from './bitmaps';
import { startPrompt } from './params';
import { readSample } from './samples';
import { faultOf, type Slice } from './slice';

export const MOST_PICTURES = 20;

export interface Card {
  pictureId: string;
  name: string;
  /** As it was dropped; null for pictures of a stored run, whose files the worker has. */
  file: Blob | null;
  state: 'reading' | 'ready' | 'faulty';
  info: PictureInfo | null;
  crop: Crop | null;
  captions: Captions;
  /** Which captions the user wrote; the others follow from Complete and the class word. */
  written: Record<keyof Captions, boolean>;
  fit: FitCheck | null;
  fitState: 'none' | 'checking' | 'done';
  fault: FaultData | null;
}

export interface NewFile { file: Blob; name: string; captions?: Captions }

export interface PicturesSlice {
  conceptName: string;
  conceptNamed: boolean;
  cards: readonly Card[];
  selectedId: string | null;
  inputFault: FaultData | null;
  loadingSample: string | null;
  addFiles(files: readonly NewFile[]): Promise<void>;
  removeCard(pictureId: string): void;
  select(pictureId: string): void;
  setCrop(pictureId: string, crop: Crop): void;
  setCaption(pictureId: string, which: keyof Captions, text: string): void;
  checkFit(pictureId: string): Promise<void>;
  setConceptName(name: string): void;
  setKind(kind: 'instance' | 'style'): void;
  setClassWord(word: string): void;
  loadSample(set: string): Promise<void>;
  clearPictures(): void;
}

/** A card of a stored run: the picture is read already and its captions are as they were learned. */
export function defaultCard({ pictureId, name, width, height, crop, captions, bitmap }: PictureInfo & { captions: Captions }): Card {
  const info = { pictureId, name, width, height, crop, bitmap };
  return { pictureId, name, file: null, state: 'ready', info, crop, captions, written: { complete: true, base: true, target: true }, fit: null, fitState: 'none', fault: null };
}

const unwritten = { complete: false, base: false, target: false };

export const picturesSlice: Slice<PicturesSlice> = ({ set, get, env }) => {
  const change = (pictureId: string, next: (card: Card) => Partial<Card>) =>
    set({ cards: get().cards.map((card) => (card.pictureId === pictureId ? { ...card, ...next(card) } : card)) });

  /** Captions after kind or class word changed: what the user wrote stays. */
  const recaption = (card: Card, oldWord: string): Captions => {
    const { kind, classWord } = get().recipe;
    if (!card.written.complete) return { ...prefillCaptions(kind, classWord), ...keep(card) };
    const complete = oldWord === '' ? card.captions.complete : card.captions.complete.replace(`[V] ${oldWord}`, `[V] ${classWord.trim()}`);
    return { ...deriveCaptions(complete, kind, classWord), ...keep(card) };
  };
  const keep = (card: Card): Partial<Captions> => ({
    ...(card.written.base ? { base: card.captions.base } : {}),
    ...(card.written.target ? { target: card.captions.target } : {}),
  });
  const refreshNames = () => {
    const { recipe, conceptNamed, promptWritten } = get();
    const word = recipe.kind === 'style' ? 'style' : recipe.classWord.trim();
    if (!conceptNamed) set({ conceptName: word === '' ? '' : `My ${word}` });
    if (!promptWritten) get().setParams({ prompt: startPrompt(recipe.kind, recipe.classWord) }, false);
  };

  const readFile = async (pictureId: string, { file, name }: NewFile, purpose: DropPurpose) => {
    try {
      const dropped = await env.client.request('drop', { file, name, pictureId, purpose });
      if (dropped.kind === 'picture') {
        const { drawn, animated } = dropped;
        if (animated) get().notify(`“${name}” is animated: its first frame is used.`);
        if (drawn) get().notify(`“${name}” says how it was drawn.`, 'plain', { label: 'Use its prompt', accept: () => { get().setParams(drawn.params); } });
        if (!get().cards.some((card) => card.pictureId === pictureId)) return void dropped.picture.bitmap.close();
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
    for (const { pictureId, name, file, state } of get().cards) {
      if (!file || state !== 'ready') continue;
      env.client.request('drop', { file, name, pictureId, purpose: 'among' })
        .then((dropped) => { if (dropped.kind === 'picture') dropped.picture.bitmap.close(); })
        .catch((error: unknown) => set({ inputFault: faultOf(error) }));
    }
  });

  return {
    conceptName: '', conceptNamed: false, cards: [], selectedId: null, inputFault: null, loadingSample: null,

    async addFiles(files) {
      set({ inputFault: null });
      const room = MOST_PICTURES - get().cards.length;
      const taken = files.slice(0, Math.max(0, room));
      if (files.length > taken.length) {
        const left = files.length - taken.length;
        set({ inputFault: { code: 'too-many-pictures', message: `${left === 1 ? 'One picture was' : `${left} pictures were`} left out: a concept takes up to ${MOST_PICTURES}.`, remedy: 'Remove some pictures first.' } });
      }
      const { kind, classWord } = get().recipe;
      const added = taken.map((file): Card => ({
        pictureId: env.newId(), name: file.name, file: file.file, state: 'reading', info: null, crop: null, captions: file.captions ?? prefillCaptions(kind, classWord),
        written: file.captions ? { complete: true, base: true, target: true } : unwritten, fit: null, fitState: 'none', fault: null,
      }));
      set({ cards: [...get().cards, ...added], selectedId: get().selectedId ?? added[0]?.pictureId ?? null });
      const purpose = get().cards.length > 1 ? 'among' : 'alone';
      await Promise.all(added.map((card, n) => readFile(card.pictureId, taken[n]!, purpose)));
    },

    removeCard(pictureId) {
      const { cards, selectedId } = get();
      const at = cards.findIndex((card) => card.pictureId === pictureId);
      const card = cards[at];
      if (!card) return;
      closeAll([card.info, card.fit]);
      const left = cards.filter((other) => other !== card);
      set({ cards: left, inputFault: null, selectedId: selectedId === pictureId ? (left[Math.min(at, left.length - 1)]?.pictureId ?? null) : selectedId });
      if (card.state === 'ready') env.client.request('forgetPicture', { pictureId }).catch((error: unknown) => set({ inputFault: faultOf(error) }));
    },

    select: (selectedId) => set({ selectedId }),

    setCrop(pictureId, crop) {
      change(pictureId, (card) => ({ crop, fit: replaceBitmap(card.fit, null), fitState: 'none' }));
      void get().checkFit(pictureId);
    },

    setCaption(pictureId, which, text) {
      const { kind, classWord } = get().recipe;
      change(pictureId, (card) => {
        const written = { ...card.written, [which]: true };
        if (which !== 'complete') return { written, captions: { ...card.captions, [which]: text } };
        return { written, captions: { ...deriveCaptions(text, kind, classWord), ...keep(card) } };
      });
    },

    async checkFit(pictureId) {
      const card = get().cards.find((other) => other.pictureId === pictureId);
      if (!card?.crop || !get().ready || card.fitState === 'checking') return;
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
      const old = get().recipe.classWord.trim();
      get().setField('kind', kind);
      set({ cards: get().cards.map((card) => ({ ...card, captions: recaption(card, old) })) });
      refreshNames();
    },

    setClassWord(word) {
      const old = get().recipe.classWord.trim();
      get().setField('classWord', word);
      set({ cards: get().cards.map((card) => ({ ...card, captions: recaption(card, old) })) });
      refreshNames();
    },

    async loadSample(name) {
      set({ loadingSample: name, inputFault: null });
      try {
        const sample = await readSample(env, name);
        get().clearPictures();
        set({ conceptName: sample.title, conceptNamed: true, promptWritten: false });
        get().setField('kind', sample.kind);
        get().setField('classWord', sample.classWord);
        refreshNames();
        await get().addFiles(sample.files);
      } catch (error) {
        set({ inputFault: faultOf(error) });
      } finally {
        set({ loadingSample: null });
      }
    },

    clearPictures() {
      for (const card of get().cards) get().removeCard(card.pictureId);
      set({ cards: [], selectedId: null, inputFault: null, conceptName: '', conceptNamed: false });
    },
  };
};

/** What keeps these pictures from being learned, in words, or null. */
export function picturesProblem(state: Pick<PicturesSlice, 'cards'> & { recipe: { kind: string; classWord: string } }): string | null {
  const usable = state.cards.filter((card) => card.state === 'ready');
  if (state.cards.some((card) => card.state === 'reading')) return 'Pictures are still being read.';
  if (usable.length === 0) return 'Drop at least one picture.';
  if (state.recipe.kind === 'instance' && state.recipe.classWord.trim() === '') return 'Give the class word: what is it in general?';
  for (const [n, card] of usable.entries()) {
    const problem = captionProblem(card.captions);
    if (problem) return `Picture ${n + 1}: ${problem}`;
  }
  return null;
}
