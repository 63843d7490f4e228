/**
 * A mix: a picture's guidances as plain data, the record that the Mix page edits, the link and the PNG carry, and the session draws.
 *   v = v0 + G · Σ wᵢ · fᵢ(σ) · Mᵢ ⊙ Pᵢ[vᵢ(c⁺) − vᵢ(c⁻)]        (GCFG's rule)
 * v0: the untouched base on nothing. G: the CFG scale. Weight 1 of a text is classifier-free guidance, weight 1 of a concept the
 * strength it was learned with. The order of guidances is their priority, first before second.
 * `parseMix` is the only door for mixes from outside; a bad one throws Fault `mix-invalid` with the field as subject.
 */
import * as v from 'valibot';
import { Fault } from './faults';
import { SAMPLERS, type PictureEvent } from './pictures';

const MIX_VERSION = 1;
export const MAX_GUIDANCES = 16;
export const mixWeightRange = { min: -10, max: 10 } as const;
/** Of an object on the page's slider: an object has no opposite, and it was trained at 1. */
export const objectWeightRange = { min: 0, max: 2 } as const;

const unit = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

/** Factor on a weight by the noise level σ, 1 (pure noise) … 0. Curves are piecewise linear, points in falling σ. */
const Schedule = v.variant('kind', [
  v.strictObject({ kind: v.literal('constant') }),
  /** Full weight while `to` ≤ σ ≤ `from`. */
  v.strictObject({ kind: v.literal('interval'), from: unit, to: unit }),
  /** From factor `first` at σ = 1 to `last` at σ = 0. */
  v.strictObject({ kind: v.literal('ramp'), first: v.pipe(v.number(), v.minValue(-2), v.maxValue(2)), last: v.pipe(v.number(), v.minValue(-2), v.maxValue(2)) }),
  v.strictObject({ kind: v.literal('curve'), points: v.pipe(v.array(v.strictObject({ sigma: unit, factor: v.pipe(v.number(), v.minValue(-2), v.maxValue(2)) })), v.minLength(2), v.maxLength(32)) }),
]);

/** Where a guidance acts. Sides of a box in 0…1 of the picture, `feather` the width of its soft edges inside the picture. Painted: side² cells, row by row, each a hex digit 0…f. */
const Mask = v.variant('kind', [
  v.strictObject({ kind: v.literal('everywhere') }),
  v.strictObject({ kind: v.literal('box'), left: unit, top: unit, right: unit, bottom: unit, feather: unit }),
  v.strictObject({ kind: v.literal('painted'), side: v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(64)), cells: v.pipe(v.string(), v.regex(/^[0-9a-f]*$/)) }),
]);

/** Words are null where the mix's own prompt is meant. */
const words = v.nullable(v.pipe(v.string(), v.maxLength(500)));

/** An object of a card of the Shelf, known by pictures alone, and how it is seen. */
const SeenObject = v.strictObject({
  cardId: v.pipe(v.string(), v.maxLength(100)),
  /** Weight of the cross-attention; 0 is the words alone, 1 what the encoder was trained with. */
  strength: v.pipe(v.number(), v.minValue(0), v.maxValue(2)),
  /** Tokens of nothing beside the object's: attention that goes nowhere, so that more of them leave more to the words. */
  zeroTokens: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(80)),
  /** Takes out of what the object adds what the words draw already. */
  ortho: v.picklist(['none', 'ortho', 'ortho_v2']),
  /** Seen from this step on, counted from 0: the first steps settle the layout, and without the object they keep the words'. */
  startStep: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)),
});

/**
 * What a guidance pulls towards. A concept's own words, where it has some, are read with [V] for it; an object's are what is drawn with it.
 * An object's name and class word are its card's when it was added: with them a mix still says what it saw where the card is gone.
 */
const Source = v.variant('kind', [
  v.strictObject({ kind: v.literal('text'), words }),
  v.strictObject({ kind: v.literal('concept'), conceptId: v.pipe(v.string(), v.maxLength(100)), words }),
  v.strictObject({ kind: v.literal('object'), object: SeenObject, words, name: v.optional(v.pipe(v.string(), v.maxLength(100)), ''), classWord: v.optional(v.pipe(v.string(), v.maxLength(100)), '') }),
]);

const MixGuidance = v.strictObject({
  id: v.pipe(v.string(), v.minLength(1), v.maxLength(40)),
  source: Source,
  /** Text alone: what it pulls away from; empty is nothing. Of a concept or an object it is always the same words without it. */
  against: v.pipe(v.string(), v.maxLength(500)),
  weight: v.pipe(v.number(), v.minValue(mixWeightRange.min), v.maxValue(mixWeightRange.max)),
  schedule: Schedule,
  mask: Mask,
  /** In its mask it draws a scene of its own: its words in a picture of their own, which begins at the same noise, in place of what the prompt draws there. */
  alone: v.boolean(),
  muted: v.boolean(),
  solo: v.boolean(),
});

