/**
 * An object or a face from pictures: finds masks and heads, encodes what they cover (pipeline/imagePrompt.ts) and hands the tokens to whoever draws; tells how
 * near and how copied a drawn picture is. Tokens are kept in half precision, as a card has them, so that a kept one draws the same.
 */
import * as tf from '../engine/tf';
import type { Tensor2D, Tensor3D, Tensor4D } from '../engine/tf';
import { toHalf } from '../formats/float16';
import { tokenBytes, type CardTokens } from '../formats/cardFile';
import type { Base } from '../pipeline/base';
import { headsIn } from '../pipeline/faces/findHeads';
import { bustAround, headMask, laidInto } from '../pipeline/faces/head';
import { headVector } from '../pipeline/faces/headVector';
import { imageTokens, nobodysTokens } from '../pipeline/imagePrompt';
import type { SquarePixels } from '../pipeline/maskedCrop';
import { copyScore } from '../pipeline/measuring/copyScore';
import { embedPictures, mean, nearnessTo } from '../pipeline/measuring/nearness';
import { findMask } from '../pipeline/objects/findMask';
import { guessNouns, prepareNouns } from '../pipeline/objects/guessNoun';
import { Fault, type FaultData } from '../protocol/faults';
import type { ParamsOf } from '../protocol/messages';
import type { Crop } from '../protocol/pictures';
import { plainSeeing, type FoundMask, type ObjectFigures, type ObjectInHand, type ReferencePicture, type Seeing, type SightKind, type Square } from '../protocol/objects';
import { blankMask, maskProblem, MASK_SIDE, type ObjectMask } from '../protocol/objectMasks';
import type { CardRecord } from '../storage/db';
import { encoderPart, tokensOnDevice } from './cardTokens';
import type { Current } from './current';
import type { Drawing } from './drawing';
import type { Opening } from './opening';
import type { Pictures } from './pictures';
import type { Shown } from './present';
import type { Turns } from './turns';

/** Words that are offered for a picture. */
const GUESSES = 3;

/** The base's encoder that tells faces apart. Fault `base-mismatch` where it has none. */
function facePart({ parts }: Pick<Base, 'parts'>): NonNullable<Base['parts']['face']> {
  if (!parts.face) throw new Fault('base-mismatch', 'This model cannot tell faces apart, so nobody can be drawn from a picture alone.', 'Use the built-in model.');
  return parts.face;
}

const headsOf = (pictures: readonly ReferencePicture[]): Square[] => pictures.flatMap(({ head }) => (head ? [head] : []));

/** What is kept of the object in hand beside its tokens on the device. */
export interface InHand { info: ObjectInHand; tokens: CardTokens; /** Its pictures [side·side·3]; none where only a card was given. */ pixels: Float32Array[]; side: number; /** Of a face, in each picture. */ heads: readonly Square[] }

/** −1…1 without alpha. */
const pixelsOf = ({ rgba, width, height }: Shown): Float32Array => Float32Array.from({ length: width * height * 3 }, (_, i) => rgba[4 * Math.floor(i / 3) + (i % 3)]! / 127.5 - 1);

export class Objects {
  inHand: InHand | null = null;
  private revision = 0;

  constructor(private readonly turns: Turns, private readonly opening: Opening, private readonly current: Current, private readonly pictures: Pictures, private readonly drawing: Drawing) {}

  /** In idle time what the first picture would wait for: the nouns that it may be called by. */
  async prepare(): Promise<void> {
    const base = await this.opening.base();
    if (base.parts.object && base.parts.vision) await this.turns.take('idle', (between) => prepareNouns(base, between));
  }

  async findMask({ pictureId, crop, kind }: ParamsOf<'findMask'>): Promise<FoundMask> {
    if (kind === 'identity') return this.findHeads(pictureId, crop);
    const found = await this.maskOf(pictureId, crop);
    if (found) return { pictureId, mask: found, fault: maskProblem(found, pictureId), heads: [] };
    return { pictureId, heads: [], mask: blankMask(), fault: { code: 'object-unseen', message: 'Nothing in this picture stands out from its background.', remedy: 'Brush over the object, or use a picture in which it does.', subject: pictureId } };
  }

  private maskOf = async (pictureId: string, crop: Crop): Promise<ObjectMask | null> => findMask(await this.pictures.pixels(pictureId, crop, MASK_SIDE), MASK_SIDE);

