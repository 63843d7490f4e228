/** Concept cards of the Shelf: the object in hand is kept, a kept one comes back into hand, files come and go. */
import { readCard, tokenBytes, writeCard } from '../formats/cardFile';
import { Fault } from '../protocol/faults';
import type { ParamsOf, ResultOf } from '../protocol/messages';
import type { CardSummary, OpenedCard } from '../protocol/objects';
import { deleteCard, getCard, listCards, putCard, renameCard } from '../storage/cardStore';
import type { CardRecord } from '../storage/db';
import { encoderOf, expectFits } from './cardTokens';
import type { Drawing } from './drawing';
import type { Objects } from './objects';
import type { Opening } from './opening';
import type { Pictures } from './pictures';

const summary = ({ cardId, kind = 'object', name, classWord, createdAt, references, preview, base, imported, tokens, pictures }: CardRecord): CardSummary =>
  ({ cardId, kind, name, classWord, createdAt, sizeBytes: tokenBytes(tokens), references, preview, base, imported, pictured: pictures.length > 0 });

export class Cards {
  constructor(private readonly opening: Opening, private readonly pictures: Pictures, private readonly drawing: Drawing, private readonly objects: Objects) {}

  async list(): Promise<CardSummary[]> {
    return (await listCards(await this.opening.db())).map(summary);
  }

  /** A second time it is the same card, as it is now. */
  async keep({ name, classWord, pictures }: ParamsOf<'keepCard'>): Promise<CardSummary> {
    const { inHand } = this.objects;
    if (!inHand) throw new Fault('concept-missing', 'There is nothing in hand that could be kept.', 'Drop a picture first.');
    const { info, tokens } = inHand;
    const record = await putCard(await this.opening.db(), {
      cardId: info.cardId ?? crypto.randomUUID(), kind: info.kind, name, createdAt: new Date().toISOString(), base: this.opening.baseId, encoder: await encoderOf(this.opening, info.kind), imported: false, classWord, references: info.references, tokens,
      preview: await this.drawing.preview(), pictures: pictures.map(({ pictureId, crop, mask, head = null }) => ({ ...this.pictures.get(pictureId), crop, mask, head })),
    });
    info.cardId = record.cardId;
    return summary(record);
  }

  /** `leave` ends what there is before, once nothing more can go wrong. */
  async open(cardId: string, leave: () => Promise<void>): Promise<OpenedCard> {
    const record = await getCard(await this.opening.db(), cardId);
    await expectFits(this.opening, record, { subject: cardId, ...(record.pictures.length > 0 && { remedy: 'Drop its picture again.' }) });
    const pictures: OpenedCard['pictures'] = [];
    try {
      for (const { pictureId, name, crop, mask, head = null, file } of record.pictures) {
        const { animated: _, ...read } = await this.pictures.add(file, name, pictureId);
        pictures.push({ ...read, crop, mask, head, file });
      }
      const object = await this.objects.open(record, pictures, leave);
      return { card: summary(record), object, pictures };
    } catch (error) {
      pictures.forEach(({ bitmap }) => bitmap.close());
      throw error;
    }
  }

  async rename({ cardId, name }: ParamsOf<'renameCard'>): Promise<CardSummary> {
    return summary(await renameCard(await this.opening.db(), cardId, name));
  }

  async delete({ cardId }: ParamsOf<'deleteCard'>): Promise<void> {
    await deleteCard(await this.opening.db(), cardId);
    const info = this.objects.inHand?.info;
    if (info?.cardId === cardId) info.cardId = null;
  }

  async export({ cardId }: ParamsOf<'exportCard'>): Promise<ResultOf<'exportCard'>> {
    const { kind = 'object', name, classWord, references, tokens, base, encoder } = await getCard(await this.opening.db(), cardId);
    const fileName = `${name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '') || 'card'}.card.safetensors`;
    return { file: new Blob([writeCard({ kind, name, classWord, references, tokens, base, encoder })], { type: 'application/octet-stream' }), fileName };
  }

  /** A card's file goes on the Shelf. Faults: those of the file; `base-mismatch` where its tokens are of another encoder. */
  async import(file: Blob, fileName: string): Promise<CardSummary> {
    const { kind, name, classWord, references, tokens, base, encoder } = readCard(new Uint8Array(await file.arrayBuffer()), fileName);
    await expectFits(this.opening, { kind, name: fileName, base, encoder }, { subject: fileName });
    return summary(await putCard(await this.opening.db(), { cardId: crypto.randomUUID(), kind, name, createdAt: new Date().toISOString(), base, encoder, imported: true, classWord, references, tokens, preview: null, pictures: [] }));
  }
}
