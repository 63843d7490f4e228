/** What the draft worker is told by the page and by the session, and what it answers. */
import type { FaultData } from './faults';
import type { Mix } from './mix';
import type { DraftKey } from './pictures';

/** UI ↔ draft worker. The newest `balance` or `mix` wins; each is answered by `draft-linear` at once and `draft` once decoded. */
export type ToDrafts = { kind: 'open'; port: MessagePort } | { kind: 'balance'; balance: number; revision: number } | { kind: 'mix'; mix: Mix; revision: number };

export type FromDrafts = { kind: 'draft'; state: 'draft-linear' | 'draft'; bitmap: ImageBitmap; balance: number; revision: number; elapsedMs: number; of: DraftKey } | ({ kind: 'mix-draft'; state: 'draft-linear' | 'draft'; bitmap: ImageBitmap; revision: number; elapsedMs: number; mix: Mix } & MixOverlap) | { kind: 'fault'; fault: FaultData };

/** Cosines between the guidances of a draft, masks included: [K,K] in the order of `ids`. */
export interface MixOverlap { ids: string[]; overlap: number[][] }

/**
 * Session → draft worker: velocities cached at a fixed point of a trajectory. All arrays are NHWC [h,w,C].
 * v = vBase + Σ balance·direction, one direction for each concept; CFG around it: v0 + guidance·(v − v0); x0 = xSigma − sigma·v.
 */
export interface Probe {
  revision: number;
  height: number;
  width: number;
  channels: number;
  sigma: number;
  guidance: number;
  xSigma: Float32Array;
  vNull: Float32Array;
  vBase: Float32Array;
  directions: Float32Array[];
}

/** The same of a mix: v0, and every guidance's difference v⁺ − v⁻ by its id, unweighted. */
export interface MixProbe extends Pick<Probe, 'height' | 'width' | 'channels' | 'sigma' | 'xSigma'> {
  /** mixProbeKey of the mix it was made for: for others it says nothing. */
  key: string;
  v0: Float32Array;
  differences: Record<string, Float32Array>;
  /** What the words of its scenes pull at each place, [h·w] by their ids. */
  pulls: Record<string, Float32Array>;
}

/** config: null where the base's decoder is too large for drafts; they are then in the linear colours alone. */
export interface DecoderParts { tensors: Record<string, { shape: number[]; data: Float32Array }>; config: unknown; latentToRgb: number[][] }

export type SessionToDrafts = { kind: 'decoder'; decoder: DecoderParts } | { kind: 'probe'; probe: Probe; of: DraftKey } | { kind: 'mix-probe'; probe: MixProbe };