  private async findHeads(pictureId: string, crop: Crop): Promise<FoundMask> {
    const base = await this.opening.base();
    const place = await facePart(base).use(({ head }) => head);
    const { side, pixels: [values] } = await this.read(base, [{ pictureId, crop }]);
    const whole: (ObjectMask | null)[] = [];
    const { heads, sure } = await this.turns.take('probing', (between) => headsIn(base, place, { side, values: values! }, async () => { whole.push(await this.maskOf(pictureId, crop)); return whole[0]!; }, between));
    const mask = whole[0] ?? (await this.masksAround(pictureId, crop, heads.map((head) => bustAround(head, place))));
    const fault: FaultData | null = !sure ? { code: 'face-unseen', message: 'No head is recognised in this picture.', remedy: heads.length > 0 ? 'If somebody is there, choose what is marked or frame the head yourself.' : 'If somebody is there, frame the head yourself.', subject: pictureId }
      : heads.length === 0 ? { code: 'face-unseen', message: 'Nobody stands out in this picture.', remedy: 'Frame the head yourself, or use a picture of one person, upright, before a plain background.', subject: pictureId }
        : heads.length === 1 ? null
          : { code: 'face-several', message: `${heads.length} stand out in this picture, and one is to be drawn.`, remedy: 'Choose a head, or frame one yourself.', subject: pictureId };
    return { pictureId, mask, fault, heads };
  }

  /** Masks of those who stand in these squares of a picture, as one. Each is found in its square, where nothing else stands out as much. */
  private async masksAround(pictureId: string, crop: Crop, busts: readonly Square[]): Promise<ObjectMask> {
    const whole = blankMask();
    for (const bust of busts) {
      const part = await this.maskOf(pictureId, { x: crop.x + bust.left * crop.size, y: crop.y + bust.top * crop.size, size: bust.side * crop.size });
      if (part) laidInto(whole, part, bust);
    }
    return whole;
  }

  async encode({ kind, pictures, seeing }: ParamsOf<'encodeObject'>, signal: AbortSignal): Promise<ObjectInHand> {
    const live = () => { if (signal.aborted) throw new Fault('aborted', 'Stopped.'); };
    live();
    const started = performance.now();
    for (const { mask, head = null, pictureId } of pictures) {
      if (kind === 'identity' && head === null) throw new Fault('face-unseen', 'No head is framed in this picture.', 'Frame it.', { subject: pictureId });
      const problem = kind === 'object' ? maskProblem(mask, pictureId) : null;
      if (problem) throw new Fault(problem.code, problem.message, problem.remedy, { subject: pictureId });
    }
    if (pictures.length === 0) throw new Fault('too-few-pictures', 'There is no picture to look at.', 'Drop one.');
    const base = await this.opening.base();
    const { side, pixels } = await this.read(base, pictures);
    const { tokens, guesses } = await this.turns.take('probing', async (between) => {
      const made = await this.tokensOf(base, kind, pictures, pixels.map((values) => ({ side, values })), between);
      const [, count, width] = made.shape;
      const halves = Uint16Array.from(await made.data<'float32'>().finally(() => made.dispose()), toHalf);
      return { tokens: { count, width, halves }, guesses: await this.guess(base, pixels[0]!, side, between) };
    });
    const nobody = await this.nobody(base, kind);
    if (signal.aborted) nobody?.dispose();
    live();
    const info: ObjectInHand = { kind, seeing, revision: ++this.revision, references: pictures.length, tokens: tokens.count, sizeBytes: tokenBytes(tokens), elapsedMs: performance.now() - started, guesses, cardId: null };
    return this.take({ info, tokens, pixels, side, heads: headsOf(pictures) }, nobody);
  }

  /** The object of a card, with its pictures where it has some. */
  async open({ kind = 'object', tokens, references, cardId }: Pick<CardRecord, 'kind' | 'tokens' | 'references' | 'cardId'>, pictures: readonly ReferencePicture[], leave: () => Promise<void>): Promise<ObjectInHand> {
    const started = performance.now();
    const base = await this.opening.base();
    const expected = await encoderPart(base, kind).use(({ tokens: { width } }) => width);
    if (expected !== tokens.width) throw new Fault('base-mismatch', `The card’s tokens have ${tokens.width} numbers each; this model’s have ${expected}.`, 'Use the model that the card was made with.');
    const { side, pixels } = await this.read(base, pictures);
    const nobody = await this.nobody(base, kind);
    await leave().catch((error: unknown) => { nobody?.dispose(); throw error; });
    return this.take({ heads: headsOf(pictures), info: { kind, seeing: plainSeeing, revision: ++this.revision, references, tokens: tokens.count, sizeBytes: tokenBytes(tokens), elapsedMs: performance.now() - started, guesses: [], cardId }, tokens, pixels, side }, nobody);
  }

