/** A picture adapter as plain data: the resampler that makes tokens of a picture, and the cross-attention that reads them. Owned by whoever loaded it. */
import type { FrozenLinear } from '../../engine/ops';
import type { Tensor2D } from '../../engine/tf';
import type { Norm } from '../clip/layers';
import type { Adapter, CrossAttention } from '../mmdit';

/** `object`: any thing. `identity`: a face, which also brings an embedding of who it is. */
export type AdapterKind = 'object' | 'identity';

export interface ResamplerLayer { normContext: Norm; normLatents: Norm; q: FrozenLinear; kv: FrozenLinear; out: FrozenLinear; normMlp: Norm; up: FrozenLinear; down: FrozenLinear }

export interface Resampler {
  /** Learned queries [N,dr]. */
  latents: Tensor2D;
  /** One a scale: how its layer's states are read. */
  scales: { norm: Norm; project: FrozenLinear }[];
  /** From the embedding of who it is to tokens of that; null for objects. */
  identity: { first: FrozenLinear; norm: Norm; second: FrozenLinear } | null;
  layers: ResamplerLayer[];
  normOut: Norm;
  projectOut: FrozenLinear;
}

export interface PictureAdapter {
  kind: AdapterKind;
  /** Id of the base it was made for, as its file says. */
  base: string;
  /** SHA-256 of that base's transformer file; empty where the file doesn't say. */
  baseSha256: string;
  /** Layers of the image tower whose states it reads, from 1; one a scale. */
  towerLayers: readonly number[];
  /** Width of those states. */
  towerWidth: number;
  /** N, and how wide each is. */
  tokens: { count: number; width: number };
  /** Width of the embedding that identity tokens are made of; null for objects. */
  identityWidth: number | null;
  resampler: Resampler;
  cross: CrossAttention;
  /** Of the whole transformer, where there is one: only evaluations that carry tokens may use it. */
  lora: Adapter | null;
}
