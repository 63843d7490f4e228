/**
 * A mix as a velocity field: its terms in words become evaluations of the base with the concepts' adapters and rows.
 * A mix and its drafts are made of the same list, so that what the sliders show is what the sampler draws.
 */
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type { Adapter } from '../../models/mmdit';
import { Fault } from '../../protocol/faults';
import { GUIDANCE } from '../../protocol/limits';
import { acting, isPlain, maskCells, scheduleAt, type Mask, type Mix, type SeenObject } from '../../protocol/mix';
import { mergedPrompt, planMix, type MixConcept, type MixEnd, type MixTerm } from '../../protocol/mixPlan';
import type { Base, EncodedPrompts, FlowBase } from '../base';
import { resultOf, spokenOf, type LearnedConcept } from '../concept';
import type { Evaluation } from '../evaluate';
import { disposePrompts, encodePrompts, readingKey, readingOf, type Reading } from '../prompts';
import { byStudent } from './quickField';
import { seenFromStep, type SeenPicture } from '../seen';
import { wantedZeroTokens, withZeroTokens, type ZeroTokens } from '../zeroTokens';
import { guidedField, untouched, type Guidance, type VelocityField } from './velocityFields';

/** Tokens [1,N,width] of cards by id, with the adapter in place that reads them. They stay the caller's. */
export type MixObjects = ReadonlyMap<string, Pick<SeenPicture, 'adapter' | 'tokens'>>;

/** Learned concepts by id, with their words. They stay the caller's. */
export type MixConcepts = ReadonlyMap<string, { concept: LearnedConcept; words: MixConcept }>;

export interface MixTerms {
  /** The untouched base on nothing: v0. */
  origin: Evaluation;
  /** The untouched base on the prompt without its concepts. */
  plain: Evaluation;
  /** In the mix's order, also those that do not act. Weights do not have G in them. */
  guidances: (Guidance & { id: string; /** What it is to the student; null where that has learned nothing of the kind. */ quick: QuickRole | null })[];
  dispose(): void;
}

/** The prompt, whose pull from nothing the student has in it; or a difference of two texts, as a scene's to the prompt is. */
type QuickRole = 'prompt' | 'difference';

function quickRole({ guidance: { weight, schedule, mask, alone }, positive, negative }: MixTerm): QuickRole | null {
  if (positive.words === '') return null;
  if (negative.words !== '') return 'difference';
  return weight === 1 && schedule.kind === 'constant' && mask.kind === 'everywhere' && !alone && positive.conceptId === null && !positive.object ? 'prompt' : null;
}

const wordsOf = (concepts: MixConcepts): ReadonlyMap<string, MixConcept> => new Map([...concepts].map(([id, { words }]) => [id, words]));

/** [1,h,w,1]; null is everywhere. The caller disposes. */
export function maskTensor(mask: Mask, height: number, width: number): Tensor4D | null {
  const cells = maskCells(mask, height, width);
  return cells && tf.tensor4d(cells, [1, height, width, 1]);
}

/** An object as the mix says it is seen; not at all where its card is missing and no guidance that acts needs it. Fault `concept-missing` where one does. */
function seenObject({ cardId, strength, zeroTokens, ortho, startStep }: SeenObject, objects: MixObjects, { steps, guidances }: Mix, shift: number): SeenPicture | null {
  const found = objects.get(cardId);
  if (!found) {
    const needed = acting(guidances).flatMap(({ source }) => (source.kind === 'object' && source.object.cardId === cardId ? [source] : []))[0];
    if (!needed) return null;
    throw new Fault('concept-missing', `${needed.name === '' ? 'An object of this mix' : `“${needed.name}”`} is not on the Shelf.`, 'Import its card, mute its guidance, or take it away.', { subject: cardId });
  }
  return { ...found, weight: strength, zeroTokens, ortho, from: seenFromStep(startStep, steps, shift) };
}

/** How many zero tokens stand for a T5 where no single concept decides: as many as all concepts were learned with, where they agree. */
function commonZeroTokens(concepts: MixConcepts): ZeroTokens {
  const recipes: ZeroTokens[] = [...concepts.values()].map(({ concept }) => concept.recipe);
  return new Set(recipes.map(wantedZeroTokens)).size === 1 ? recipes[0]! : {};
}

/**
 * What a mix evaluates at every step, each text encoded once; both ends of a concept's difference with as many zero tokens as it was
 * learned with. Faults of planMix and encodePrompts; `concept-missing` for an object.
 */
