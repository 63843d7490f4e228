/** What a picture is drawn from, with defaults and ranges: the prompt bar, the fragment and the store read the same table. */
import { GUIDANCE } from '../protocol/limits';
import { CONCEPT_MARK, type ConceptKind } from '../protocol/captions';
import type { DrawParams } from '../protocol/pictures';

/** What the user sets; which Base prompt belongs to a prompt is the recipe's affair. */
export type DrawingParams = Omit<DrawParams, 'withBase' | 'kind'>;

export interface NumberRange { label: string; min: number; max: number; step: number }
interface Range extends NumberRange { why: string }

export const seedRange: Range = { label: 'seed', min: 0, max: 4294967295, step: 1, why: 'Same seed, same picture.' };
export const stepsRange: Range = { label: 'steps', min: 8, max: 28, step: 1, why: 'More is finer and slower.' };
/** CFG scale; 1 is off and costs half. */
export const guidanceRange: Range = { label: 'guidance', min: 1, max: 12, step: 0.5, why: 'How strictly the words are followed; 1 is off and twice as fast.' };
/** In units of λ*: 0 the base alone, 1 as exported. */
export const balanceRange: Range = { label: 'balance', min: 0, max: 2, step: 0.05, why: 'How strongly the concept acts.' };

export const numberRanges = { seed: seedRange, steps: stepsRange, guidance: guidanceRange, balance: balanceRange } as const;

export const isWithin = (value: number, { min, max, step }: NumberRange): boolean => value >= min && value <= max && (step !== 1 || Number.isInteger(value));

/** The nearest possible value to a number, and the sentence that says what it became. */
export function nearestTo(number: number, { label, min, max, step }: NumberRange, typed = String(number)): { value: number; said: string } {
  const value = Math.min(max, Math.max(min, step === 1 ? Math.round(number) : number));
  return { value, said: `${label.charAt(0).toUpperCase()}${label.slice(1)}: ${min} to ${max}${step === 1 ? ', whole' : ''}. ${typed} became ${value}.` };
}

/** Parameters from elsewhere as they can be drawn by: each number the nearest that is possible, with what was changed in sentences. */
export function possibleParams(params: Partial<DrawParams>): { params: Partial<DrawParams>; said: string } {
  const changed = (Object.keys(numberRanges) as (keyof typeof numberRanges)[]).flatMap((key) => {
    const value = params[key];
    return value === undefined || isWithin(value, numberRanges[key]) ? [] : [{ key, ...nearestTo(value, numberRanges[key]) }];
  });
  return { params: { ...params, ...Object.fromEntries(changed.map(({ key, value }) => [key, value])) }, said: changed.map(({ said }) => said).join(' ') };
}

/** Sixteen steps of DPM++ 2M come nearer to what a hundred draw than twenty of Euler (docs/base.md). */
export const defaultParams: DrawingParams = { prompt: '', negative: '', seed: 42, steps: 16, sampler: 'dpmpp-2m', skipLayers: false, guidance: GUIDANCE, balance: 1 };

/** Where idle time draws full pictures for the slider to pass through. */
export const tickBalances = [0, 0.5, 1, 1.5, 2];

/** The prompt a new concept starts with: a place that is in no sample caption more than once. */
export function startPrompt(kind: ConceptKind, classWord: string): string {
  if (kind === 'style') return `a dog in the snow, ${CONCEPT_MARK}`;
  if (kind === 'world') return 'in the snow';
  return classWord.trim() === '' ? '' : `a ${CONCEPT_MARK} ${classWord.trim()} in the snow`;
}
