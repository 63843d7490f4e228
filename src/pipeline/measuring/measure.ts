/**
 * What a concept changed, on twins (same seed, sampler and steps): 8 prompts with the concept in new places, the same 8
 * Base prompts, 8 unrelated prompts. Prompts, metrics and definitions are those of recipe/purecc.py, so that figures can
 * be compared: likeness is the CLIP-image cosine to the set, drift the mean |pixel| difference of twins in −1…1.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor4D } from '../../engine/tf';
import { decode } from '../../models/vae';
import { CONCEPT_MARK } from '../../protocol/captions';
import { GUIDANCE } from '../../protocol/limits';
import type { Recipe } from '../../protocol/recipe';
import type { Measures, TwinMeasure } from '../../protocol/runReport';
import type { Base } from '../base';
import type { LearnedConcept } from '../concept';
import { baseField, conceptField, disposeFieldWords, elsewhereField, encodeFieldWords, type FieldWords, type Pacing, type VelocityField } from '../sampling/fields';
import { cosines, drifts, embedPictures, mean, nearnessTo, ownNearness } from './metrics';
import { promptRoles } from '../prompts';
import { sample } from '../sampling/sample';

const PLACES = ['on a beach', 'in a city', 'in the snow', 'on grass', 'underwater', 'at night', 'in a desert', 'in a room'];
const UNRELATED = [
  'a pizza on a checkerboard', 'a rocket in the night sky', 'a blue bicycle on grass', 'an apple on the left and a banana on the right on a white background',
  'three tigers on grass', 'pixel art of a lion in a desert', 'a house in a forest', 'two frogs underwater',
];
const FIRST_SEED = 500;

export interface MeasureOptions extends Pacing {
  base: Base;
  concept: LearnedConcept;
  /** The set's pictures [n,S,S,3], −1…1. */
  pictures: Tensor4D;
  /** Euler steps; 20 in the reference. */
  steps: number;
  /** Keep the twins for a sheet. */
  keepPixels: boolean;
  /** Also draw the customized pictures without concept rows, and as other tools will: without rows, v0 through the adapter. */
  withoutRows: boolean;
}

export interface MeasureResult {
  measures: Measures;
  /** Five rows of eight pictures, [40,size,size,3] in −1…1: base twins, customized, customized on Base, base on unrelated, customized on unrelated. */
  sheet: { pixels: Float32Array; size: number; columns: number; rows: number } | null;
}

/** The prompts of the customized pictures. */
export function measurePrompts({ kind, classWord }: Pick<Recipe, 'kind' | 'classWord'>): string[] {
  return PLACES.map((place) => (kind === 'style' ? `a dog ${place}, ${CONCEPT_MARK}` : `a ${CONCEPT_MARK} ${classWord} ${place}`));
}

export async function measure({ base, concept, pictures, steps, keepPixels, withoutRows, between, signal }: MeasureOptions, onProgress: (done: number, total: number) => void = () => {}): Promise<MeasureResult> {
  const { recipe } = concept;
  const prompts = measurePrompts(recipe);
  const seeds = prompts.map((_, i) => FIRST_SEED + i);
  const near = encodeFieldWords(base, prompts, '', recipe);
  const far = encodeFieldWords(base, UNRELATED, '', recipe);
  // The customized model on the Base prompts: the same words without the mark.
  const plain: FieldWords = { ...near, complete: near.base };
  // One whose result reads no rows draws without them anyway.
  const drawsBare = withoutRows && concept.result.rows !== null;
  const runs = 5 + Number(drawsBare) + Number(withoutRows);
  let drawn = 0;
  const owned: tf.Tensor[] = [];
  const own = <T extends tf.Tensor>(tensor: T): T => (owned.push(tensor), tensor);

  async function draw(field: VelocityField): Promise<Tensor4D> {
    let latent: Tensor4D | null = null;
    for await (const item of sample({ base, field, seeds, steps, guidance: GUIDANCE, between, signal })) {
      if (item.step === steps) latent = tf.clone(item.latent);
      onProgress(++drawn, runs * steps);
    }
    const pixels = own(decode(base.vae, latent!));
    latent!.dispose();
    return pixels;
  }
  const look = (pixels: Tensor4D): Tensor2D => own(embedPictures(base, pixels));
  async function twins(custom: Tensor4D, original: Tensor4D, texts: readonly string[]): Promise<TwinMeasure[]> {
    const drift = await drifts(custom, original);
    const same = await cosines(look(custom), look(original));
    return texts.map((prompt, i) => ({ prompt, seed: seeds[i]!, drift: drift[i]!, same: same[i]![i]! }));
  }

  try {
    const old0 = await draw(baseField(base, near));
    const new1 = await draw(conceptField(base, near, concept));
    const old1 = await draw(conceptField(base, plain, concept));
    const far0 = await draw(baseField(base, far));
    const far1 = await draw(conceptField(base, far, concept));
    const bare = drawsBare ? await draw(conceptField(base, near, concept, { rows: false })) : null;
    const elsewhere = withoutRows ? await draw(elsewhereField(base, near, concept)) : null;

    const set = look(pictures);
    const likenessOf = (pixels: Tensor4D) => nearnessTo(look(pixels), set);
    const likeness = await likenessOf(new1);
    const likenessBase = await likenessOf(old0);
    const baseTwins = await twins(old1, old0, prompts.map((prompt) => promptRoles(prompt, recipe).base));
    const unrelatedTwins = await twins(far1, far0, UNRELATED);
    const measures: Measures = {
      likeness: mean(likeness),
      likenessBase: mean(likenessBase),
      likenessOwn: await ownNearness(set),
      nearer: likeness.filter((value, i) => value > likenessBase[i]!).length,
      driftBase: mean(baseTwins.map(({ drift }) => drift)),
      driftUnrelated: mean(unrelatedTwins.map(({ drift }) => drift)),
      sameBase: mean(baseTwins.map(({ same }) => same)),
      sameUnrelated: mean(unrelatedTwins.map(({ same }) => same)),
      likenessWithoutRows: bare ? mean(await likenessOf(bare)) : withoutRows ? mean(likeness) : null,
      likenessElsewhere: elsewhere && mean(await likenessOf(elsewhere)),
      prompts: prompts.map((prompt, i) => ({ prompt, seed: seeds[i]!, likeness: likeness[i]!, likenessBase: likenessBase[i]! })),
      base: baseTwins,
      unrelated: unrelatedTwins,
    };
    const sheets = [old0, new1, old1, far0, far1];
    const stacked = keepPixels ? own(tf.concat4d(sheets, 0)) : null;
    const sheet = stacked && { pixels: new Float32Array(await stacked.data<'float32'>()), size: base.imageSize, columns: prompts.length, rows: sheets.length };
    return { measures, sheet };
  } finally {
    tf.dispose(owned);
    disposeFieldWords(near);
    disposeFieldWords(far);
  }
}
