/**
 * One picture is enough to draw by, where the base has an encoder for it: a mask is found for every picture, of somebody the head in it, what it covers is encoded in
 * one pass, and from then on the twins show it. What the pictures and masks ask for is compared with what was encoded (`refreshObject`),
 * so that dropping, cropping, brushing, undo and a new worker all take the same way.
 */
import type { FaultData } from '../protocol/faults';
import { likenessRange, PEOPLE, plainSeeing, type CardSummary, type ObjectFigures, type ObjectInHand, type OpenedCard, type ReferencePicture, type Seeing, type SightKind, type Square } from '../protocol/objects';
import { inverted, maskProblem, painted, sameMask, type ObjectMask, type Place } from '../protocol/objectMasks';
import type { Crop, MeantPart, PictureEvent } from '../protocol/pictures';
import { wordsOf } from '../protocol/recipe';
import { closeAll, replaceBitmap } from './bitmaps';
import { startPrompt } from './params';
import { placePrompts } from './places';
import { askedKey, differences, skippingLayers } from './twins';
import { faultOf, type Slice, type Studio, type StudioState } from './slice';

/** Radius of the brush, as a part of the picture's side. */
export const BRUSH = 0.045;
/** Pictures of one thing whose tokens fit on a card. */
export const MOST_REFERENCES = 8;

/** Where the head is, in a picture of somebody. `all`: whoever stands out. `chosen`: who is meant, null while nobody has said; `fault` then says why that is needed. */
interface CardHeads { all: readonly Square[]; chosen: Square | null; fault: FaultData | null }

/** A mask belongs to a crop; another crop has another one. Heads are looked for where a face is asked for, and null before. */
export interface CardMask { crop: Crop; mask: ObjectMask; /** As it was found, untouched. */ found: boolean; fault: FaultData | null; heads: CardHeads | null }

export interface ObjectsSlice {
  /** By picture. */
  masks: Readonly<Record<string, CardMask>>;
  /** What the session holds and draws; null before anything was encoded. */
  object: ObjectInHand | null;
  objectWork: 'finding' | 'encoding' | null;
  objectFault: FaultData | null;
  /** Of the newest full picture. */
  objectFigures: ObjectFigures | null;
  /** How faces are seen. */
  seeing: Seeing;
  /** The class word that was guessed from the picture; no longer a guess once another stands there. */
  guessed: string | null;
  /** The user goes on to learning: the page is laid out for that, with the object still in hand. */
  learningProperly: boolean;
  /** The same object elsewhere, by prompt. */
  places: readonly PictureEvent[];
  refreshObject(): Promise<void>;
  /** `from` null: a stroke begins, which undo takes back as a whole. */
  brushMask(pictureId: string, from: Place | null, to: Place, erase: boolean): void;
  invertMask(pictureId: string): void;
  /** The mask as it is found, whatever was brushed. */
  findMaskAgain(pictureId: string): void;
  /** Whose head it is, or where it is in truth. */
  chooseHead(pictureId: string, head: Square): void;
  setSeeing(change: Partial<Seeing>): void;
  /** Masks of pictures that were kept, with their crops. */
  takeMasks(pictures: readonly { pictureId: string; crop: Crop; mask?: ObjectMask; head?: Square | null }[]): void;
  learnProperly(on: boolean): void;
  /** While a card is opened nothing else is encoded. */
  holdObject(on: boolean): void;
  /** What the session has in hand by itself: a card that was opened, with its pictures. */
  takeObject(object: ObjectInHand, pictures: OpenedCard['pictures'], card: CardSummary): void;
  drawPlaces(): void;
  /** Nothing is in hand any more, here; the session lets go when something else comes. */
  forgetObject(): void;
}

/** A pause in brushing this long encodes what was brushed. */
const BRUSHED_MS = 350;

type Seen = Pick<StudioState, 'ready' | 'recipe' | 'run' | 'opened' | 'cards'>;

/** As what pictures are looked at, where the base can; null where what is asked for is learned, or can't be seen here. */
export function sightOf({ ready, recipe }: Pick<StudioState, 'ready' | 'recipe'>): SightKind | null {
  if (recipe.kind === 'instance' && ready?.objects) return 'object';
  return recipe.kind === 'person' && ready?.faces ? 'identity' : null;
}

