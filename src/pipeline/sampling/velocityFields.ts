/**
 * Velocity fields for sampling, as lists of guidances:
 *   v = v0 + s · Σ wᵢ(σ) · Mᵢ ⊙ [vᵢ(c⁺) − vᵢ′(c⁻)]        (GCFG's rule, with both ends of each difference free)
 * v0 is the untouched base on the negative prompt, s the scale of classifier-free guidance. Each end is an evaluation of its own:
 * words, adapters with weights, concept rows. Where no mask stands, all of it is one weighted sum of velocities whose weights add
 * up to 1: evaluations that occur several times are made once, those that no place has a weight for not at all, and one fused pass adds
 * them up.
 *   text          Base on nothing, weight 1: the untouched base
 *   learned       r = v_result(Complete) − v_base(Base), weight balance
 *   while learning  λ·g, g as the method names it, weight balance
 * A guidance that is a scene has a picture xⱼ of its own, which begins at the same noise and goes along its positive end alone,
 *   Vⱼ = v0(xⱼ) + s·[vⱼ(c⁺)(xⱼ) − v0(xⱼ)],
 * and pulls to where that goes: s·(its positive end − v0) = Vⱼ + (x − xⱼ)/σ − v0. With weight 1 the picture is xⱼ where its mask is 1, at every
 * noise level. Where masks of scenes overlap they are shared out by what their words have pulled so far, Σ |vⱼ(c⁺) − v0| over the steps (methods/gcfg/scenes).
 */
import { guidanceFusionOf } from '../../engine/kernels/guidanceFusion';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { methodOf } from '../../methods';
import { composeVelocity } from '../../methods/gcfg/compose';
import type { Evaluated, WrittenRole } from '../../methods/method';
import { Fault } from '../../protocol/faults';
import { isPlain, plainComposition, type Composition } from '../../protocol/mix';
import type { Base, EncodedPrompts, FlowBase } from '../base';
import { resultOf, type LearnedConcept } from '../concept';
import { evaluate, evaluatePasses, sameEvaluation, type Evaluation, type Passes } from '../evaluate';
import type { SpokenOf } from '../learnedWord';
import { disposePrompts, encodePrompts, promptRoles, readingKey, readingOf } from '../prompts';
import { wantedZeroTokens, withZeroTokens, type ZeroTokens } from '../zeroTokens';
import { atLevels } from '../seen';
import { isContested, ledTo, pulledBy, sharedMasks } from './scenes';

export interface Pacing {
  /** Awaited between blocks of the transformer. */
  between?: () => Promise<void>;
  signal?: AbortSignal;
}

/** Encoded prompts of K pictures, K rows each. */
export interface FieldWords {
  complete: EncodedPrompts;
  base: EncodedPrompts;
  target: EncodedPrompts;
  class: EncodedPrompts;
  /** The empty prompt. */
  null: EncodedPrompts;
  /** v0 of the guidance: the empty prompt, or what the user doesn't want. */
  negative: EncodedPrompts;
}

/** All roles of K prompts, with or without [V]. The caller disposes (disposeFieldWords). */
export async function encodeFieldWords(base: Base, prompts: readonly string[], negative: string, spoken: SpokenOf & ZeroTokens, between?: () => Promise<void>): Promise<FieldWords> {
  const roles = prompts.map((prompt) => promptRoles(prompt, spoken));
  const reading = readingOf(spoken);
  const read = (texts: readonly string[]) => base.prompts.encoded(texts, [readingKey(reading), wantedZeroTokens(spoken)], async () => withZeroTokens(await encodePrompts(base, texts, reading, {}, between), base.zeroTokens, spoken));
  return base.parts.text.lingering(async () => {
    const empty = await read(prompts.map(() => ''));
    return {
      complete: await read(roles.map((role) => role.complete)),
      base: await read(roles.map((role) => role.base)),
      target: await read(roles.map((role) => role.target)),
      class: await read(roles.map((role) => role.class)),
      null: empty,
      // one and the same, so that it is evaluated once
      negative: negative === '' ? empty : await read(prompts.map(() => negative)),
    };
  });
}

export function disposeFieldWords(words: FieldWords): void {
  for (const encoded of Object.values(words)) disposePrompts(encoded as EncodedPrompts);
}

