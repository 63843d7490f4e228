/**
 * What comes out: prompt and parameters, the twins, the strip over training, and the balance slider's ways —
 * drafts while it moves, a full picture once it rests, full pictures of idle time to pass through.
 */
import type { FaultData } from '../protocol/faults';
import type { Events } from '../protocol/messages';
import type { PictureEvent } from '../protocol/pictures';
import { closeAll, replaceBitmap } from './bitmaps';
import { tickBalances, balanceRange, defaultParams, type DrawingParams } from './params';
import { FIRST_LIVE_STEP } from '../protocol/limits';
import { isObject, wantedCards } from './objects';
import { isMoving } from '../protocol/run';
import { faultOf, type Slice, type StudioState } from './slice';
import { askedKey, differences, sameBalance, skippingLayers, takesPlace } from './twins';

/** A slider at rest this long starts the full sampler. */
const REST_MS = 450;
/** A pause in typing this long recomputes what the drafts show. */
const TYPING_MS = 500;

export interface StripEntry { step: number; concept: PictureEvent | null; customBase: PictureEvent | null }

export interface DrawingSlice extends DrawingParams {
  /** Whether the user wrote the prompt; until then it follows the class word. */
  promptWritten: boolean;
  twins: { base: PictureEvent | null; concept: PictureEvent | null };
  /** The untouched base's twin of the strip. */
  original: PictureEvent | null;
  strip: readonly StripEntry[];
  stripSide: 'concept' | 'customBase';
  /** Step of the strip that the twins show instead of the present. */
  pinnedStep: number | null;
  ticks: readonly PictureEvent[];
  drawing: boolean;
  sampling: Events['drawing'] | null;
  drawFault: FaultData | null;
  setParams(params: Partial<DrawingParams>, written?: boolean): void;
  setBalance(balance: number): void;
  draw(): Promise<void>;
  /** Draws the base as soon as there are pictures and a prompt, so that there is something to see; later only when asked. */
  drawFirst(): void;
  cancelDraw(): void;
  /** The concept's picture as PNG with its parameters in it; null after a fault, which then stands under the prompt. */
  pictureFile(): Promise<{ blob: Blob; name: string } | null>;
  pin(step: number | null): void;
  setStripSide(side: 'concept' | 'customBase'): void;
  clearTwins(): void;
  /** Puts a picture where it belongs. */
  showPicture(picture: PictureEvent): void;
  /** Another object is in hand: what drafts there are show the one before. */
  outdateDrafts(): void;
  /** Training has ended: drafts and pictures are of the finished student from here on. */
  settle(): void;
}

/** Whether there is a concept to balance: one that was opened, a run far enough for drafts, or an object of pictures. */
export const isLive = ({ opened, run, object }: Pick<StudioState, 'opened' | 'run' | 'object'>): boolean => opened !== null || isObject({ opened, run, object }) || (run !== null && run.step >= Math.min(FIRST_LIVE_STEP, run.totalSteps));

/** The full picture of idle time at this balance, if there is one. */
export function tickAt(ticks: readonly PictureEvent[], balance: number): PictureEvent | null {
  return ticks.find((tick) => tick.slot.kind === 'tick' && sameBalance(tick.slot.balance, balance)) ?? null;
}