/** Whether a thing's picture is called by a word for people, where faces can be drawn by: then the face alone says who it is. */
export const isCalledSomebody = ({ ready, recipe }: Pick<StudioState, 'ready' | 'recipe'>): boolean => sightOf({ ready, recipe }) === 'object' && ready!.faces === true && PEOPLE.includes(wordsOf(recipe).classWord.trim().toLowerCase());

/** Why a picture can't be encoded as it is; null where it can. */
export const problemOf = ({ fault, heads }: CardMask, sight: SightKind | null): FaultData | null => (sight !== 'identity' ? fault : heads?.chosen ? null : heads?.fault ?? null);

const usableAs = (mask: CardMask, sight: SightKind): boolean => (sight === 'identity' ? mask.heads?.chosen != null : mask.fault === null);

/** The pictures as they are encoded and kept: those with a mask, or a head, that can be used. */
export function referencesOf(state: Seen & Pick<StudioState, 'masks'>): ReferencePicture[] {
  const sight = sightOf(state);
  return (wantedCards(state) ?? []).flatMap(({ pictureId, crop }) => {
    const known = state.masks[pictureId];
    if (!known || !sight || !usableAs(known, sight)) return [];
    return [{ pictureId, crop, mask: known.mask, ...(sight === 'identity' && { head: known.heads!.chosen }) }];
  });
}

/** The pictures that are to be encoded; null where there is nothing to encode, or nothing to encode with. */
export function wantedCards({ ready, recipe, run, opened, cards }: Seen): { pictureId: string; crop: Crop }[] | null {
  if (!sightOf({ ready, recipe }) || run || opened || cards.some(({ state }) => state === 'reading')) return null;
  const wanted = cards.flatMap(({ state, pictureId, crop }) => (state === 'ready' && crop ? [{ pictureId, crop }] : []));
  return wanted.length > 0 && wanted.length <= MOST_REFERENCES ? wanted : null;
}

/** Whether the page is about one thing's picture, or one face's pictures: dropped, or of a card that is open, with them or without. */
export function isOnePicture(state: Seen & Pick<StudioState, 'object' | 'card' | 'learningProperly'>): boolean {
  const sight = sightOf(state);
  if (state.run || state.opened || state.learningProperly || !sight) return false;
  if (sight === 'identity' && state.cards.length > 1) return state.cards.length <= MOST_REFERENCES;
  return state.cards.length === 1 ? state.cards[0]!.state !== 'faulty' : state.cards.length === 0 && state.object !== null && state.card !== null && !state.card.pictured;
}

/** Whether what the balance moves is an object of pictures, not a learned concept. */
export const isObject = ({ object, run, opened }: Pick<StudioState, 'object' | 'run' | 'opened'>): boolean => object !== null && run === null && opened === null;

/** Whether it is a face. */
export const isFace = (state: Pick<StudioState, 'object' | 'run' | 'opened'>): boolean => isObject(state) && state.object?.kind === 'identity';

export const sameCrop = (a: Crop, b: Crop) => a.x === b.x && a.y === b.y && a.size === b.size;
export const sameHead = (a: Square | null, b: Square | null) => a === b || (a !== null && b !== null && a.left === b.left && a.top === b.top && a.side === b.side);
/** What was said by hand of a picture, while it is cropped as it was then: a mask that was brushed, a head that was framed or chosen. */
export function meantIn(known: CardMask | undefined, crop: Crop): MeantPart {
  if (!known || !sameCrop(known.crop, crop)) return {};
  const { found, mask, heads } = known;
  const framed = heads?.chosen && (heads.all.length !== 1 || heads.chosen !== heads.all[0]) ? heads.chosen : null;
  return found && !framed ? {} : { mask, ...(heads?.chosen && { head: heads.chosen }) };
}
const sameReferences = (a: readonly ReferencePicture[], b: readonly ReferencePicture[]) =>
  a.length === b.length && a.every(({ pictureId, crop, mask, head = null }, i) => pictureId === b[i]!.pictureId && sameCrop(crop, b[i]!.crop) && sameMask(mask, b[i]!.mask) && sameHead(head, b[i]!.head ?? null));