const Composition = v.strictObject({
  /** Each guidance without what it has in common with those before it (Gram–Schmidt). */
  orthogonal: v.boolean(),
  /** Concepts' weights solved together, so that each acts as strongly as it would alone (ridge Gram solve). */
  together: v.boolean(),
  /** Adaptive projected guidance: factor on the part of the whole guidance along the prediction; 1 is off. */
  parallel: unit,
  /** Guidance rescale: share φ by which the whole guidance's spread is brought back to that of the conditional prediction; 0 is off. */
  rescale: unit,
  /** CFG-Zero*: v0 scaled to its projection, s = ⟨v⁺,v0⟩/⟨v0,v0⟩. */
  zeroStar: v.boolean(),
});

/** A picture to start from instead of noise: image translation. `sigma`: how much of it is given up. */
const Start = v.nullable(v.strictObject({ pictureId: v.pipe(v.string(), v.maxLength(100)), crop: v.strictObject({ x: v.number(), y: v.number(), size: v.number() }), sigma: v.pipe(v.number(), v.minValue(0.05), v.maxValue(1)) }));

const MixRecord = v.strictObject({
  version: v.literal(MIX_VERSION),
  /** May call concepts of the guidances [name]. */
  prompt: v.pipe(v.string(), v.maxLength(500)),
  /** Concepts and cards by the names that the prompt calls them. */
  names: v.record(v.pipe(v.string(), v.maxLength(60)), v.pipe(v.string(), v.maxLength(100))),
  seed: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1)),
  steps: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)),
  /** Mixes from before there was a choice have none, and go by Euler. */
  sampler: v.optional(v.picklist(SAMPLERS)),
  /** G. */
  guidance: v.pipe(v.number(), v.minValue(0), v.maxValue(15)),
  guidances: v.pipe(v.array(MixGuidance), v.maxLength(MAX_GUIDANCES)),
  composition: Composition,
  start: Start,
});

export type Schedule = v.InferOutput<typeof Schedule>;
export type Mask = v.InferOutput<typeof Mask>;
export type SeenObject = v.InferOutput<typeof SeenObject>;
export type MixSource = v.InferOutput<typeof Source>;
export type ObjectSource = Extract<MixSource, { kind: 'object' }>;
export type MixGuidance = v.InferOutput<typeof MixGuidance>;
export type Composition = v.InferOutput<typeof Composition>;
export type Mix = v.InferOutput<typeof MixRecord>;

/** A guidance as it is added: weight 1, all the way, everywhere. */
export const newGuidance = (id: string, source: MixSource): MixGuidance =>
  ({ id, source, against: '', weight: 1, schedule: { kind: 'constant' }, mask: { kind: 'everywhere' }, alone: false, muted: false, solo: false });

/** The plain sum of the rule. */
export const plainComposition: Composition = { orthogonal: false, together: false, parallel: 1, rescale: 0, zeroStar: false };

/** Whether it is the plain sum, which needs no differences. */
export const isPlain = ({ orthogonal, together, parallel, rescale, zeroStar }: Composition): boolean => !orthogonal && !together && parallel === 1 && rescale === 0 && !zeroStar;

/** An object as the encoder was trained to be seen. */
export const newObjectSource = (cardId: string, { name, classWord } = { name: '', classWord: '' }): ObjectSource =>
  ({ kind: 'object', object: { cardId, strength: 1, zeroTokens: 0, ortho: 'none', startStep: 0 }, words: null, name: name.slice(0, 100), classWord: classWord.slice(0, 100) });

/** Ids of the cards that a mix names, each once. */
export const cardsOf = ({ guidances }: Pick<Mix, 'guidances'>): string[] => [...new Set(guidances.flatMap(({ source }) => (source.kind === 'object' ? [source.object.cardId] : [])))];

export function parseMix(value: unknown): Mix {
  const parsed = v.safeParse(MixRecord, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const subject = v.getDotPath(issue) ?? 'mix';
    throw new Fault('mix-invalid', `The mix cannot be read: ${subject}: ${issue.message}.`, 'Use a mix that Lamina wrote, or begin a new one.', { subject });
  }
  for (const { mask, id } of parsed.output.guidances) {
    if (mask.kind === 'painted' && mask.cells.length !== mask.side ** 2) throw new Fault('mix-invalid', `The mask of “${id}” has ${mask.cells.length} cells; ${mask.side ** 2} are needed.`, 'Paint it again.', { subject: 'mask' });
  }
  return parsed.output;
}

/** Guidances that act: solo ones alone where there are any, muted ones and those of weight 0 never. */
export function acting(guidances: readonly MixGuidance[]): MixGuidance[] {
  const solo = guidances.some(({ solo }) => solo);
  return guidances.filter((each) => !each.muted && each.weight !== 0 && (!solo || each.solo));
}