export interface Guidance {
  positive: Evaluation;
  negative: Evaluation;
  /** A number, or by the noise level: an interval of it, a ramp. */
  weight: number | ((sigma: number) => number);
  /** Where it acts, 0…1, broadcast against [K,h,w,C]; everywhere without one. Stays the caller's. */
  mask?: Tensor4D;
  /** The mask's numbers, where they are at hand: then what masks leave nothing of is not evaluated. */
  cells?: Float32Array;
  /** Its weight is solved together with those of the others that say so, where the composition asks for it. */
  joint?: boolean;
  /** Its positive end is a picture of its own, which is drawn beside this one. */
  scene?: boolean;
}

/** What a balance moves: guidances that go up and down together, each in its own proportion. */
export type Direction = readonly (Guidance & { weight: number })[];

export interface VelocityField {
  /** K pictures. */
  rows: number;
  /** Scenes that are drawn beside them: x and v have (1 + scenes)·K rows, and the first K are the pictures. */
  scenes: number;
  /** v0 + guidance·(v − v0); guidance 1 is v itself. The caller disposes. Fault `aborted`. */
  evaluate(x: Tensor4D, sigma: number, guidance: number, pacing?: Pacing): Promise<Tensor4D>;
}

/** What is added up: an evaluation at the picture, or the velocity of a scene. */
interface Weighted { source: Evaluation | Tensor4D; weight: number; mask: Tensor4D | null; cells: Float32Array | null }
const isVelocity = (source: Weighted['source']): source is Tensor4D => 'dataId' in source;
const sameSource = (a: Weighted['source'], b: Weighted['source']): boolean => (isVelocity(a) || isVelocity(b) ? a === b : sameEvaluation(a, b));

/** Rounding of a few products. */
const NOTHING = 1e-5;
/** Whether what a source weighs comes to nothing at every place: scenes that share the picture among them leave nothing to the prompt. */
function isNowhere(terms: readonly Weighted[]): boolean {
  const masked = terms.filter(({ mask }) => mask);
  if (masked.length === 0 || !masked.every(({ cells }) => cells)) return false;
  const constant = terms.reduce((sum, { mask, weight }) => (mask ? sum : sum + weight), 0);
  return masked[0]!.cells!.every((_, i) => Math.abs(masked.reduce((sum, { cells, weight }) => sum + weight * cells![i]!, constant)) < NOTHING);
}

/** A guidance at one noise level; of a scene, which it is and where it goes from there. */
type Now = Omit<Guidance, 'weight' | 'scene'> & { weight: number; scene: number | null; velocity: Tensor4D | null };

/**
 * Each evaluation once in each mask, with its weight in the whole. The first has no mask and stands for what the others leave of 1;
 * so those that are the same as it need not be named again.
 */
function weightedSum(origin: Evaluation, guidances: readonly Now[], scale: number): Weighted[] {
  const all: Weighted[] = [{ source: origin, weight: 1, mask: null, cells: null }];
  const add = (source: Weighted['source'], weight: number, mask: Tensor4D | null, cells: Float32Array | null) => {
    const known = all.find((each) => each.mask === mask && sameSource(each.source, source));
    if (known) known.weight += weight;
    else all.push({ source, weight, mask, cells });
  };
  for (const { positive, negative, weight, velocity, mask = null, cells = null } of [...guidances].sort((a, b) => Number(!!a.mask) - Number(!!b.mask))) {
    if (velocity) {
      add(velocity, weight, mask, cells);
      add(origin, weight * (scale - 1), mask, cells);
    } else add(positive, scale * weight, mask, cells);
    add(negative, -scale * weight, mask, cells);
  }
  const [first, ...rest] = all.filter(({ source, weight }) => weight !== 0 && !isNowhere(all.filter((each) => sameSource(each.source, source))));
  return [first!, ...rest.filter(({ source }) => !sameSource(source, first!.source))];
}

/** The plain sum, fused over the velocities where the passes left them. */
async function fusedSum(sum: readonly Weighted[], shape: Tensor4D['shape'], passesOf: (wanted: readonly Evaluation[]) => Promise<Passes>): Promise<Tensor4D> {
  const { outputs, at } = await passesOf(sum.flatMap(({ source }) => (isVelocity(source) ? [] : [source])));
  const left = at.map(({ pass, member }) => ({ source: outputs[pass]!, at: member }));
  const [first, ...rest] = sum.map(({ source }) => (isVelocity(source) ? { source, at: 0 } : left.shift()!));
  const v = guidanceFusionOf<Tensor4D>(shape, first!, rest.map((slice, i) => ({ ...slice, weight: sum[i + 1]!.weight, mask: sum[i + 1]!.mask })));
  tf.dispose(outputs);
  return v;
}

