/**
 * What a run trains on: latents of the pictures (and of their mirror images), and their captions encoded once.
 * Text and picture encoders are out of the training loop; after this their weights could be dropped.
 * latents [k·n,h,w,C]: the pictures, mirrored ones behind, then all of these again for each shift; words.<role> has n rows,
 * words.null one: picture i reads row i mod that. Prior captions are no picture's: their rows are drawn by themselves.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import type { CaptionRole, Method } from '../../methods/method';
import { methodOf } from '../../methods';
import type { Between } from '../../models/steps';
import { captionProblem, type Captions } from '../../protocol/captions';
import { Fault } from '../../protocol/faults';
import type { Square } from '../../protocol/objects';
import { wordsOf, type Recipe } from '../../protocol/recipe';
import type { Base, EncodedPrompts } from '../base';
import type { PixelMask } from '../maskedCrop';
import { seeReferences, type SeenReferences } from './references';
import { priorCaptions } from './priorCaptions';
import { sceneCaptions } from './sceneCaptions';
import { classCaption, disposePrompts, encodePrompts, pickPrompts, spokenWord } from '../prompts';
import { withZeroTokens } from '../zeroTokens';

export interface DatasetItem {
  /** [H,W,3], −1…1, of the base's picture size; or what reads them, so that many pictures do not lie in memory together. */
  pixels: Float32Array | Tensor3D | (() => Promise<Float32Array>);
  /** Where the method reads any. */
  captions?: Captions;
  /** Where the object is, for a method that looks at pictures through an adapter; found where nobody said. */
  mask?: PixelMask;
  /** Whose head is meant, or where it is in truth, for one that tells faces apart; found where nobody said. */
  head?: Square;
}

/** The pictures as references, one row each. */
export interface References {
  /** What a picture adapter makes of them [n,N,dt]. */
  tokens: Tensor3D;
  /** Whom or what they show, as the network says that also looks at what is drawn [n,w]. */
  vectors: Tensor2D;
}

export interface Dataset {
  latents: Tensor4D;
  /** Pictures given, mirrored ones not counted. */
  pictures: number;
  /** Latents without those of shifted copies: the first so many. */
  unshifted: number;
  /** Those the method reads. */
  words: Partial<Record<CaptionRole, EncodedPrompts>>;
  /** What the object encoder sees in the pictures, where the recipe asks for it. The caller lets go of it. */
  look?: (between?: Between) => Promise<SeenReferences>;
  /** For methods that draw with a reference. */
  references?: References;
}

/** Latents of one picture in all its variants, in their order [k,h,w,C]. */
export interface PictureLatents { shape: readonly number[]; data: Float32Array }
/** Takes what was kept of picture n, or encodes and keeps it. */
export type KeepLatents = (n: number, pixels: Float32Array, variants: readonly Variant[], encode: () => Promise<PictureLatents>) => Promise<PictureLatents>;

/** How a picture is changed before it is encoded: mirrored, then moved right and down by whole cells, the tokens' own grid. */
export interface Variant { mirrored: boolean; right: number; down: number }

/** Unshifted ones first. */
export function pictureVariants({ flip, shiftCells = 0 }: { flip: boolean; shiftCells?: number }): Variant[] {
  const cells = Array.from({ length: 2 * shiftCells + 1 }, (_, i) => i - shiftCells);
  const shifts = cells.flatMap((down) => cells.map((right) => ({ right, down })));
  const ordered = [{ right: 0, down: 0 }, ...shifts.filter(({ right, down }) => right !== 0 || down !== 0)];
  return ordered.flatMap((shift) => (flip ? [false, true] : [false]).map((mirrored) => ({ mirrored, ...shift })));
}

/** A variant of pixels [1,S,S,3]; what a shift uncovers repeats the edge. */
export function varied(picture: Tensor4D, { mirrored, right, down }: Variant, cell: number): Tensor4D {
  const [, height, width] = picture.shape;
  const seen = mirrored ? tf.reverse<Tensor4D>(picture, 2) : picture;
  const from = (size: number, by: number) => tf.tensor1d(Array.from({ length: size }, (_, i) => Math.min(size - 1, Math.max(0, i - by * cell))), 'int32');
  const moved = right === 0 ? seen : tf.gather(seen, from(width, right), 2);
  return down === 0 ? moved : tf.gather(moved, from(height, down), 1);
}