/** Factor on the weight at a noise level. */
export function scheduleAt(schedule: Schedule, sigma: number): number {
  switch (schedule.kind) {
    case 'constant': return 1;
    case 'interval': return sigma <= Math.max(schedule.from, schedule.to) && sigma >= Math.min(schedule.from, schedule.to) ? 1 : 0;
    case 'ramp': return schedule.last + (schedule.first - schedule.last) * sigma;
    case 'curve': {
      const points = [...schedule.points].sort((a, b) => a.sigma - b.sigma);
      const above = points.findIndex((point) => point.sigma >= sigma);
      if (above < 0) return points.at(-1)!.factor;
      if (above === 0) return points[0]!.factor;
      const [low, high] = [points[above - 1]!, points[above]!];
      return low.factor + (high.factor - low.factor) * ((sigma - low.sigma) / (high.sigma - low.sigma));
    }
  }
}

const smooth = (edge: number, feather: number) => Math.min(1, Math.max(0, edge / Math.max(feather, 1e-6) + 0.5));

/** A mask on a grid of height × width cells, 0…1 row by row; null where it is 1 everywhere. */
export function maskCells(mask: Mask, height: number, width: number): Float32Array | null {
  if (mask.kind === 'everywhere') return null;
  const out = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, w] = [(x + 0.5) / width, (y + 0.5) / height];
      if (mask.kind === 'box') {
        const { left, top, right, bottom, feather } = mask;
        out[y * width + x] = (left <= 0 ? 1 : smooth(u - left, feather)) * (right >= 1 ? 1 : smooth(right - u, feather)) * (top <= 0 ? 1 : smooth(w - top, feather)) * (bottom >= 1 ? 1 : smooth(bottom - w, feather));
      } else out[y * width + x] = paintedAt(mask, u, w);
    }
  }
  return out;
}

/** Cells a side that are looked at, as many as the embedded base's latents have. */
const LOOKED_AT = 16;
/** Whether scenes share the whole picture among them, so that nothing of the prompt's is left; of guidances that act. What two contest is shared out. */
export function scenesCover(guidances: readonly MixGuidance[]): boolean {
  const scenes = guidances.filter(({ alone, weight, schedule }) => alone && weight === 1 && schedule.kind === 'constant');
  const masks = scenes.map(({ mask }) => maskCells(mask, LOOKED_AT, LOOKED_AT));
  return scenes.length > 0 && Array.from({ length: LOOKED_AT ** 2 }).every((_, i) => masks.reduce((sum, cells) => sum + (cells ? cells[i]! : 1), 0) > 1 - 1e-5);
}

/** Bilinear between the centres of the cells. */
function paintedAt({ side, cells }: Extract<Mask, { kind: 'painted' }>, u: number, w: number): number {
  const clamped = (at: number) => Math.min(side - 1, Math.max(0, at));
  const cell = (x: number, y: number) => Number.parseInt(cells[clamped(y) * side + clamped(x)]!, 16) / 15;
  const [fx, fy] = [u * side - 0.5, w * side - 0.5];
  const [x, y] = [Math.floor(fx), Math.floor(fy)];
  const mix = (a: number, b: number, part: number) => a + (b - a) * part;
  return mix(mix(cell(x, y), cell(x + 1, y), fx - x), mix(cell(x, y + 1), cell(x + 1, y + 1), fx - x), fy - y);
}

/** The same text for the same value, in whatever order its keys stand. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'object' && each !== null && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each));

/** At which noise level an object is first seen depends on the steps. */
const waits = ({ source }: MixGuidance): boolean => source.kind === 'object' && source.object.startStep > 0;

/** What of a mix a probe depends on. All else (weights, schedules, masks, composition, who acts) moves without a model call. */
export const mixProbeKey = ({ prompt, names, seed, steps, guidance, guidances, start }: Mix): string =>
  canonical([prompt, names, seed, guidance, ...(guidances.some(waits) ? [steps] : []), Object.fromEntries(guidances.map(({ id, source, against, alone }) => [id, [source, against, alone]])), start]);

/** What of a mix a picture shows, but for the seed: pictures with the same key can stand side by side. Guidances that do not act leave no trace. */
export const mixPictureKey = ({ seed: _, guidances, ...mix }: Mix): string => canonical([mix, acting(guidances).map(({ muted: _muted, solo: _solo, ...each }) => each)]);

/** What a picture of a mix tells of itself. */
export const mixPicture = (mix: Mix): Pick<PictureEvent, 'prompt' | 'negative' | 'seed' | 'guidance' | 'sampler' | 'skipLayers' | 'kind' | 'balance' | 'atStep' | 'mix'> =>
  ({ skipLayers: false, sampler: mix.sampler ?? 'euler', prompt: mix.prompt, negative: '', seed: mix.seed, guidance: mix.guidance, kind: 'instance', balance: 1, atStep: null, mix: mixPictureKey(mix) });
