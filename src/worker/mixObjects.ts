/** The objects and faces of cards that a mix names, as long as it is at work: their tokens on the device, and the encoders' other halves in place. */
import type { Tensor3D } from '../engine/tf';
import type { PictureAdapter } from '../models/objectEncoder';
import type { Base } from '../pipeline/base';
import type { MixObjects } from '../pipeline/sampling/mixField';
import { Fault } from '../protocol/faults';
import { acting, cardsOf, type Mix } from '../protocol/mix';
import { getCard } from '../storage/cardStore';
import type { CardRecord } from '../storage/db';
import { encoderPart, expectFits, fits, tokensOnDevice } from './cardTokens';
import type { Opening } from './opening';

export interface HeldObjects { objects: MixObjects; release(): void }

/** Cards that are not stored are left out: what names one says so. Fault `base-mismatch` for one of another model or encoder where its guidance acts; else it is left out as well. */
export async function holdObjects(opening: Opening, base: Base, mix: Mix): Promise<HeldObjects> {
  const [ids, needed] = [cardsOf(mix), cardsOf({ guidances: acting(mix.guidances) })];
  if (ids.length === 0 || (!base.parts.object && !base.parts.identity && needed.length === 0)) return { objects: new Map(), release: () => {} };
  const cards: CardRecord[] = [];
  for (const cardId of ids) {
    const card = await getCard(await opening.db(), cardId).catch((error: unknown) => { if (Fault.is(error, 'concept-missing')) return null; throw error; });
    if (!card) continue;
    if (needed.includes(cardId)) await expectFits(opening, card, { subject: cardId });
    else if (!(await fits(opening, card))) continue;
    cards.push(card);
  }
  const held: { adapter: PictureAdapter; tokens: Tensor3D; release(): void }[] = [];
  const release = () => held.forEach((each) => { each.tokens.dispose(); each.release(); });
  try {
    for (const { kind = 'object', tokens } of cards) {
      const lease = await encoderPart(base, kind).lease();
      held.push({ adapter: lease.part, tokens: tokensOnDevice(tokens), release: lease.release });
    }
  } catch (error) {
    release();
    throw error;
  }
  return { objects: new Map(cards.map(({ cardId }, i) => [cardId, { adapter: held[i]!.adapter, tokens: held[i]!.tokens }])), release };
}
