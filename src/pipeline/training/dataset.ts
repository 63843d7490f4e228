/**
 * What a run trains on: latents of the pictures (and of their mirror images), and their captions encoded once.
 * Text and picture encoders are out of the training loop; after this their weights could be dropped.
 * latents [n,h,w,C] or [2n,h,w,C] (mirrored ones behind); words.<role> has n rows: picture i reads row i mod n.
 */
import * as tf from '../../engine/tf';
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import type { CaptionRole, Method } from '../../methods/method';
import { methodOf } from '../../methods';
import { encode } from '../../models/vae';
import { captionProblem, type Captions } from '../../protocol/captions';
import { Fault } from '../../protocol/faults';
import type { Recipe } from '../../protocol/recipe';
import type { Base, EncodedPrompts } from '../base';
import { classCaption, disposePrompts, encodePrompts, pickPrompts } from '../prompts';

export interface DatasetItem {
  /** [S,S,3], −1…1, S the base's picture size. */
  pixels: Float32Array | Tensor3D;
  captions: Captions;
}

export interface Dataset {
  latents: Tensor4D;
  /** Pictures given, mirrored ones not counted. */
  pictures: number;
  /** Those the method reads. */
  words: Partial<Record<CaptionRole, EncodedPrompts>>;
}

/** Encodes pictures one by one. Faults: `too-few-pictures`, `caption-invalid` (subject: the picture's number, from 1). */
export async function buildDataset(base: Base, items: readonly DatasetItem[], recipe: Recipe, { captions: roles }: Pick<Method, 'captions'> = methodOf(recipe), onProgress: (done: number, total: number) => void = () => {}): Promise<Dataset> {
  if (items.length === 0) throw new Fault('too-few-pictures', 'There is no picture to learn from.', 'Drop at least one picture.');
  if (roles.some((role) => role !== 'null')) items.forEach(({ captions }, i) => {
    const problem = captionProblem(captions);
    if (problem) throw new Fault('caption-invalid', `Picture ${i + 1}: ${problem}`, 'Edit its captions.', { subject: String(i + 1) });
  });
  const side = base.imageSize;
  const straight: Tensor4D[] = [];
  const mirrored: Tensor4D[] = [];
  for (const [i, { pixels }] of items.entries()) {
    tf.tidy(() => {
      const picture = pixels instanceof Float32Array ? tf.tensor4d(pixels, [1, side, side, 3]) : tf.reshape<tf.Rank.R4>(pixels, [1, side, side, 3]);
      straight.push(tf.keep(encode(base.vae, picture)));
      if (recipe.flip) mirrored.push(tf.keep(encode(base.vae, tf.reverse(picture, 2))));
    });
    onProgress(i + 1, items.length);
    // A timer, not a frame: frames stop in a hidden tab.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const encoded = [...straight, ...mirrored];
  const latents = tf.concat4d(encoded, 0);
  tf.dispose(encoded);
  const read = (caption: (captions: Captions) => string) => encodePrompts(base, items.map(({ captions }) => caption(captions)), recipe.classWord);
  const readers: Record<CaptionRole, () => EncodedPrompts> = {
    complete: () => read((c) => c.complete),
    base: () => read((c) => c.base),
    target: () => read((c) => c.target),
    class: () => read((c) => classCaption(c.target)),
    null: () => pickPrompts(base.null, items.map(() => 0)),
  };
  return { latents, pictures: items.length, words: Object.fromEntries(roles.map((role) => [role, readers[role]()])) };
}

export function disposeDataset(dataset: Dataset): void {
  dataset.latents.dispose();
  for (const words of Object.values(dataset.words)) disposePrompts(words);
}
