/**
 * The SD3 transformer as plain data: weights by block, and what goes in and out of one evaluation.
 * Layout: latents NHWC, tokens [B,N,d], linear weights [in,out]. Every tensor of an Mmdit is frozen and owned by it.
 */
import type { FrozenLinear, LoraPair } from '../../engine/ops';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import type { Norm } from '../clip/layers';

export interface MmditConfig {
  depth: number;
  hidden: number;
  heads: number;
  headWidth: number;
  patch: number;
  channels: number;
  outChannels: number;
  contextWidth: number;
  pooledWidth: number;
  /** Side of the position table, in patches. */
  positionSide: number;
  qkNorm: boolean;
  /** Blocks with a second attention over the picture tokens alone. */
  dualAttention: readonly number[];
}

/** The projections of one stream (or of attn2), q and k norms where the model has them. */
export interface AttentionWeights { q: FrozenLinear; k: FrozenLinear; v: FrozenLinear; out: FrozenLinear | null; normQ: Tensor1D | null; normK: Tensor1D | null }
export interface StreamWeights { modulation: FrozenLinear; attention: AttentionWeights; up: FrozenLinear | null; down: FrozenLinear | null }
export interface BlockWeights { index: number; last: boolean; x: StreamWeights; context: StreamWeights; dual: AttentionWeights | null }
export interface TwoLayer { first: FrozenLinear; second: FrozenLinear }

export interface Mmdit {
  config: MmditConfig;
  patchEmbed: FrozenLinear;
  /** [side,side,hidden], or the rows of it that the loader was asked to keep. */
  positions: Tensor3D;
  timeEmbed: TwoLayer;
  pooledEmbed: TwoLayer;
  contextEmbed: FrozenLinear;
  blocks: BlockWeights[];
  normOut: FrozenLinear;
  projectOut: FrozenLinear;
  /** Null: all blocks' weights are always in place. */
  residency: Residency | null;
}

/** Called around each run of a block, forward and backward, also by passes that overlap. `leave` follows each `enter`, also one that failed or was given up. */
export interface Residency {
  enter(index: number): Promise<void> | void;
  leave(index: number): void;
  /** Room for the weights from now on, in bytes, where it is less than before. */
  limit?(bytes: number): void;
  /** The model is being disposed of: what is still on its way must not arrive. */
  dispose?(): void;
}

export interface CrossBlock { index: number; normImage: Norm; normTokens: Norm; modulation: FrozenLinear; q: FrozenLinear; kv: FrozenLinear; out: FrozenLinear }

/** Frozen; whoever loaded it disposes it. */
export interface CrossAttention {
  time: TwoLayer;
  /** By the index of the block that each stands behind. */
  blocks: ReadonlyMap<number, CrossBlock>;
  /** Of the transformer it belongs to. */
  hidden: number;
  /** Of a token. */
  tokenWidth: number;
}

/** `ortho`: without what it shares with the picture tokens, channel by channel; `ortho_v2`: that share by how much the first tokens are attended to. */
export type Ortho = 'none' | 'ortho' | 'ortho_v2';

export interface Injection {
  weights: CrossAttention;
  /** [B,N,tokenWidth]; several pictures' stand one after the other. */
  tokens: Tensor3D;
  /** At 0 the branch is left out. */
  weight: number;
  /** Rows of zeros beside keys and values: attention that goes nowhere. */
  zeroTokens?: number;
  ortho?: Ortho;
  /** Where it acts, 0…1 on picture tokens, [1 or B, tokens, 1]. */
  region?: Tensor3D | null;
  /** Parameters in place of the frozen ones, by their names in the file and in its layout ([out,in]); a layer's weight and bias together. They get gradients. */
  trained?: Readonly<Record<string, Tensor>>;
}

export interface MmditInput {
  /** Noisy latent [B,h,w,C]. */
  x: Tensor4D;
  /** Noise level 0…1, one per sample. */
  sigma: readonly number[];
  /** Text tokens [B,T,contextWidth]. */
  context: Tensor3D;
  /** [B,pooledWidth] */
  pooled: Tensor2D;
  /** Another picture's tokens, attended to behind some of the blocks. */
  injection?: Injection | null;
}

/** LoRA pairs by site name (see loraSites and injectionSites); sites without an entry are plain. */
export type Adapter = Record<string, LoraPair>;
/** Which linear layers carry a LoRA: what may be trained here, or, of one from elsewhere, all there are (attn2, modulations, what stands before and after the blocks). */
export type SiteChoice = 'attention' | 'attention+mlp' | 'all';
export interface LoraSite { name: string; inFeatures: number; outFeatures: number }

/** Layer-wise concept embeddings: before block l, row l replaces the text stream at position at[b]. */
export interface ConceptRows {
  /** [depth, hidden] */
  rows: Tensor2D;
  /** [B] token position of [V], -1 where the caption has none. */
  at: readonly number[];
  /** [pooledWidth], added to `pooled` of the samples that have a [V]; null for none. */
  pooledDelta: Tensor1D | null;
  /** Further concepts at places of their own; they get no gradients. */
  others?: readonly Omit<ConceptRows, 'others'>[];
}

export interface VjpOptions {
  /** true keeps only block inputs and runs each block again on the way back; false keeps every block's tape. Same gradients bit for bit. */
  recompute: boolean;
  /** Whether rows (and pooledDelta, where there is one) get gradients. */
  wantRows: boolean;
  /** Gradients of x, context and pooled as well (for tests); off in training. */
  wantInputs?: boolean;
  /** Which of the adapter's pairs get gradients; all unless told. */
  wantSites?: (name: string) => boolean;
  /** Gradient of x alone; what a trajectory is walked back by. */
  wantX?: boolean;
  /** Gives out the queries of each block's joint attention, and takes gradients in them. */
  wantQueries?: boolean;
  /** Gradient of the injection's tokens. Its trained parameters always get theirs. */
  wantTokens?: boolean;
}

/** What a block's joint attention sees behind QK-norm: queries of the picture stream [B,N,H,hd], keys of the text stream [B,T,H,hd]. */
export interface AttentionFeatures { q: Tensor4D; k: Tensor4D }

export interface VelocityGradients {
  sites: Record<string, { a: Tensor2D; b: Tensor2D }>;
  rows: Tensor2D | null;
  pooledDelta: Tensor1D | null;
  /** Only with wantInputs. */
  inputs: { x: Tensor4D; context: Tensor3D; pooled: Tensor2D } | null;
  /** Only with wantX; null too where nothing given depended on it. */
  x: Tensor4D | null;
  /** Only where there is an injection: `tokens` with wantTokens, else null; `trained` by the names given. */
  injection: { tokens: Tensor3D | null; trained: Record<string, Tensor> } | null;
}

/**
 * The caller owns `velocity`, `queries` and everything `pullback` returns. pullback may be called once; dispose frees what it would have used.
 * queries: with wantQueries, one for each block. dv null: nothing is asked of the velocity; dQueries likewise.
 */
export interface VelocityVjp {
  velocity: Tensor4D;
  queries: Tensor4D[];
  pullback(dv: Tensor4D | null, dQueries?: readonly (Tensor4D | null)[]): VelocityGradients;
  dispose(): void;
}

export interface VelocityVjpAsync {
  velocity: Tensor4D;
  queries: Tensor4D[];
  pullback(dv: Tensor4D | null, dQueries?: readonly (Tensor4D | null)[]): Promise<VelocityGradients>;
  dispose(): void;
}

export type { Between } from '../steps';
