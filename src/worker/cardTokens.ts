/** Whether a card's tokens say something to the encoder of the base in use, and those tokens on the device. */
import * as tf from '../engine/tf';
import type { Tensor3D } from '../engine/tf';
import type { CardTokens } from '../formats/cardFile';
import { fromHalf } from '../formats/float16';
import { ADAPTER_FOLDERS, type Base } from '../pipeline/base';
import { Fault } from '../protocol/faults';
import type { SightKind } from '../protocol/objects';
import type { Opening } from './opening';

type Card = { base: string; encoder: string; name: string; kind?: SightKind };

/** SHA-256 of the base's encoder of a kind; empty where its files have none, in imported models. */
export async function encoderOf(opening: Opening, kind: SightKind): Promise<string> {
  const { stored } = await opening.all();
  return stored.files[`${ADAPTER_FOLDERS[kind]}/model.safetensors`]?.sha256 ?? '';
}

/** The base's encoder of a kind. Fault `base-mismatch` where it has none. */
export function encoderPart({ parts }: Pick<Base, 'parts'>, kind: SightKind): NonNullable<Base['parts'][SightKind]> {
  const part = parts[kind];
  if (!part) throw new Fault('base-mismatch', `This model has no ${kind === 'object' ? 'object' : 'face'} encoder, so it can’t draw from a card.`, 'Use the model that the card was made with.');
  return part;
}

export const fits = async (opening: Opening, { base, encoder, kind = 'object' }: Card): Promise<boolean> => base === opening.baseId && encoder === (await encoderOf(opening, kind));

/** Fault `base-mismatch` for a card of another base, on one without its kind of encoder, or of another encoder. */
export async function expectFits(opening: Opening, card: Card, { subject, remedy = 'Make the card again from its picture.' }: { subject: string; remedy?: string }): Promise<void> {
  opening.expectBase(card.base, card.name);
  encoderPart(await opening.base(), card.kind ?? 'object');
  if (!(await fits(opening, card))) throw new Fault('base-mismatch', `“${card.name}” was made by another version of the encoder, whose tokens say nothing to this one.`, remedy, { subject });
}

/** [1,N,width]; the caller's. */
export const tokensOnDevice = ({ count, width, halves }: CardTokens): Tensor3D => tf.tensor3d(Float32Array.from(halves, fromHalf), [1, count, width]);
