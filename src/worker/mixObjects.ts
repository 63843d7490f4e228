/** The objects of cards that a mix names, as long as it is at work: their tokens on the device, and the encoder's other half in place. */
import * as tf from '../engine/tf';
import type { Base } from '../pipeline/base';
import type { MixObjects } from '../pipeline/sampling/mixField';
import { Fault } from '../protocol/faults';
import { acting, cardsOf, type Mix } from '../protocol/mix';
import { getCard } from '../storage/cardStore';
import type { CardRecord } from '../storage/db';
import { expectFits, fits, objectPart, tokensOnDevice } from './cardTokens';
import type { Opening } from './opening';

export interface HeldObjects { objects: MixObjects; release(): void }

/** Cards that are not stored are left out: what names one says so. Fault `base-mismatch` for one of another model or encoder where its guidance acts; else it is left out as well. */
export async function holdObjects(opening: Opening, base: Base, mix: Mix): Promise<HeldObjects> {
  const [ids, needed] = [cardsOf(mix), cardsOf({ guidances: acting(mix.guidances) })];
  if (ids.length === 0 || (!base.parts.object && needed.length === 0)) return { objects: new Map(), release: () => {} };
  const encoder = objectPart(base);
  const cards: CardRecord[] = [];
  for (const cardId of ids) {
    const card = await getCard(await opening.db(), cardId).catch((error: unknown) => { if (Fault.is(error, 'concept-missing')) return null; throw error; });
    if (!card) continue;
    if (needed.includes(cardId)) await expectFits(opening, card, { subject: cardId });
    else if (!(await fits(opening, card))) continue;
    cards.push(card);
  }
  const { part: adapter, release } = await encoder.lease();
  const tokens = cards.map((card) => tokensOnDevice(card.tokens));
  return {
    objects: new Map(cards.map(({ cardId }, i) => [cardId, { adapter, tokens: tokens[i]! }])),
    release() {
      tf.dispose(tokens);
      release();
    },
  };
}