  /** Likeness and copying of the newest full picture. Fault `busy` where it isn't the newest any more. */
  async judge({ revision }: ParamsOf<'judgeObject'>): Promise<ObjectFigures> {
    const { inHand } = this;
    const shown = this.drawing.newest(revision);
    if (!inHand || inHand.pixels.length === 0) return { revision, likeness: null, copied: null };
    const base = await this.opening.base();
    const { side, pixels } = inHand;
    const drawn = pixelsOf(shown);
    const copied = shown.width === side ? Math.max(...pixels.map((given) => copyScore(drawn, given, side))) : null;
    if (inHand.info.kind === 'identity') return { revision, likeness: await this.faceLikeness(base, inHand, { side: shown.width, values: drawn }), copied };
    if (!base.parts.vision) return { revision, likeness: null, copied };
    return this.turns.take('measuring', async (between) => {
      const embedded = async (picture: Tensor4D) => embedPictures(base, picture, between).finally(() => picture.dispose());
      const set = await embedded(tf.tidy(() => tf.concat4d(pixels.map((each) => tf.tensor4d(each, [1, side, side, 3])), 0)));
      let seen: Tensor2D | null = null;
      try {
        seen = await embedded(tf.tensor4d(drawn, [1, shown.height, shown.width, 3]));
        return { revision, likeness: mean(await nearnessTo(seen, set)), copied };
      } finally {
        tf.dispose(seen ? [seen, set] : set);
      }
    });
  }

  /** Fault `concept-missing` where no face is in hand. */
  see(seeing: Seeing): ObjectInHand {
    const { inHand } = this;
    if (inHand?.info.kind !== 'identity') throw new Fault('concept-missing', 'There is no face in hand.', 'Drop a picture of somebody first.');
    this.drawing.clear();
    inHand.info = { ...inHand.info, seeing, revision: ++this.revision };
    this.current.see(seeing, inHand.info.revision);
    return inHand.info;
  }

  leave(): void {
    this.inHand = null;
    this.current.setObject(null);
  }

  private take(next: InHand, nobody: Tensor3D | null): ObjectInHand {
    this.drawing.clear();
    this.inHand = next;
    const { kind, seeing, revision } = next.info;
    this.current.setObject({ kind, seeing, revision, tokens: tokensOnDevice(next.tokens), nobody });
    return next.info;
  }

  /** [1,n·N,width]; the caller's. Of somebody the head alone is looked at, and told apart by the identity encoder. */
  private async tokensOf(base: Base, kind: SightKind, pictures: readonly ReferencePicture[], pixels: readonly SquarePixels[], between: () => Promise<void>): Promise<Tensor3D> {
    if (kind === 'object') return imageTokens(base, kind, pictures.map(({ mask }, n) => ({ pixels: pixels[n]!, mask })), between);
    const vectors: Tensor2D[] = [];
    try {
      const references = await facePart(base).use(async (encoder) => {
        for (const [n, { head }] of pictures.entries()) vectors.push(await headVector(encoder, pixels[n]!, head!, between));
        return pictures.map(({ mask, head }, n) => ({ pixels: pixels[n]!, mask: headMask(mask, head!), identity: vectors[n]! }));
      });
      return await imageTokens(base, kind, references, between);
    } finally {
      tf.dispose(vectors);
    }
  }

  /** Tokens of nobody, for the end that guidance moves away from; null for things. The caller's. */
  private async nobody(base: Base, kind: SightKind): Promise<Tensor3D | null> {
    return kind === 'identity' ? this.turns.take('probing', (between) => nobodysTokens(base, between)) : null;
  }

  /** Mean cosine of the head in a drawn picture to those given; null where no head is seen in it. */
  private async faceLikeness(base: Base, { pixels, side, heads }: InHand, drawn: SquarePixels): Promise<number | null> {
    return this.turns.take('measuring', (between) => facePart(base).use(async (encoder) => {
      const { heads: [head], sure } = await headsIn(base, encoder.head, drawn, () => findMask(drawn.values, drawn.side), between);
      if (!head || !sure) return null;
      const vectors: Tensor2D[] = [];
      try {
        vectors.push(await headVector(encoder, drawn, head, between));
        for (const [n, values] of pixels.entries()) vectors.push(await headVector(encoder, { side, values }, heads[n]!, between));
        const [found, ...given] = vectors as [Tensor2D, ...Tensor2D[]];
        const set = tf.tidy(() => tf.concat2d(given, 0));
        vectors.push(set);
        return mean(await nearnessTo(found, set));
      } finally {
        tf.dispose(vectors);
      }
    }));
  }

  /** Crops at the size that the base draws. */
  private async read(base: Base, pictures: readonly Pick<ReferencePicture, 'pictureId' | 'crop'>[]): Promise<{ side: number; pixels: Float32Array[] }> {
    const { width: side } = base.pictureSize();
    return { side, pixels: await Promise.all(pictures.map(({ pictureId, crop }) => this.pictures.pixels(pictureId, crop, side))) };
  }

  /** What the first picture may show; a guess at a word, and the one place where more than the mask is looked at. */
  private async guess(base: Base, values: Float32Array, side: number, between: () => Promise<void>): Promise<string[]> {
    if (!base.parts.vision) return [];
    const picture = tf.tensor4d(values, [1, side, side, 3]);
    const seen = await embedPictures(base, picture, between).finally(() => picture.dispose());
    return guessNouns(base, seen, GUESSES, between).finally(() => seen.dispose());
  }
}
