/** What turns words into what the transformer reads: one interface, whether a lone CLIP encoder stands behind it or SD3's two or three. */
import type { Tensor2D, Tensor3D } from '../../engine/tf';
import type { Pooling } from '../clip';
import type { Between } from '../steps';

/** Prompts as ids, [B][L] each, rows of one length. */
export interface TextTokens {
  /** From CLIP's tokenizer, filled up with the end marker; each encoder puts its own filling behind the first end marker. */
  clip: readonly (readonly number[])[];
  /** From T5's tokenizer, of any length; needed where the tower has a T5, ignored elsewhere. */
  t5?: readonly (readonly number[])[];
}

/** Owned by the caller. */
export interface EncodedTokens {
  /** [B, T, contextWidth] */
  context: Tensor3D;
  /** [B, pooledWidth] */
  pooled: Tensor2D;
}

export interface TowerEncodeOptions {
  /** Rows of added tokens [n,d], one table for each CLIP encoder in its order; ids from the vocabulary's end on. */
  added?: readonly (Tensor2D | null)[];
  /** Each encoder's own rule by default. */
  pooling?: Pooling;
}

export interface TextTower {
  /** Of each CLIP encoder: how many ids it knows, and the numbers of a token. */
  tables: readonly { vocabulary: number; width: number }[];
  contextWidth: number;
  pooledWidth: number;
  /** Whether it reads `TextTokens.t5`. */
  readsT5: boolean;
  /** How many zero tokens stand in place of T5's; 0 where there is a T5, or never one. */
  zeroTokens: number;
  /** Layer by layer; awaits `between` in the gaps. */
  encode(tokens: TextTokens, between?: Between, options?: TowerEncodeOptions): Promise<EncodedTokens>;
  dispose(): void;
}
