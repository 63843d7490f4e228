import type { Tensor1D, Tensor2D, Tensor4D } from '../engine/tf';
import type { Adapter } from '../models/mmdit';
import type { Recipe } from '../protocol/recipe';
import type { Base, EncodedPrompts } from './base';

export type Pacing = { between?: () => Promise<void>; signal?: AbortSignal };

/** What a run has learned, or a Shelf concept. student null: stage 1 still runs, the goal field is shown. */
export interface LearnedConcept {
  extractor: Adapter | null;
  student: Adapter | null;
  rows: { rows: Tensor2D; pooledDelta: Tensor1D | null } | null;
  /** Running median of λ*; 1 before stage 2. */
  lambda: number;
  /** True once learning is over: balance then means v_base + balance·r. */
  learned: boolean;
  recipe: Recipe;
}
export declare function disposeConcept(concept: LearnedConcept): void;

/** Encoded prompts of K pictures, all with K rows. `negative`: the null prompt unless the user gave one. */
export interface FieldWords { complete: EncodedPrompts; base: EncodedPrompts; target: EncodedPrompts; class: EncodedPrompts; negative: EncodedPrompts }
/** Complete, Base, Target and class of prompts with or without [V]. Dispose with disposeFieldWords. */
export declare function encodeFieldWords(base: Base, prompts: readonly string[], negative: string, recipe: Recipe): FieldWords;
export declare function disposeFieldWords(words: FieldWords): void;

/** A velocity field for K rows. evaluate gives v0 + guidance·(v − v0), v0 from the untouched base on the negative prompt. */
export interface VelocityField {
  rows: number;
  evaluate(x: Tensor4D, sigma: number, guidance: number, pacing?: Pacing): Promise<Tensor4D>;
}
/** The untouched base on the Base prompts. */
export declare function baseField(base: Base, words: FieldWords): VelocityField;
/** v_base(Base) + balance·r when learned, v_base(Base) + balance·λ·g while learning. 0 evaluates only the base, 1 (learned) only the student. */
export declare function balancedField(base: Base, words: FieldWords, concept: LearnedConcept, balance: number): VelocityField;
/** The student itself on prompts as given (Base prompts too: customBase twins). While learning: the extractor. */
export declare function conceptField(base: Base, words: FieldWords, concept: LearnedConcept, options?: { rows?: boolean }): VelocityField;
