/**
 * What a concept changed, on twins (same seed, sampler and steps): 8 prompts with the concept in new places, the same 8
 * Base prompts, 8 unrelated prompts. Prompts, metrics and definitions are those of recipe/purecc.py, so that figures can
 * be compared: likeness is the CLIP-image cosine to the set, drift the mean |pixel| difference of twins in −1…1.
 */
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor4D } from '../../engine/tf';
import { CONCEPT_MARK, type Spoken } from '../../protocol/captions';
import { GUIDANCE } from '../../protocol/limits';
import type { ObjectMask } from '../../protocol/objectMasks';
import type { Measures, TwinMeasure } from '../../protocol/runReport';
import { flowing, type Base, type FlowBase } from '../base';
import { spokenOf, type LearnedConcept } from '../concept';
import { baseField, conceptField, disposeFieldWords, elsewhereField, encodeFieldWords, type FieldWords, type Pacing, type VelocityField } from '../sampling/velocityFields';
import { cosines, drifts, embedPictures, mean, nearnessTo, ownNearness, resized } from './nearness';
import { findMask } from '../objects/findMask';
import { promptRoles } from '../prompts';
import { sample } from '../sampling/sample';
import { atSize, WHOLE, wholenessOf } from './wholeness';

/** Size and place are said: with a sharp base an unsaid one flips between pictures of the same seed, and that would count as drift. */
const SCENES = [
  'a big * on a beach', 'a * in the center in a city', 'a big * in the snow', 'a * in the center on grass', 'a big * underwater', 'a big * at night',
  'a * in the center in a desert', 'a big * in a room',
];
export const unrelatedPrompts = [
  'a big pizza on a checkerboard', 'a big rocket in the night sky', 'a big blue bicycle on grass', 'an apple on the left and a banana on the right on a white background',
  'three tigers on grass', 'pixel art of a big lion in a desert', 'a big house in a forest', 'two frogs underwater',
];
export const firstSeed = 500;