export const objectsSlice: Slice<ObjectsSlice> = ({ set, get, env }) => {
  /** What the session has encoded, or is encoding. */
  let encoded: readonly ReferencePicture[] = [];
  let encodedAs: SightKind = 'object';
  let newest = 0;
  let inFlight = new AbortController();
  /** A card is being opened, and will be what is in hand. */
  let held = false;
  let stopBrush = () => {};
  let stopSeeing = () => {};

  const ask = async (work: NonNullable<ObjectsSlice['objectWork']>, action: () => Promise<void>) => {
    const mine = ++newest;
    set({ objectWork: work, objectFault: null });
    try {
      await action();
    } catch (error) {
      // encoded again when it is wanted again
      if (mine === newest) {
        encoded = [];
        set({ objectFault: faultOf(error) });
      }
    } finally {
      if (mine === newest) set({ objectWork: null });
    }
  };

  /** Tells the session how the face is seen now, and draws it so. */
  const seeAnew = () => {
    const { seeing } = get();
    env.client.request('seeObject', seeing).then(async (object) => {
      if (!isFace(get()) || get().seeing !== seeing) return;
      closeAll(get().places);
      set({ object, objectFigures: null, places: [] });
      get().outdateDrafts();
      await get().draw();
    }).catch((error: unknown) => set({ objectFault: faultOf(error) }));
  };

  const letGo = () => { env.client.request('leaveObject', undefined).catch((error: unknown) => set({ objectFault: faultOf(error) })); };
  const putMask = (pictureId: string, mask: CardMask) => set({ masks: { ...get().masks, [pictureId]: mask } });

  const findMasks = async (wanted: readonly { pictureId: string; crop: Crop }[], kind: SightKind) => {
    for (const { pictureId, crop } of wanted) {
      const { mask, fault, heads: all } = await env.client.request('findMask', { pictureId, crop, kind });
      const heads: CardHeads | null = kind === 'identity' ? { all, chosen: fault ? null : (all[0] ?? null), fault } : null;
      // it may have been brushed, or gone, meanwhile
      const standing = get().masks[pictureId];
      if (!standing || !sameCrop(standing.crop, crop) || standing.found) putMask(pictureId, { crop, mask, found: true, fault: kind === 'object' ? fault : maskProblem(mask, pictureId), heads });
      else if (heads && standing.heads === null) putMask(pictureId, { ...standing, heads });
    }
  };

  const encode = (kind: SightKind, references: ReferencePicture[]) => ask('encoding', async () => {
    encoded = references;
    inFlight.abort();
    inFlight = new AbortController();
    const first = get().object?.kind !== kind;
    // who is mixed are the two pictures that were there
    if (references.length !== 2 && get().seeing.share !== null) set({ seeing: { ...get().seeing, share: null } });
    const { seeing } = get();
    const object = await env.client.request('encodeObject', { kind, pictures: references, seeing }, { signal: inFlight.signal });
    if (encoded !== references) {
      // too late to be stopped, and nobody's: neither another picture nor a card has taken its place
      if (encoded.length === 0 && !held && get().object === null) letGo();
      return;
    }
    // those of other places are of what was encoded before
    closeAll(get().places);
    set({ object, objectFigures: null, card: null, places: [] });
    if (first) set({ balance: likenessRange.start[kind] });
    const { classWord } = wordsOf(get().recipe);
    const [guess] = object.guesses;
    if (guess !== undefined && classWord.trim() === '') {
      set({ guessed: guess });
      get().setClassWord(guess);
    }
    get().outdateDrafts();
    if (!get().promptWritten) get().setParams({ prompt: startPrompt(get().recipe.kind, wordsOf(get().recipe).classWord) || 'a [V]' }, false);
    await get().draw();
  });

  const brushed = (pictureId: string, mask: ObjectMask) => {
    const standing = get().masks[pictureId];
    if (!standing) return;
    putMask(pictureId, { ...standing, mask, found: false, fault: maskProblem(mask, pictureId) });
    stopBrush();
    stopBrush = env.later(BRUSHED_MS, () => void get().refreshObject());
  };

  /** Of what is asked for now, whatever the place. */
  const isOfNow = (place: PictureEvent) => place.balance === get().balance && differences(place, { ...askedKey(get()), prompt: place.prompt }).length === 0;

  env.client.on('picture', (picture) => {
    if (picture.slot.kind === 'place') {
      if (!get().object || !isOfNow(picture)) return void picture.bitmap.close();
      const old = get().places.find(({ prompt }) => prompt === picture.prompt);
      replaceBitmap(old, picture);
      set({ places: [...get().places.filter((place) => place !== old), picture] });
    }
    if (picture.slot.kind === 'concept' && picture.state === 'full' && isObject(get())) {
      // copying and likeness are worth a notice, not a wait
      env.client.request('judgeObject', { revision: picture.revision })
        .then((objectFigures) => { if (isObject(get())) set({ objectFigures }); })
        .catch((error: unknown) => { const fault = faultOf(error); if (fault?.code !== 'busy') set({ objectFault: fault }); });
    }
  });
  // a worker that replaces another has neither pictures nor object
  env.client.on('restarted', () => {
    const { object, card } = get();
    if (!object || !isObject(get())) return;
    if (card) {
      // the session reads a card's pictures itself
      env.client.request('openCard', { cardId: card.cardId }).then((opened) => {
        closeAll(opened.pictures);
        if (get().card?.cardId !== card.cardId) return;
        set({ object: opened.object });
        if (opened.object.kind === 'identity') seeAnew();
      }).catch((error: unknown) => set({ objectFault: faultOf(error) }));
      return;
    }
    encoded = [];
    const files = get().cards.flatMap(({ pictureId, name, file, state }) => (file && state === 'ready' ? [{ pictureId, name, file }] : []));
    void Promise.all(files.map((each) => env.client.request('drop', { ...each, purpose: 'among' }).then((dropped) => { if (dropped.kind === 'picture') dropped.picture.bitmap.close(); })))
      .then(() => get().refreshObject()).catch((error: unknown) => set({ objectFault: faultOf(error) }));
  });

  return {
    masks: {}, object: null, objectWork: null, objectFault: null, objectFigures: null, seeing: plainSeeing, guessed: null, learningProperly: false, places: [],

    async refreshObject() {
      if (held) return;
      const wanted = wantedCards(get());
      if (!wanted) {
        // a card that came without pictures needs none
        const { object, card, cards, run, opened } = get();
        const alone = object !== null && card !== null && !card.pictured && cards.length === 0 && !run && !opened;
        if (!alone && (object || encoded.length > 0)) get().forgetObject();
        return;
      }
      const sight = sightOf(get())!;
      const missing = wanted.filter(({ pictureId, crop }) => { const known = get().masks[pictureId]; return !known || !sameCrop(known.crop, crop) || (sight === 'identity' && known.heads === null); });
      if (missing.length > 0) await ask('finding', () => findMasks(missing, sight));
      const now = wantedCards(get());
      if (held || !now || sightOf(get()) !== sight || now.some(({ pictureId, crop }, i) => pictureId !== wanted[i]?.pictureId || !sameCrop(crop, wanted[i].crop))) return;
      const usable = referencesOf(get());
      // a thing is not what is drawn while somebody is asked for
      if (usable.length === 0 && get().object && get().object!.kind !== sight) get().forgetObject();
      if (usable.length === 0 || (sameReferences(usable, encoded) && encodedAs === sight)) return;
      encodedAs = sight;
      await encode(sight, usable);
    },

    brushMask(pictureId, from, to, erase) {
      const standing = get().masks[pictureId];
      if (!standing) return;
      if (from === null) get().note('Brush the mask', null);
      brushed(pictureId, painted(standing.mask, from ?? to, to, BRUSH, erase));
    },
    invertMask(pictureId) {
      const standing = get().masks[pictureId];
      if (!standing) return;
      get().note('Invert the mask', null);
      brushed(pictureId, inverted(standing.mask));
    },
    findMaskAgain(pictureId) {
      const { [pictureId]: standing, ...others } = get().masks;
      if (!standing) return;
      get().note('Find the mask again', null);
      set({ masks: others });
      void get().refreshObject();
    },

    chooseHead(pictureId, chosen) {
      const standing = get().masks[pictureId];
      if (!standing) return;
      get().note('Choose the head', null);
      putMask(pictureId, { ...standing, heads: { all: standing.heads?.all ?? [], fault: standing.heads?.fault ?? null, chosen } });
      void get().refreshObject();
    },
    setSeeing(change) {
      const seeing = { ...get().seeing, ...change };
      const { look, startStep, share } = get().seeing;
      if (seeing.look === look && seeing.startStep === startStep && seeing.share === share) return;
      set({ seeing });
      stopSeeing();
      if (isFace(get())) stopSeeing = env.later(BRUSHED_MS, seeAnew);
    },

    takeMasks: (pictures) => set({ masks: { ...get().masks, ...Object.fromEntries(pictures.flatMap(({ pictureId, crop, mask, head = null }) => (mask ? [[pictureId, { crop, mask, found: false, fault: maskProblem(mask, pictureId), heads: head ? { all: [head], chosen: head, fault: null } : null }]] : []))) } }),

    learnProperly: (learningProperly) => set({ learningProperly }),

    holdObject(on) {
      held = on;
      newest++;
      // what is stopped here is not encoded: it is asked for again if no card takes its place
      if (on && get().objectWork === 'encoding') encoded = [];
      inFlight.abort();
      set({ objectWork: null });
    },

    takeObject(object, pictures, card) {
      held = false;
      encodedAs = object.kind;
      encoded = pictures.map(({ pictureId, crop, mask, head = null }) => ({ pictureId, crop, mask, ...(object.kind === 'identity' && { head }) }));
      const files = new Map(pictures.map(({ pictureId, file }) => [pictureId, file]));
      get().takeMasks(pictures);
      get().showCards(pictures);
      set({ dataSetLevel: get().dataSetLevel + 1, object, card, seeing: object.seeing, openedPictures: pictures.map(({ pictureId }) => pictureId), objectFigures: null, cards: get().cards.map((each) => ({ ...each, file: files.get(each.pictureId) ?? null })) });
    },

    drawPlaces() {
      const { negative, seed, steps, sampler, guidance, balance, prompt, places, vocabulary } = get();
      if (!isObject(get())) return;
      const drawn = new Set(places.filter(isOfNow).map((place) => place.prompt));
      const prompts = placePrompts(wordsOf(get().recipe).classWord, prompt, vocabulary).filter((each) => !drawn.has(each));
      if (prompts.length === 0) return;
      env.client.request('places', { prompts, negative, seed, steps, sampler, skipLayers: skippingLayers(get()), guidance, balance, kind: get().recipe.kind }).catch((error: unknown) => set({ drawFault: faultOf(error) }));
    },

    forgetObject() {
      newest++;
      encoded = [];
      inFlight.abort();
      stopBrush();
      stopSeeing();
      const { object, places, twins } = get();
      if (object) {
        letGo();
        // the next object's frame must not begin with this one's picture
        closeAll([twins.concept]);
        set({ twins: { ...twins, concept: null } });
      }
      closeAll(places);
      set({ object: null, card: null, objectFigures: null, objectFault: null, objectWork: null, places: [], learningProperly: false, guessed: null });
    },
  };
};

/** Looks after the object whenever the pictures, their crops, the kind or the base have changed. Returns the function that ends it. */
export function followObject(studio: Studio): () => void {
  let last: unknown[] = [];
  return studio.subscribe((state) => {
    const now = [state.ready, state.run === null, state.opened, state.recipe.kind, ...state.cards.flatMap(({ pictureId, state: read, crop }) => [pictureId, read, crop])];
    if (now.length === last.length && now.every((value, i) => value === last[i])) return;
    last = now;
    // what is about to follow in the same breath counts as one change
    queueMicrotask(() => void studio.getState().refreshObject());
  });
}