export const drawingSlice: Slice<DrawingSlice> = ({ set, get, env }) => {
  let draws = 0;
  let stopRest = () => {};
  let stopTyping = () => {};
  /** Something was typed, or another object taken, that no drafts are of yet. */
  let outdated = false;

  const isAsked = (picture: PictureEvent) => differences(picture, askedKey(get())).length === 0;
  /** A picture of the present prompt takes its twin's place where it is better than what stands there; any other is too late. */
  /** A draft of an object that was in hand before. */
  const isOfAnother = ({ state, object }: PictureEvent) => (state === 'draft' || state === 'draft-linear') && (object ?? null) !== (isObject(get()) ? get().object!.revision : null);
  const placeTwin = (side: 'base' | 'concept') => (picture: PictureEvent) => {
    const standing = get().twins[side];
    const wanted = isAsked(picture) && (side === 'base' || (sameBalance(picture.balance, get().balance) && !isOfAnother(picture)));
    if (!wanted || !takesPlace(picture, standing, askedKey(get()))) return void picture.bitmap.close();
    set({ twins: { ...get().twins, [side]: replaceBitmap(standing, picture) } });
  };
  const place: Partial<Record<PictureEvent['slot']['kind'], (picture: PictureEvent) => void>> = {
    base: placeTwin('base'),
    concept: placeTwin('concept'),
    original: (picture) => set({ original: replaceBitmap(get().original, picture) }),
    tick(picture) {
      if (!isAsked(picture) || picture.atStep !== (get().run?.step ?? null)) return void picture.bitmap.close();
      const balance = picture.slot.kind === 'tick' ? picture.slot.balance : picture.balance;
      const old = tickAt(get().ticks, balance);
      replaceBitmap(old, picture);
      set({ ticks: [...get().ticks.filter((tick) => tick !== old), picture] });
    },
    strip(picture) {
      if (picture.slot.kind !== 'strip') return;
      const { step, side } = picture.slot;
      const old = get().strip.find((entry) => entry.step === step) ?? { step, concept: null, customBase: null };
      const entry = { ...old, [side]: replaceBitmap(old[side], picture) };
      set({ strip: [...get().strip.filter((other) => other.step !== step), entry].sort((a, b) => a.step - b.step) });
    },
  };
  env.client.on('picture', (picture) => place[picture.slot.kind]?.(picture));
  env.client.on('drawing', (sampling) => { if (get().drawing) set({ sampling }); });
  // While steps are made the drafts follow them; a full picture of what is asked for is not taken back to a draft.
  env.client.on('probed', () => {
    const { twins, drawing, balance } = get();
    const full = twins.concept?.state === 'full' && isAsked(twins.concept) && sameBalance(twins.concept.balance, balance);
    if (!drawing && !full) env.client.balance(balance);
  });
  // full pictures of idle time are of a concept that stands still
  env.client.on('run', (run) => { if (isMoving(run) && get().ticks.length > 0) dropTicks(); });

  const params = (): DrawingParams => {
    const { prompt, negative, seed, steps, sampler, guidance, balance } = get();
    return { prompt, negative, seed, steps, sampler, skipLayers: skippingLayers(get()), guidance, balance };
  };
  const dropTicks = () => {
    closeAll(get().ticks);
    set({ ticks: [] });
  };
  const reprobe = () => {
    outdated = false;
    if (!isLive(get()) || !get().ready) return get().drawFirst();
    const { prompt, negative, seed, guidance } = get();
    env.client.request('probe', { prompt, negative, seed, guidance }).catch((error: unknown) => set({ drawFault: faultOf(error) }));
  };
  const reprobeLater = () => {
    outdated = true;
    stopTyping();
    stopTyping = env.later(TYPING_MS, reprobe);
  };
  const drawTicks = () => {
    if (isMoving(get().run) || !isLive(get())) return;
    const missing = tickBalances.filter((balance) => !tickAt(get().ticks, balance));
    if (missing.length === 0) return;
    env.client.request('ticks', { ...params(), kind: askedKey(get()).kind, withBase: false, balances: missing }).catch((error: unknown) => set({ drawFault: faultOf(error) }));
  };

  return {
    ...defaultParams, promptWritten: false, twins: { base: null, concept: null }, original: null, strip: [], stripSide: 'concept', pinnedStep: null, ticks: [],
    drawing: false, sampling: null, drawFault: null,

    setParams(next, written = true) {
      const { balance, ...rest } = next;
      const changes = Object.entries(rest).some(([key, value]) => get()[key as keyof DrawingParams] !== value);
      set({ ...next, drawFault: null, ...(written && 'prompt' in next ? { promptWritten: true } : {}) });
      if (!changes) return;
      // what is being drawn would come too late; what the resting slider was about to draw would begin in the middle of a word
      stopRest();
      if (get().drawing) get().cancelDraw();
      dropTicks();
      reprobeLater();
    },

    setBalance(value) {
      const balance = Math.min(balanceRange.max, Math.max(balanceRange.min, value));
      set({ balance, pinnedStep: null, drawFault: null });
      if (!isLive(get()) || !get().ready) return;
      // A draw at the balance before would hold training up and put its picture over the drafts.
      if (get().drawing) get().cancelDraw();
      env.client.balance(balance);
      stopRest();
      stopRest = env.later(REST_MS, () => {
        if (tickAt(get().ticks, balance) === null) void get().draw();
      });
    },

    async draw() {
      stopRest();
      // what is drawn brings its own drafts
      stopTyping();
      const mine = ++draws;
      const { base } = get().twins;
      const sameBase = base?.state === 'full' && isAsked(base);
      set({ drawing: true, drawFault: null, pinnedStep: null, sampling: { step: 0, steps: get().steps } });
      try {
        await env.client.request('draw', { ...params(), kind: askedKey(get()).kind, withBase: !sameBase });
      } catch (error) {
        if (mine === draws) set({ drawFault: faultOf(error) });
      }
      if (mine !== draws) return;
      set({ drawing: false, sampling: null });
      if (get().drawFault !== null) return;
      outdated = false;
      if (isObject(get())) get().drawPlaces();
      else drawTicks();
    },

    drawFirst() {
      const { ready, run, opened, cards, prompt, promptWritten, drawing, twins: { base } } = get();
      // the object's own picture comes first, and the base's with it
      if (wantedCards(get())) return;
      if (!ready || run || opened || prompt.trim() === '' || !cards.some(({ state }) => state === 'ready')) return;
      // what is on its way is of the present prompt
      if (drawing || (base && (promptWritten || isAsked(base)))) return;
      void get().draw();
    },

    cancelDraw() {
      draws++;
      stopRest();
      // a picture that is not finished brings none
      if (outdated && isLive(get())) reprobeLater();
      set({ drawing: false, sampling: null });
      env.client.request('cancelDraw', undefined).catch((error: unknown) => set({ drawFault: faultOf(error) }));
    },

    async pictureFile() {
      const { revision = 0 } = get().twins.concept ?? {};
      try {
        const blob = await env.client.request('pictureFile', { slot: 'concept', revision });
        const name = get().conceptName.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-') || 'lamina';
        return { blob, name: `${name}-${get().seed}-${get().balance.toFixed(2)}.png` };
      } catch (error) {
        set({ drawFault: faultOf(error) });
        return null;
      }
    },

    outdateDrafts() { outdated = true; },

    pin: (pinnedStep) => set({ pinnedStep }),
    setStripSide: (stripSide) => set({ stripSide }),

    showPicture: (picture) => place[picture.slot.kind]?.(picture),

    clearTwins() {
      stopRest();
      const { twins, original, strip, ticks } = get();
      closeAll([twins.base, twins.concept, original, ...ticks, ...strip.flatMap((entry) => [entry.concept, entry.customBase])]);
      set({ twins: { base: null, concept: null }, original: null, strip: [], ticks: [], pinnedStep: null, drawFault: null });
    },

    settle() {
      dropTicks();
      if (get().prompt.trim() !== '') void get().draw();
    },
  };
};
