/** The objects of cards that a mix names, as long as it is at work: their tokens on the device, and the encoder's other half in place. */
import * as tf from '../engine/tf';
import { fromHalf } from '../formats/float16';
import { ADAPTER_FOLDERS, type Base } from '../pipeline/base';
import type { MixObjects } from '../pipeline/sampling/mixField';
import { Fault } from '../protocol/faults';
import { acting, cardsOf, type Mix } from '../protocol/mix';
import { getCard } from '../storage/cardStore';
import type { CardRecord } from '../storage/db';
import type { Opening } from './opening';

export interface HeldObjects { objects: MixObjects; release(): void }

/** Cards that are not stored are left out: what names one says so. Fault `base-mismatch` for one of another model or encoder where its guidance acts; else it is left out as well. */
export async function holdObjects(opening: Opening, base: Base, mix: Mix): Promise<HeldObjects> {
  const [ids, needed] = [cardsOf(mix), cardsOf({ guidances: acting(mix.guidances) })];
  if (ids.length === 0 || (!base.parts.object && needed.length === 0)) return { objects: new Map(), release: () => {} };
  if (!base.parts.object) throw new Fault('base-mismatch', 'This model has no object encoder, so it can’t draw from a card.', 'Use the model that the card was made with.');
  const { stored } = await opening.all();
  const encoder = stored.files[`${ADAPTER_FOLDERS.object}/model.safetensors`]?.sha256 ?? '';
  const cards: CardRecord[] = [];
  for (const cardId of ids) {
    const card = await getCard(await opening.db(), cardId).catch((error: unknown) => { if (Fault.is(error, 'concept-missing')) return null; throw error; });
    if (!card) continue;
    const fits = card.base === opening.baseId && card.encoder === encoder;
    if (!fits && !needed.includes(cardId)) continue;
    opening.expectBase(card.base, card.name);
    if (!fits) throw new Fault('base-mismatch', `“${card.name}” was made by another version of the object encoder, whose tokens say nothing to this one.`, 'Make the card again from its picture.', { subject: cardId });
    cards.push(card);
  }
  const { part: adapter, release } = await base.parts.object.lease();
  const tokens = cards.map(({ tokens: { count, width, halves } }) => tf.tensor3d(Float32Array.from(halves, fromHalf), [1, count, width]));
  return {
    objects: new Map(cards.map(({ cardId }, i) => [cardId, { adapter, tokens: tokens[i]! }])),
    release() {
      tf.dispose(tokens);
      release();
    },
  };
}