/**
 * A field from a list of guidances, in order of priority, around `origin`, v0. Plain data in, velocities out; it owns no tensors. What scenes
 * have pulled it remembers from one step to the next, down the noise levels of a run.
 * Only a composition that is not the plain sum has the differences made one by one.
 */
export function guidedField(base: FlowBase, origin: Evaluation, guidances: readonly Guidance[], composition: Composition = plainComposition): VelocityField {
  const rows = origin.words.at.length;
  const scenes = guidances.reduce<Evaluation[]>((all, { scene, positive }) => (scene && !all.some((each) => sameEvaluation(each, positive)) ? [...all, positive] : all), []);
  const alone = scenes.map((positive) => guidedField(base, origin, [{ positive, negative: origin, weight: 1 }]));
  const contested = isContested(guidances);
  let pulled: { sigma: number; pulls: Float32Array[] } | null = null;
  return {
    rows,
    scenes: scenes.length,
    async evaluate(all, sigma, guidance, { between = async () => {}, signal } = {}) {
      const paced = async () => {
        await between();
        if (signal?.aborted) throw new Fault('aborted', 'Stopped.');
      };
      await paced();
      const points = scenes.length === 0 ? [tf.clone(all)] : tf.split<Tensor4D>(all, 1 + scenes.length, 0);
      const [x, ...own] = points;
      const made: Tensor4D[] = [];
      try {
        const pulls: Float32Array[] = [];
        for (const [j, at] of own.entries()) {
          if (!contested) { made.push(await alone[j]!.evaluate(at, sigma, guidance, { between, ...(signal && { signal }) })); continue; }
          const { velocity, pull } = await pulledBy(base, at, new Array<number>(rows).fill(sigma), [origin, scenes[j]!], guidance, paced);
          made.push(velocity);
          const before = pulled && pulled.sigma > sigma ? pulled.pulls[j]! : null;
          pulls.push(before ? pull.map((value, i) => value + before[i]!) : pull);
        }
        if (contested) pulled = { sigma, pulls };
        const v = await pictured(x!, sigma, guidance, made.map((velocity, j) => ledTo(x!, own[j]!, velocity, sigma)), pulls, paced);
        return made.length === 0 ? v : tf.tidy(() => { const whole = tf.concat4d([v, ...made], 0); v.dispose(); return whole; });
      } finally {
        tf.dispose([...points, ...made]);
      }
    },
  };

  /** The velocity of the pictures. `towards`: to where the scenes go, which is disposed; `pulls`: what their words have pulled, where they contest a place. */
  async function pictured(x: Tensor4D, sigma: number, guidance: number, towards: readonly Tensor4D[], pulls: readonly Float32Array[], paced: () => Promise<void>): Promise<Tensor4D> {
    const sigmas = new Array<number>(rows).fill(sigma);
    const start = atLevels(origin, sigmas);
    const acting = guidances
      .map(({ scene: own, ...each }): Now => {
        const scene = own ? scenes.findIndex((known) => sameEvaluation(known, each.positive)) : null;
        return { ...each, negative: atLevels(each.negative, sigmas), weight: typeof each.weight === 'number' ? each.weight : each.weight(sigma), scene, ...(scene === null ? { velocity: null, positive: atLevels(each.positive, sigmas) } : { velocity: towards[scene]! }) };
      })
      .filter(({ weight, positive, negative, velocity }) => guidance * weight !== 0 && (velocity || !sameEvaluation(positive, negative)));
    const shared = pulls.length === 0 ? [] : sharedMasks(acting, pulls, x.shape);
    const now = acting.map((each) => ({ ...each, ...shared.find(({ of }) => of === each)?.given }));
    const masks = shared.map(({ given }) => given.mask);
    try {
      if (isPlain(composition)) return await fusedSum(weightedSum(start, now, guidance), x.shape, (wanted) => evaluatePasses(base, x, sigmas, wanted, paced));
      const velocities = await evaluate(base, x, sigmas, [start, ...now.flatMap(({ positive, negative, velocity }) => (velocity ? [negative] : [negative, positive]))], paced);
      const [v0, ...ends] = velocities;
      const left = [...ends];
      const differences = tf.tidy(() => now.map(({ velocity }) => {
        const negative = left.shift()!;
        return tf.sub<Tensor4D>(velocity ? tf.add<Tensor4D>(v0!, tf.div(tf.sub(velocity, v0!), guidance)) : left.shift()!, negative);
      }));
      try {
        return await composeVelocity(v0!, now.map(({ weight, mask = null, joint = false }, i) => ({ difference: differences[i]!, weight, mask, joint })), guidance, composition, { x, sigma });
      } finally {
        tf.dispose([...velocities, ...differences]);
      }
    } finally {
      tf.dispose([...towards, ...masks]);
    }
  }
}