export interface MeasureOptions extends Pacing {
  base: Base;
  concept: LearnedConcept;
  /** The set's pictures [n,S,S,3], −1…1. */
  pictures: Tensor4D;
  /** Where each of them was brushed by hand; elsewhere the mask is found. */
  masks?: readonly (ObjectMask | undefined)[];
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

/** Wholeness of the thing in drawn pictures [m,S,S,3] against the set's; null where nothing stands out in those. */
async function wholenessIn({ parts }: Base, drawn: Tensor4D, given: Tensor4D, masks: readonly (ObjectMask | undefined)[], between?: Pacing['between']): Promise<number[] | null> {
  return parts.vision!.use(async (vision) => {
    const side = vision.imageSize;
    const [all, set] = [resized(drawn, side), resized(given, side)];
    try {
      const values = await set.data<'float32'>();
      const found: (Uint8Array | null)[] = [];
      for (let i = 0; i < set.shape[0]; i++) {
        const mask = masks[i] ?? findMask(values.slice(i * side * side * 3, (i + 1) * side * side * 3), side);
        found.push(mask && atSize(mask, side));
        await between?.();
      }
      return await wholenessOf(vision, all, set, found, between);
    } finally {
      tf.dispose([all, set]);
    }
  });
}

/** The prompts of the customized pictures. */
export function measurePrompts({ kind, classWord = '' }: Spoken): string[] {
  return SCENES.map((scene) => (kind === 'style' ? `${scene.replace('*', 'dog')}, ${CONCEPT_MARK}` : scene.replace('*', `${CONCEPT_MARK} ${classWord}`)));
}

export async function measure({ base, concept, pictures, masks = [], steps, keepPixels, withoutRows, between, signal }: MeasureOptions, onProgress: (done: number, total: number) => void = () => {}): Promise<MeasureResult> {
  const { recipe } = concept;
  const prompts = measurePrompts(recipe);
  const seeds = prompts.map((_, i) => firstSeed + i);
  const spoken = spokenOf(concept);
  const near = await encodeFieldWords(base, prompts, '', spoken, between);
  const far = await encodeFieldWords(base, unrelatedPrompts, '', spoken, between);
  // The customized model on the Base prompts: the same words without the mark.
  const plain: FieldWords = { ...near, complete: near.base };
  // One whose result reads no rows draws without them anyway.
  const drawsBare = withoutRows && concept.result.rows !== null;
  const runs = 5 + Number(drawsBare) + Number(withoutRows);
  let drawn = 0;
  const owned: tf.Tensor[] = [];
  const own = <T extends tf.Tensor>(tensor: T): T => (owned.push(tensor), tensor);

  async function draw(flow: FlowBase, field: VelocityField): Promise<Tensor4D> {
    for await (const { step, latent } of sample({ base: flow, field, seeds, steps, guidance: GUIDANCE, between, signal })) {
      onProgress(++drawn, runs * steps);
      if (step === steps) return own(tf.clone(latent));
    }
    throw new RangeError('a picture takes at least one step');
  }
  const decode = (latents: readonly Tensor4D[]): Promise<Tensor4D[]> => base.parts.autoencoder.use(async (autoencoder) => {
    const pictures: Tensor4D[] = [];
    for (const latent of latents) pictures.push(own(await autoencoder.decode(latent, between)));
    return pictures;
  });
  const look = async (pixels: Tensor4D): Promise<Tensor2D> => own(await embedPictures(base, pixels, between));
  async function twins(custom: Tensor4D, original: Tensor4D, texts: readonly string[]): Promise<TwinMeasure[]> {
    const drift = await drifts(custom, original);
    const same = await cosines(await look(custom), await look(original));
    return texts.map((prompt, i) => ({ prompt, seed: seeds[i]!, drift: drift[i]!, same: same[i]![i]! }));
  }

  try {
    const latents = await flowing(base, async (flow) => {
      const five = [await draw(flow, baseField(flow, near)), await draw(flow, conceptField(flow, near, concept)), await draw(flow, conceptField(flow, plain, concept)), await draw(flow, baseField(flow, far)), await draw(flow, conceptField(flow, far, concept))];
      if (drawsBare) five.push(await draw(flow, conceptField(flow, near, concept, { rows: false })));
      return withoutRows ? [...five, await draw(flow, elsewhereField(flow, near, concept))] : five;
    });
    const decoded = await decode(latents);
    const [old0, new1, old1, far0, far1] = decoded as [Tensor4D, Tensor4D, Tensor4D, Tensor4D, Tensor4D];
    const bare = drawsBare ? decoded[5]! : null;
    const elsewhere = withoutRows ? decoded.at(-1)! : null;

    const set = await look(pictures);
    const likenessOf = async (pixels: Tensor4D) => nearnessTo(await look(pixels), set);
    const likeness = await likenessOf(new1);
    const likenessBase = await likenessOf(old0);
    const wholeness = recipe.kind === 'style' ? null : await wholenessIn(base, new1, pictures, masks, between);
    const baseTwins = await twins(old1, old0, prompts.map((prompt) => promptRoles(prompt, recipe).base));
    const unrelatedTwins = await twins(far1, far0, unrelatedPrompts);
    const measures: Measures = {
      likeness: mean(likeness),
      likenessBase: mean(likenessBase),
      likenessOwn: await ownNearness(set),
      wholeness: wholeness && mean(wholeness),
      whole: wholeness && wholeness.filter((value) => value >= WHOLE).length,
      nearer: likeness.filter((value, i) => value > likenessBase[i]!).length,
      driftBase: mean(baseTwins.map(({ drift }) => drift)),
      driftUnrelated: mean(unrelatedTwins.map(({ drift }) => drift)),
      sameBase: mean(baseTwins.map(({ same }) => same)),
      sameUnrelated: mean(unrelatedTwins.map(({ same }) => same)),
      likenessWithoutRows: bare ? mean(await likenessOf(bare)) : withoutRows ? mean(likeness) : null,
      likenessElsewhere: elsewhere && mean(await likenessOf(elsewhere)),
      prompts: prompts.map((prompt, i) => ({ prompt, seed: seeds[i]!, likeness: likeness[i]!, likenessBase: likenessBase[i]!, wholeness: wholeness?.[i] ?? null })),
      base: baseTwins,
      unrelated: unrelatedTwins,
    };
    const sheets = [old0, new1, old1, far0, far1];
    const stacked = keepPixels ? own(tf.concat4d(sheets, 0)) : null;
    const sheet = stacked && { pixels: new Float32Array(await stacked.data<'float32'>()), size: stacked.shape[1], columns: prompts.length, rows: sheets.length };
    return { measures, sheet };
  } finally {
    tf.dispose(owned);
    disposeFieldWords(near);
    disposeFieldWords(far);
  }
}
