/** What the draft worker is told by the page and by the session, and what it answers. */
import type { FaultData } from './faults';
import type { DraftKey } from './pictures';

/** UI ↔ draft worker. The newest `balance` wins; each is answered by `draft-linear` at once and `draft` once decoded. */
export type ToDrafts = { kind: 'open'; port: MessagePort } | { kind: 'balance'; balance: number; revision: number };

export type FromDrafts = { kind: 'draft'; state: 'draft-linear' | 'draft'; bitmap: ImageBitmap; balance: number; revision: number; elapsedMs: number; of: DraftKey } | { kind: 'fault'; fault: FaultData };

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

export interface DecoderParts { tensors: Record<string, { shape: number[]; data: Float32Array }>; config: unknown; latentToRgb: number[][] }

export type SessionToDrafts = { kind: 'decoder'; decoder: DecoderParts } | { kind: 'probe'; probe: Probe; of: DraftKey };
