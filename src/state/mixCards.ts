/** Cards of the Shelf in a mix: which can take part here, why one can't, and what is drawn meanwhile. */
import type { Mix, MixGuidance, MixSource } from '../protocol/mix';
import type { CardSummary } from '../protocol/objects';
import { ofBase } from './models';
import type { StudioState } from './slice';

type Shelf = Pick<StudioState, 'objectCards' | 'cardsRead' | 'usedBase' | 'ready'>;

const encodes = ({ ready }: Pick<Shelf, 'ready'>, { kind }: Pick<CardSummary, 'kind'>): boolean => (kind === 'object' ? ready?.objects : ready?.faces) ?? false;

/** Those that a guidance can be added from: none of a kind that the model has no encoder for. */
export const cardsToMix = (shelf: Pick<Shelf, 'objectCards' | 'usedBase' | 'ready'>): CardSummary[] => ofBase(shelf.objectCards, shelf).filter((card) => encodes(shelf, card));

/** Why an object can't act and what to do, in words; null for all that can, and while it isn't known yet. */
export function whySilent(source: MixSource, { objectCards, cardsRead, usedBase, ready }: Shelf): string | null {
  if (source.kind !== 'object' || !ready || !cardsRead) return null;
  const card = objectCards.find(({ cardId }) => cardId === source.object.cardId);
  if (card ? !encodes({ ready }, card) : !ready.objects && !ready.faces) return `Does not act: this model has no ${card?.kind === 'identity' ? 'face' : 'object'} encoder. Use the model that the card was made with.`;
  if (!card) return `Does not act: ${source.name === '' ? 'its card' : `“${source.name}”`} is not on this Shelf. Import the card’s file, or take this away.`;
  return card.base === usedBase.id ? null : 'Does not act: the card was made with another model. Use that one, or make the card again from its picture.';
}

/** A card of the same name, for an object whose own is gone: an imported file is a card of its own. The newest. */
export function sameCard(source: MixSource, shelf: Shelf): CardSummary | null {
  if (source.kind !== 'object' || !shelf.cardsRead || source.name === '' || shelf.objectCards.some(({ cardId }) => cardId === source.object.cardId)) return null;
  return cardsToMix(shelf).find(({ name }) => name === source.name) ?? null;
}

/** Ids of the guidances that can't act. */
export const silent = ({ guidances }: Pick<Mix, 'guidances'>, shelf: Shelf): string[] => guidances.flatMap(({ id, source }) => (whySilent(source, shelf) === null ? [] : [id]));

/** The mix as it is drawn here: what can't act is muted, and keeps all else, so that it acts again when it can. */
export function drawnMix(mix: Mix, shelf: Shelf): Mix {
  const off = silent(mix, shelf);
  return off.length === 0 ? mix : { ...mix, guidances: mix.guidances.map((each) => (off.includes(each.id) ? { ...each, muted: true } : each)) };
}

/** What a guidance is called on the page. */
export function guidanceName({ source }: Pick<MixGuidance, 'source'>, { concepts, objectCards }: Pick<StudioState, 'concepts' | 'objectCards'>): string {
  if (source.kind === 'concept') return concepts.find(({ conceptId }) => conceptId === source.conceptId)?.name ?? 'Not on this Shelf';
  if (source.kind === 'object') return objectCards.find(({ cardId }) => cardId === source.object.cardId)?.name ?? (source.name || 'Card not on this Shelf');
  return source.words === null ? 'The prompt' : source.words || 'Text';
}