/** The base as it is. */
export const untouched = (words: EncodedPrompts): Evaluation => ({ words, adapter: null, rows: null });

/** Text on nothing, or on what is not wanted: with it alone the field is classifier-free guidance. */
export const textGuidance = (words: FieldWords, text: Evaluation = untouched(words.base)): Guidance => ({ positive: text, negative: untouched(words.negative), weight: 1 });

/** The untouched base on the Base prompts; `extra`: guidances beside that of the text. */
export function baseField(base: FlowBase, words: FieldWords, extra: readonly Guidance[] = []): VelocityField {
  return guidedField(base, untouched(words.negative), [textGuidance(words), ...extra]);
}

/** The concept's direction in units of the balance: r once learned, or what the method says it is; λ·g while the method has a goal to show. */
export function conceptGuidance(words: FieldWords, concept: LearnedConcept): Guidance & { weight: number } {
  const { recipe } = concept;
  const method = methodOf(recipe);
  const goal = concept.learned ? undefined : method.goal?.(recipe);
  const ends = goal ?? method.direction?.(recipe);
  if (!ends) return { positive: { words: words.complete, ...resultOf(concept) }, negative: untouched(words.base), weight: 1 };
  const named = ({ caption, adapter, rows, sees = false }: Evaluated<WrittenRole>): Evaluation => ({
    words: words[caption], adapter: adapter === null ? null : concept.adapters[adapter]!, rows: rows === null ? null : concept.rows[rows]!, ...(sees && concept.sight && { seen: { ...concept.sight, weight: 1 } }),
  });
  return { positive: named(ends.positive), negative: named(ends.negative), weight: goal ? concept.lambda : 1 };
}

/** What a learned concept's guidance leads to: its result on the Complete prompts. Null while it learns, and for a method whose result has a direction of its own. */
export const wholeConcept = (words: FieldWords, concept: LearnedConcept): Evaluation | null =>
  (concept.learned && !methodOf(concept.recipe).direction ? { words: words.complete, ...resultOf(concept) } : null);

/** v_base(Base) + balance·direction, whatever is moved. At balance 0 the base's own field. */
export function directedField(base: FlowBase, words: FieldWords, direction: Direction, balance: number, extra: readonly Guidance[] = []): VelocityField {
  return guidedField(base, untouched(words.negative), [textGuidance(words), ...direction.map((each) => ({ ...each, weight: balance * each.weight })), ...extra]);
}

/** The same for a concept; several, each with its own words' [name], adapter and rows, add up likewise. */
export const balancedField = (base: FlowBase, words: FieldWords, concept: LearnedConcept, balance: number, extra: readonly Guidance[] = []): VelocityField =>
  directedField(base, words, [conceptGuidance(words, concept)], balance, extra);

/**
 * The customized model itself, as exported: the concept's result on the prompts as they are, Base prompts among them
 * (customBase twins); a method with a direction of its own is drawn by that, once. `rows: false` leaves the concept rows out, as other tools draw it.
 */
export function conceptField(base: FlowBase, words: FieldWords, concept: LearnedConcept, { rows = true }: { rows?: boolean } = {}): VelocityField {
  if (methodOf(concept.recipe).direction) return balancedField(base, words, { ...concept, learned: true }, 1);
  const result = resultOf(concept);
  return guidedField(base, untouched(words.negative), [textGuidance(words, { words: words.complete, adapter: result.adapter, rows: rows ? result.rows : null })]);
}

/** As another tool draws the exported file: without concept rows, and with guidance's v0 through the adapter like everything else. */
export function elsewhereField(base: FlowBase, words: FieldWords, concept: LearnedConcept): VelocityField {
  const through = (each: EncodedPrompts): Evaluation => ({ words: each, adapter: resultOf(concept).adapter, rows: null });
  const nothing = through(words.negative);
  return guidedField(base, nothing, [{ positive: through(words.complete), negative: nothing, weight: 1 }]);
}