export async function mixTerms(base: Base, mix: Mix, concepts: MixConcepts, between?: () => Promise<void>, objects: MixObjects = new Map()): Promise<MixTerms> {
  const { plain, terms } = planMix(mix, wordsOf(concepts));
  const nothing: MixEnd = { words: '', conceptId: null };
  const unnamed: MixEnd = { words: plain, conceptId: null };
  const spoken = ({ conceptId }: MixEnd): Reading => (conceptId === null ? '' : readingOf(spokenOf(concepts.get(conceptId)!.concept)));
  const common = commonZeroTokens(concepts);
  const zerosOf = ({ positive, negative }: { positive: MixEnd; negative: MixEnd }): ZeroTokens => {
    const told = positive.conceptId ?? negative.conceptId;
    return told === null ? common : concepts.get(told)!.concept.recipe;
  };
  const keyOf = (end: MixEnd, zeros: ZeroTokens) => JSON.stringify([end.words, readingKey(spoken(end)), wantedZeroTokens(zeros)]);
  const encoded = new Map<string, EncodedPrompts>();
  const masks: Tensor4D[] = [];
  const dispose = () => {
    encoded.forEach(disposePrompts);
    masks.forEach((mask) => mask.dispose());
  };
  const [height, width] = base.latentShape();
  const evaluated = (end: MixEnd, zeros = common): Evaluation => {
    const words = encoded.get(keyOf(end, zeros))!;
    const plain = end.conceptId === null ? untouched(words) : { words, ...resultOf(concepts.get(end.conceptId)!.concept) };
    const picture = end.object && seenObject(end.object, objects, mix, base.shift);
    return picture ? { ...plain, seen: picture } : plain;
  };
  try {
    const ends = terms.flatMap((term) => [term.positive, term.negative].map((end) => ({ end, zeros: zerosOf(term) })));
    for (const { end, zeros } of [{ end: nothing, zeros: common }, { end: unnamed, zeros: common }, ...ends]) {
      const read = spoken(end);
      const key = keyOf(end, zeros);
      if (!encoded.has(key)) encoded.set(key, await base.prompts.encoded([end.words], [readingKey(read), wantedZeroTokens(zeros)], async () => withZeroTokens(await encodePrompts(base, [end.words], read, {}, between), base.zeroTokens, zeros)));
    }
    const guidances = terms.map((term) => {
      const { guidance, positive, negative } = term;
      const zeros = zerosOf(term);
      const cells = maskCells(guidance.mask, height, width);
      const mask = cells && tf.tensor4d(cells, [1, height, width, 1]);
      if (mask) masks.push(mask);
      const weight = (sigma: number) => guidance.weight * scheduleAt(guidance.schedule, sigma);
      return { id: guidance.id, quick: quickRole(term), positive: evaluated(positive, zeros), negative: evaluated(negative, zeros), weight, joint: guidance.source.kind === 'concept', scene: guidance.alone, ...(mask && { mask, cells }) };
    });
    return { origin: evaluated(nothing), plain: evaluated(unnamed), guidances, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** A field of one row once there is a transformer, with the words that it holds: they are read before that comes. G is the sampler's scale. */
export interface HeldField { field(flow: FlowBase): VelocityField; /** Of the base's student, at guidance 1; null where it has not learned what is asked for. */ quick: ((flow: FlowBase, student: Adapter) => VelocityField) | null; dispose(): void }

/** The guidances that act, composed as the mix says. */
export async function mixedField(base: Base, mix: Mix, concepts: MixConcepts, objects?: MixObjects): Promise<HeldField> {
  const { origin, guidances, dispose } = await mixTerms(base, mix, concepts, undefined, objects);
  const on = new Set(acting(mix.guidances).map(({ id }) => id));
  const now = guidances.filter(({ id }) => on.has(id));
  return { field: (flow) => guidedField(flow, origin, now, mix.composition), quick: quickMix(mix, now), dispose };
}

/**
 * A mix by the student: v = u(prompt) + Σ wᵢ(σ)·Mᵢ⊙[u(cᵢ⁺) − u(cᵢ⁻)], where one guidance is the prompt's and every other a difference
 * of two texts. Null for any other mix: the student has its scale of guidance in it, and knows nothing of the empty prompt.
 */
function quickMix({ guidance, composition, start }: Mix, guidances: MixTerms['guidances']): HeldField['quick'] {
  const [prompt, ...others] = guidances.filter(({ quick }) => quick === 'prompt');
  if (guidance !== GUIDANCE || !isPlain(composition) || start || !prompt || others.length > 0) return null;
  const differences = guidances.filter(({ quick }) => quick === 'difference');
  if (differences.length < guidances.length - 1) return null;
  return (flow, student) => guidedField(flow, byStudent(prompt.positive, student), differences.map((each) => ({ ...each, positive: byStudent(each.positive, student), negative: byStudent(each.negative, student) })));
}

/**
 * The same concepts as merged LoRAs, as other tools mix them: one model with the sum of all adapters, one prompt that calls all
 * concepts, guidance around the untouched null. Masks, schedules and texts of their own have no counterpart there.
 */
export async function mergedField(base: Base, mix: Mix, concepts: MixConcepts): Promise<HeldField> {
  const { prompt, names } = mergedPrompt(mix, wordsOf(concepts));
  const each = Object.entries(names).map(([name, id]) => ({ name, id, ...concepts.get(id)! }));
  const weightOf = (id: string) => mix.guidances.find(({ source, muted }) => !muted && source.kind === 'concept' && source.conceptId === id)?.weight ?? 1;
  const zeros = commonZeroTokens(concepts);
  const words = withZeroTokens(await encodePrompts(base, [prompt], '', Object.fromEntries(each.map(({ name, concept }) => [name, readingOf(spokenOf(concept))]))), base.zeroTokens, zeros);
  const nothing = withZeroTokens(await encodePrompts(base, [''], ''), base.zeroTokens, zeros);
  const adapter = each.flatMap(({ id, concept }) => { const { adapter: found } = resultOf(concept); return found ? [{ adapter: found, weight: weightOf(id) }] : []; });
  const named = Object.fromEntries(each.flatMap(({ name, concept }) => { const { rows } = resultOf(concept); return rows ? [[name, rows]] : []; }));
  const merged: Evaluation = { words, adapter: adapter.length > 0 ? adapter : null, rows: null, named };
  return {
    field: (flow) => guidedField(flow, untouched(nothing), [{ positive: merged, negative: untouched(nothing), weight: 1 }]),
    quick: null,
    dispose: () => { disposePrompts(words); disposePrompts(nothing); },
  };
}