/** A timer, not a frame: frames stop in a hidden tab. */
const turnOfOthers: Between = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Encodes pictures one by one, or has `keep` say what they are. Faults: `too-few-pictures`, `caption-invalid` (subject: the picture's number, from 1). */
export async function buildDataset(base: Base, items: readonly DatasetItem[], recipe: Recipe, { captions: roles }: Pick<Method, 'captions'> = methodOf(recipe), onProgress: (done: number, total: number) => void = () => {}, between?: Between, keep: KeepLatents = (_n, _pixels, _variants, encode) => encode()): Promise<Dataset> {
  if (items.length === 0) throw new Fault('too-few-pictures', 'There is no picture to learn from.', 'Drop at least one picture.');
  if (roles.some((role) => role !== 'null' && role !== 'prior')) items.forEach(({ captions }, i) => {
    const problem = captions ? captionProblem(captions) : 'It has no captions.';
    if (problem) throw new Fault('caption-invalid', `Picture ${i + 1}: ${problem}`, 'Edit its captions.', { subject: String(i + 1) });
  });
  const fitted = 'rowFitSteps' in recipe && recipe.rowFitSteps > 0;
  if (fitted && !base.parts.object) throw new Fault('recipe-invalid', 'The recipe begins from the picture, and this model has no encoder for objects.', 'Set “Begin from the picture” to 0.', { subject: 'rowFitSteps' });
  const { height, width } = base.pictureSize();
  const variants = pictureVariants(recipe);
  const encode = (pixels: Float32Array): Promise<PictureLatents> => base.parts.autoencoder.use(async (autoencoder) => {
    const made: Tensor4D[] = [];
    const picture = tf.tensor4d(pixels, [1, height, width, 3]);
    try {
      for (const variant of variants) {
        const seen = tf.tidy(() => varied(picture, variant, base.cell));
        made.push(await autoencoder.encode(seen, between).finally(() => tf.dispose(seen === picture ? [] : seen)));
      }
      const all = tf.concat4d(made, 0);
      return { shape: all.shape, data: await all.data<'float32'>().finally(() => all.dispose()) };
    } finally {
      tf.dispose([picture, ...made]);
    }
  });
  const encoded: Tensor4D[][] = variants.map(() => []);
  try {
    await base.parts.autoencoder.lingering(async () => {
      for (const [i, { pixels: given }] of items.entries()) {
        const read = typeof given === 'function' ? await given() : given;
        const pixels = read instanceof Float32Array ? read : await read.data<'float32'>();
        const { shape, data } = await keep(i, pixels, variants, () => encode(pixels));
        tf.tidy(() => tf.split<Tensor4D>(tf.tensor4d(data, shape as Tensor4D['shape']), variants.length, 0).forEach((latent, n) => encoded[n]!.push(tf.keep(latent))));
        onProgress(i + 1, items.length);
        await (between ?? turnOfOthers)();
      }
    });
  } catch (error) {
    tf.dispose(encoded);
    throw error;
  }
  const latents = tf.concat4d(encoded.flat(), 0);
  tf.dispose(encoded);
  const read = (caption: (captions: Captions) => string) => encodePrompts(base, items.map(({ captions }) => caption(captions!)), spokenWord(recipe), {}, between);
  const readers: Record<CaptionRole, () => Promise<EncodedPrompts>> = {
    complete: () => read((c) => c.complete),
    base: () => read((c) => c.base),
    target: () => read((c) => c.target),
    class: () => read((c) => classCaption(c.target)),
    null: async () => pickPrompts(base.null, [0]),
    prior: () => encodePrompts(base, priorCaptions(base.null.context.size * Float32Array.BYTES_PER_ELEMENT), '', {}, between),
    scene: () => encodePrompts(base, sceneCaptions(wordsOf(recipe).classWord), '', {}, between),
  };
  const unshifted = items.length * (recipe.flip ? 2 : 1);
  const words: Dataset['words'] = {};
  const readAll = async () => { for (const role of roles) words[role] = withZeroTokens(await readers[role](), base.zeroTokens, recipe); };
  // a method without words needs no text encoder
  await (roles.every((role) => role === 'null') ? readAll() : base.parts.text.use(readAll));
  return { latents, pictures: items.length, unshifted, words, ...(fitted && { look: (pace?: Between) => seeReferences(base, items, recipe.seed, pace) }) };
}

export function disposeDataset(dataset: Dataset): void {
  dataset.latents.dispose();
  for (const words of Object.values(dataset.words)) disposePrompts(words);
  if (dataset.references) tf.dispose([dataset.references.tokens, dataset.references.vectors]);
}
