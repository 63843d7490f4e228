/**
 * An object from pictures: finds masks, encodes what they cover (pipeline/imagePrompt.ts) and hands the tokens to whoever draws; tells how
 * near and how copied a drawn picture is. Tokens are kept in half precision, as a card has them, so that a kept one draws the same.
 */
import * as tf from '../engine/tf';
import type { Tensor2D, Tensor4D } from '../engine/tf';
import { toHalf } from '../formats/float16';
import { tokenBytes, type CardTokens } from '../formats/cardFile';
import type { Base } from '../pipeline/base';
import { imageTokens } from '../pipeline/imagePrompt';
import { copyScore } from '../pipeline/measuring/copyScore';
import { embedPictures, mean, nearnessTo } from '../pipeline/measuring/metrics';
import { findMask } from '../pipeline/objects/findMask';
import { guessNouns } from '../pipeline/objects/guessNoun';
import { Fault } from '../protocol/faults';
import type { ParamsOf } from '../protocol/messages';
import type { FoundMask, ObjectFigures, ObjectInHand, ReferencePicture } from '../protocol/objects';
import { blankMask, maskProblem, MASK_SIDE } from '../protocol/objectMasks';
import { objectPart, tokensOnDevice } from './cardTokens';
import type { Current } from './current';
import type { Drawing } from './drawing';
import type { Opening } from './opening';
import type { Pictures } from './pictures';
import type { Shown } from './present';
import type { Turns } from './turns';

/** Words that are offered for a picture. */
const GUESSES = 3;

/** What is kept of the object in hand beside its tokens on the device. */
export interface InHand { info: ObjectInHand; tokens: CardTokens; /** Its pictures [side·side·3]; none where only a card was given. */ pixels: Float32Array[]; side: number }

/** −1…1 without alpha. */
const pixelsOf = ({ rgba, width, height }: Shown): Float32Array => Float32Array.from({ length: width * height * 3 }, (_, i) => rgba[4 * Math.floor(i / 3) + (i % 3)]! / 127.5 - 1);

export class Objects {
  inHand: InHand | null = null;
  private revision = 0;

  constructor(private readonly turns: Turns, private readonly opening: Opening, private readonly current: Current, private readonly pictures: Pictures, private readonly drawing: Drawing) {}

  async findMask({ pictureId, crop }: ParamsOf<'findMask'>): Promise<FoundMask> {
    const found = findMask(await this.pictures.pixels(pictureId, crop, MASK_SIDE), MASK_SIDE);
    if (found) return { pictureId, mask: found, fault: maskProblem(found, pictureId) };
    return { pictureId, mask: blankMask(), fault: { code: 'object-unseen', message: 'Nothing in this picture stands out from its background.', remedy: 'Brush over the object, or use a picture in which it does.', subject: pictureId } };
  }

  async encode({ pictures }: ParamsOf<'encodeObject'>, signal: AbortSignal): Promise<ObjectInHand> {
    const live = () => { if (signal.aborted) throw new Fault('aborted', 'Stopped.'); };
    live();
    const started = performance.now();
    for (const { mask, pictureId } of pictures) {
      const problem = maskProblem(mask, pictureId);
      if (problem) throw new Fault(problem.code, problem.message, problem.remedy, { subject: pictureId });
    }
    if (pictures.length === 0) throw new Fault('too-few-pictures', 'There is no picture to look at.', 'Drop one.');
    const base = await this.opening.base();
    const { side, pixels } = await this.read(base, pictures);
    const { tokens, guesses } = await this.turns.run('probing', async (between) => {
      const made = await imageTokens(base, 'object', pictures.map(({ mask }, n) => ({ pixels: { side, values: pixels[n]! }, mask })), between);
      const [, count, width] = made.shape;
      const halves = Uint16Array.from(await made.data<'float32'>().finally(() => made.dispose()), toHalf);
      return { tokens: { count, width, halves }, guesses: await this.guess(base, pixels[0]!, side, between) };
    });
    live();
    const info: ObjectInHand = { revision: ++this.revision, references: pictures.length, tokens: tokens.count, sizeBytes: tokenBytes(tokens), elapsedMs: performance.now() - started, guesses, cardId: null };
    return this.take({ info, tokens, pixels, side });
  }

  /** The object of a card, with its pictures where it has some. */
  async open(tokens: CardTokens, references: number, cardId: string, pictures: readonly ReferencePicture[], leave: () => Promise<void>): Promise<ObjectInHand> {
    const started = performance.now();
    const base = await this.opening.base();
    const expected = await objectPart(base).use(({ tokens: { width } }) => width);
    if (expected !== tokens.width) throw new Fault('base-mismatch', `The card’s tokens have ${tokens.width} numbers each; this model’s have ${expected}.`, 'Use the model that the card was made with.');
    const { side, pixels } = await this.read(base, pictures);
    await leave();
    return this.take({ info: { revision: ++this.revision, references, tokens: tokens.count, sizeBytes: tokenBytes(tokens), elapsedMs: performance.now() - started, guesses: [], cardId }, tokens, pixels, side });
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
    if (!base.parts.vision) return { revision, likeness: null, copied };
    return this.turns.run('measuring', async (between) => {
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

  leave(): void {
    this.inHand = null;
    this.current.setObject(null);
  }

  private take(next: InHand): ObjectInHand {
    this.drawing.clear();
    this.inHand = next;
    this.current.setObject({ tokens: tokensOnDevice(next.tokens), revision: next.info.revision });
    return next.info;
  }

  /** Crops at the size that the base draws. */
  private async read(base: Base, pictures: readonly ReferencePicture[]): Promise<{ side: number; pixels: Float32Array[] }> {
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
