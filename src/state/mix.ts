/**
 * The Mix page: a picture's guidances and the ways to a picture of them. Whatever moves without a model call (weights, curves, masks,
 * who acts) shows as a draft at once, and as a full picture when it rests; whatever needs one waits for the typing to pause.
 */
import type { MixOverlap } from '../protocol/drafts';
import type { FaultData } from '../protocol/faults';
import { mixPictureKey, mixProbeKey, newGuidance, newObjectSource, parseMix, plainComposition, type Composition, type Mix, type MixGuidance, type MixSource } from '../protocol/mix';
import { calledNames, nameInPrompt, withoutCard, type MixConcept } from '../protocol/mixPlan';
import type { Events } from '../protocol/messages';
import type { PictureEvent } from '../protocol/pictures';
import type { ConceptSummary } from '../protocol/concepts';
import type { CardSummary } from '../protocol/objects';
import { closeAll, replaceBitmap } from './bitmaps';
import { keptMixes, rememberMixes, type KeptMix } from './keptMixes';
import { mixPresets, type MixPresetName } from './mixPresets';
import { cardsToMix, drawnMix, silent } from './mixCards';
import { ofBase } from './models';
import { faultOf, type Slice } from './slice';
import { defaultParams } from './params';

const REST_MS = 450;
const TYPING_MS = 500;
/** Other seeds of the same mix, drawn in idle time. */
export const MIX_SEEDS = 8;

export interface MixSlice {
  mix: Mix;
  /** The guidance whose curve and mask are being edited. */
  mixSelected: string | null;
  mixPicture: PictureEvent | null;
  /** The same concepts as merged LoRAs, drawn when asked for. */
  mixMerged: PictureEvent | null;
  mixSeedPictures: readonly PictureEvent[];
  mixOverlap: MixOverlap | null;
  mixDrawing: boolean;
  mixSampling: Events['drawing'] | null;
  mixFault: FaultData | null;
  mixesKept: readonly KeptMix[];
  /** The page is shown: begins with what the Shelf has, and asks for drafts. */
  enterMix(): void;
  leaveMix(): void;
  setMix(change: Partial<Omit<Mix, 'version' | 'guidances' | 'composition' | 'names'>>): void;
  setGuidance(id: string, change: Partial<Omit<MixGuidance, 'id'>>): void;
  setComposition(change: Partial<Composition>): void;
  addGuidance(source: MixSource): void;
  removeGuidance(id: string): void;
  /** Another card for an object whose own is gone; all else of its guidance stays. */
  seeCard(id: string, card: CardSummary): void;
  /** Up or down in priority. */
  moveGuidance(id: string, by: -1 | 1): void;
  selectGuidance(id: string | null): void;
  /** Both at once: weight of the prompt's own guidance, and of the concepts together in their present proportions. */
  setPad(control: number, concept: number): void;
  applyMixPreset(name: MixPresetName): void;
  drawMix(merged?: boolean): Promise<void>;
  stopMix(): void;
  mixPictureFile(): Promise<{ blob: Blob; name: string } | null>;
  /** Starts from a picture instead of from noise. */
  setMixStart(file: { file: Blob; name: string } | null): Promise<void>;
  keepMix(): void;
  forgetMix(name: string): void;
  /** A whole mix from a link, a picture or the kept ones. Fault `mix-invalid` stands on the page. */
  openMix(mix: unknown): void;
}

export const emptyMix: Mix = { version: 1, prompt: '', names: {}, seed: 42, steps: defaultParams.steps, sampler: defaultParams.sampler, guidance: 3, guidances: [], composition: plainComposition, start: null };

/** Concepts of the Shelf as prompts and presets know them. */
export const mixConcepts = (concepts: readonly ConceptSummary[]): ReadonlyMap<string, MixConcept> =>
  new Map(concepts.map(({ conceptId, name, kind, classWord }) => [conceptId, { conceptId, name, kind, classWord }]));

/** Which concept or card each [name] of a prompt is. */
function namesOf(prompt: string, concepts: readonly ConceptSummary[], cards: readonly CardSummary[], before: Mix['names']): Mix['names'] {
  return Object.fromEntries(calledNames(prompt).flatMap((name) => {
    const found = concepts.find((concept) => concept.kind !== 'world' && nameInPrompt(concept.name) === name)?.conceptId ?? cards.find((card) => nameInPrompt(card.name) === name)?.cardId ?? before[name];
    return found ? [[name, found]] : [];
  }));
}

/** What a picture or a card teaches, as opposed to words. */
const isConcept = ({ source }: MixGuidance): boolean => source.kind !== 'text';
/** The prompt's own guidance: text control. */
export const controlOf = ({ guidances }: Mix): MixGuidance | undefined => guidances.find(({ source }) => source.kind === 'text' && source.words === null);
export const conceptWeight = ({ guidances }: Mix): number => {
  const weights = guidances.filter(isConcept).map(({ weight }) => weight);
  return weights.length === 0 ? 0 : weights.reduce((a, b) => a + b, 0) / weights.length;
};
/** Concept or card that a source is of. */
const subjectOf = (source: MixSource): string | null => (source.kind === 'concept' ? source.conceptId : source.kind === 'object' ? source.object.cardId : null);
const bounded = (weight: number): number => Math.min(10, Math.max(-10, Math.round(weight * 100) / 100));

export const mixSlice: Slice<MixSlice> = ({ set, get, env }) => {
  let draws = 0;
  let entered = false;
  /** Whether the user has made the mix into something; until then it follows the Shelf. */
  let touched = false;
  let stopRest = () => {};
  let stopTyping = () => {};
  /** Probe key that the drafts have, or are about to. */
  let asked = '';

  const failed = (error: unknown) => set({ mixFault: faultOf(error) });
  /** What the session is asked for: without the objects that can't act. */
  const drawn = () => drawnMix(get().mix, get());
  const ofMix = (picture: PictureEvent) => picture.mix === mixPictureKey(drawn());
  env.client.on('picture', (picture) => {
    const { slot } = picture;
    if (slot.kind === 'mix-seed') {
      if (!ofMix(picture)) return void picture.bitmap.close();
      const old = get().mixSeedPictures.find(({ seed }) => seed === picture.seed) ?? null;
      replaceBitmap(old, picture);
      set({ mixSeedPictures: [...get().mixSeedPictures.filter((each) => each !== old), picture].sort((a, b) => a.seed - b.seed) });
    } else if (slot.kind === 'mix') {
      const key = slot.merged ? 'mixMerged' : 'mixPicture';
      const standing = get()[key];
      const current = ofMix(picture) && picture.seed === get().mix.seed;
      const worse = picture.state.startsWith('draft') && (standing?.state === 'full' || standing?.state === 'quick') && ofMix(standing) && standing.seed === picture.seed;
      if (!current || worse) return void picture.bitmap.close();
      set({ [key]: replaceBitmap(standing, picture) });
    }
  });
  env.client.on('drawing', (mixSampling) => { if (get().mixDrawing) set({ mixSampling }); });
  env.client.on('overlap', (mixOverlap) => set({ mixOverlap }));
  env.client.on('mixProbed', ({ key }) => {
    if (key !== mixProbeKey(get().mix)) return;
    env.client.mix(drawn());
    if (!get().mixDrawing) rest();
  });
  env.client.on('restarted', () => { if (entered) { asked = ''; reprobe(); } });
  env.client.on('ready', () => { if (entered) get().enterMix(); });

  const reprobe = () => {
    const { ready } = get();
    const mix = drawn();
    const key = `${mixProbeKey(mix)} ${silent(mix, get()).join(' ')}`;
    if (!entered || !ready || key === asked || mix.prompt.trim() === '') return;
    asked = key;
    env.client.request('probeMix', { mix }).catch((error: unknown) => { if (asked === key) asked = ''; failed(error); });
  };
  const rest = () => {
    stopRest();
    stopRest = env.later(REST_MS, () => {
      const { mix, mixPicture: standing } = get();
      const full = standing?.state === 'full' && ofMix(standing) && standing.seed === mix.seed;
      if (entered && !full && mix.prompt.trim() !== '') void get().drawMix();
    });
  };
  /** Takes a changed mix: drafts at once where no model call is needed, else a probe when the typing pauses. */
  const take = (mix: Mix) => {
    const before = get().mix;
    if (mixPictureKey(mix) === mixPictureKey(before) && mix.seed === before.seed && mixProbeKey(mix) === mixProbeKey(before)) return set({ mix });
    touched = true;
    if (get().mixDrawing) get().stopMix();
    const sameMix = mixPictureKey(mix) === mixPictureKey(before);
    if (!sameMix) closeAll(get().mixSeedPictures);
    set({ mix, mixFault: null, ...(sameMix ? {} : { mixSeedPictures: [] }) });
    stopTyping();
    if (mixProbeKey(mix) !== mixProbeKey(before)) {
      stopRest();
      stopTyping = env.later(TYPING_MS, reprobe);
      return;
    }
    if (!entered || !get().ready) return;
    env.client.mix(drawn());
    rest();
  };
  /** The session need not keep the picture that a mix started from. */
  const forgetStart = () => {
    const { start } = get().mix;
    if (start) env.client.request('forgetPicture', { pictureId: start.pictureId }).catch(failed);
  };
  const guidancesTo = (guidances: MixGuidance[]) => take({ ...get().mix, guidances });
  const drawSeeds = () => {
    const mix = drawn();
    const seeds = Array.from({ length: MIX_SEEDS }, (_, i) => (mix.seed + i) % 2 ** 32).filter((seed) => !get().mixSeedPictures.some((picture) => picture.seed === seed));
    if (entered && seeds.length > 0) env.client.request('mixSeeds', { mix, seeds }).catch(failed);
  };

  return {
    mix: emptyMix, mixSelected: null, mixPicture: null, mixMerged: null, mixSeedPictures: [], mixOverlap: null, mixDrawing: false, mixSampling: null, mixFault: null, mixesKept: keptMixes(env.memory),

    enterMix() {
      entered = true;
      const { mix, concepts, opened, kept, mixSeedPictures } = get();
      // which cards there are decides what acts
      closeAll(mixSeedPictures.filter((each) => !ofMix(each)));
      set({ mixSeedPictures: mixSeedPictures.filter(ofMix) });
      if (!touched) {
        const first = ofBase([opened, kept, ...concepts].filter((each) => each !== null), get())[0];
        const name = first ? nameInPrompt(first.name) : '';
        const prompt = !first || first.kind === 'world' ? 'a dog in the snow' : first.kind === 'style' ? `a dog in the snow, [${name}]` : `a [${name}] ${first.classWord} in the snow`;
        set({ mix: { ...emptyMix, seed: mix.seed, prompt, names: first && first.kind !== 'world' ? { [name]: first.conceptId } : {}, guidances: [newGuidance(env.newId(), { kind: 'text', words: null }), ...(first ? [newGuidance(env.newId(), { kind: 'concept', conceptId: first.conceptId, words: null })] : [])] } });
      }
      reprobe();
    },

    leaveMix() {
      entered = false;
      asked = '';
      stopRest();
      stopTyping();
      draws++;
      set({ mixDrawing: false, mixSampling: null });
      if (get().ready) env.client.request('leaveMix', undefined).catch(failed);
    },

    setMix(change) {
      const before = get().mix;
      const mix = { ...before, ...change };
      if (change.prompt !== undefined) {
        const cards = cardsToMix(get());
        mix.names = namesOf(change.prompt, ofBase(get().concepts, get()), cards, before.names);
        // a concept or card that the prompt calls takes part
        const missing = Object.values(mix.names).filter((id) => !before.guidances.some(({ source }) => subjectOf(source) === id));
        const sourceOf = (id: string): MixSource => { const card = cards.find(({ cardId }) => cardId === id); return card ? newObjectSource(id, card) : { kind: 'concept', conceptId: id, words: null }; };
        mix.guidances = [...before.guidances, ...[...new Set(missing)].map((id) => newGuidance(env.newId(), sourceOf(id)))];
      }
      take(mix);
    },

    setGuidance: (id, change) => guidancesTo(get().mix.guidances.map((each) => (each.id === id ? { ...each, ...change } : each))),
    setComposition: (change) => take({ ...get().mix, composition: { ...get().mix.composition, ...change } }),
    addGuidance(source) {
      const made = newGuidance(env.newId(), source);
      guidancesTo([...get().mix.guidances, made]);
      set({ mixSelected: made.id });
    },
    removeGuidance(id) {
      const { mix } = get();
      const guidances = mix.guidances.filter((each) => each.id !== id);
      const source = mix.guidances.find((each) => each.id === id)?.source;
      if (source?.kind !== 'object' || guidances.some((each) => subjectOf(each.source) === source.object.cardId)) return guidancesTo(guidances);
      // nothing else of the mix knows how the card is said
      const called = Object.keys(mix.names).filter((name) => mix.names[name] === source.object.cardId);
      take({ ...mix, guidances, prompt: withoutCard(mix.prompt, called, source), names: Object.fromEntries(Object.entries(mix.names).filter(([name]) => !called.includes(name))) });
    },
    seeCard(id, card) {
      const { mix } = get();
      const source = mix.guidances.find((each) => each.id === id)?.source;
      if (source?.kind !== 'object') return;
      const { object: { cardId: gone } } = source;
      const again = ({ source: each }: MixGuidance): MixSource => (each.kind === 'object' && each.object.cardId === gone ? { ...newObjectSource(card.cardId, card), words: each.words, object: { ...each.object, cardId: card.cardId } } : each);
      take({ ...mix, guidances: mix.guidances.map((each) => ({ ...each, source: again(each) })), names: Object.fromEntries(Object.entries(mix.names).map(([name, named]) => [name, named === gone ? card.cardId : named])) });
    },
    moveGuidance(id, by) {
      const guidances = [...get().mix.guidances];
      const at = guidances.findIndex((each) => each.id === id);
      const to = at + by;
      if (at < 0 || to < 0 || to >= guidances.length) return;
      [guidances[at], guidances[to]] = [guidances[to]!, guidances[at]!];
      guidancesTo(guidances);
    },
    selectGuidance: (mixSelected) => set({ mixSelected }),

    setPad(control, concept) {
      const { mix } = get();
      const [mine, mean] = [controlOf(mix)?.id, conceptWeight(mix)];
      guidancesTo(mix.guidances.map((each) => {
        if (each.id === mine) return { ...each, weight: bounded(control) };
        if (!isConcept(each)) return each;
        return { ...each, weight: bounded(Math.abs(mean) < 1e-3 ? concept : (each.weight * concept) / mean) };
      }));
    },

    applyMixPreset(name) {
      const next = mixPresets[name].apply(get().mix, mixConcepts(ofBase(get().concepts, get())), env.newId);
      if (typeof next !== 'string') take(next);
    },

    async drawMix(merged = false) {
      stopRest();
      const mine = ++draws;
      set({ mixDrawing: true, mixFault: null, mixSampling: { step: 0, steps: get().mix.steps } });
      try {
        await env.client.request('drawMix', { mix: drawn(), merged });
      } catch (error) {
        if (mine === draws) failed(error);
      }
      if (mine !== draws) return;
      set({ mixDrawing: false, mixSampling: null });
      reprobe();
      if (get().mixFault === null) drawSeeds();
    },

    stopMix() {
      draws++;
      stopRest();
      set({ mixDrawing: false, mixSampling: null });
      env.client.request('cancelDraw', undefined).catch(failed);
    },

    async mixPictureFile() {
      try {
        const blob = await env.client.request('pictureFile', { slot: 'mix', revision: get().mixPicture?.revision ?? 0 });
        return { blob, name: `mix-${get().mix.seed}.png` };
      } catch (error) {
        failed(error);
        return null;
      }
    },

    async setMixStart(given) {
      if (!given) {
        forgetStart();
        return take({ ...get().mix, start: null });
      }
      try {
        const dropped = await env.client.request('drop', { ...given, pictureId: env.newId(), purpose: 'among' });
        if (dropped.kind !== 'picture') return get().notify(`${given.name} is not a picture to start from.`, 'bad');
        dropped.picture.bitmap.close();
        const { pictureId, crop } = dropped.picture;
        forgetStart();
        take({ ...get().mix, start: { pictureId, crop, sigma: get().mix.start?.sigma ?? 0.7 } });
      } catch (error) {
        failed(error);
      }
    },

    keepMix() {
      const { mix, mixesKept } = get();
      const kept = [{ name: mix.prompt, mix: { ...mix, start: null } }, ...mixesKept.filter(({ name }) => name !== mix.prompt)].slice(0, 20);
      set({ mixesKept: kept });
      get().notify(rememberMixes(env.memory, kept) ? 'The mix is kept under Presets.' : 'The browser remembers nothing for this page: copy the link to keep the mix.');
    },
    forgetMix(name) {
      const kept = get().mixesKept.filter((each) => each.name !== name);
      set({ mixesKept: kept });
      rememberMixes(env.memory, kept);
    },

    openMix(value) {
      try {
        take({ ...parseMix(value), start: null });
        set({ tab: 'mix', mixSelected: null });
      } catch (error) {
        failed(error);
        set({ tab: 'mix' });
      }
    },
  };
};
