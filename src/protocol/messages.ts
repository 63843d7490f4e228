/**
 * Everything that crosses the thread: requests (UI → worker, each answered once), events (worker → UI) and the draft
 * worker's own two messages. Adding a request is one line here; the compiler then demands the handler.
 * Pictures cross as ImageBitmap with a revision, so that a restarted worker leaves them standing.
 */
import type { Captions } from './captions';
import type { FaultData } from './faults';
import type { Recipe } from './recipe';
import type { Measures } from './runReport';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';

export interface Compute {
  backend: BackendName;
  /** The adapter's own name, "wasm SIMD, 1 thread" without one. */
  adapter: string;
  software: boolean;
  threads: number;
  crossOriginIsolated: boolean;
  /** Why it is not WebGPU, in words; empty when it is. */
  reason: string;
}

/** A square in the picture's own pixels, after EXIF orientation. */
export interface Crop { x: number; y: number; size: number }

export interface PictureInfo {
  pictureId: string;
  name: string;
  width: number;
  height: number;
  /** Default crop: the largest centred square. */
  crop: Crop;
  /** Oriented, at most 512 px on its longer side, for the card. */
  bitmap: ImageBitmap;
}

/** What the base's autoencoder makes of a picture. `outside`: the reconstruction loses what makes the picture (photographs on the embedded base). */
export interface FitCheck { pictureId: string; bitmap: ImageBitmap; psnr: number; outside: boolean }

export interface TrainingPicture { pictureId: string; crop: Crop; captions: Captions }

export type RunPhase = 'encoding' | 'extractor' | 'student' | 'paused' | 'stopped' | 'finished' | 'failed';

export interface RunInfo {
  runId: string;
  name: string;
  phase: RunPhase;
  recipe: Recipe;
  /** Optimizer steps done, both stages counted. */
  step: number;
  totalSteps: number;
  /** Seconds left at the present pace, or null before it is known. */
  secondsLeft: number | null;
  /** Running median of λ* over the last 50 steps; 1 before stage 2. */
  lambda: number;
  /** Set when a run resumed on another backend or adapter is no longer bit-identical. */
  notIdentical: string;
  startedAt: string;
}

/** One optimizer step, for the charts. */
export interface StepMetrics {
  runId: string;
  step: number;
  stage: 'extractor' | 'student';
  losses: Record<string, number>;
  /** Per sample of the batch. */
  sigma: number[];
  lambdaStar: number[];
  cosine: number[];
  gradientNorm: number;
  floorHits: number;
  stepMs: number;
}

/** Where a picture belongs. `strip` pictures carry their training step, `anchor` pictures their balance. */
export type PictureSlot =
  | { kind: 'base' }
  | { kind: 'concept' }
  | { kind: 'strip'; runId: string; step: number; side: 'concept' | 'customBase' }
  | { kind: 'anchor'; balance: number };
export type PictureState = 'draft-linear' | 'draft' | 'partial' | 'full';

export interface PictureEvent {
  slot: PictureSlot;
  revision: number;
  bitmap: ImageBitmap;
  state: PictureState;
  step: number;
  steps: number;
  elapsedMs: number;
  prompt: string;
  seed: number;
  balance: number;
}

export interface DrawParams {
  prompt: string;
  negative: string;
  seed: number;
  /** Euler steps, 1…100. */
  steps: number;
  /** CFG scale around the balanced velocity; 1 is off. */
  guidance: number;
  balance: number;
  /** Also draw the untouched base's twin (same seed, Base prompt) into slot `base`. */
  withBase: boolean;
}

export interface ConceptSummary {
  conceptId: string;
  name: string;
  /** [V] in prompts of this concept reads as this word. */
  classWord: string;
  kind: 'instance' | 'style';
  createdAt: string;
  sizeBytes: number;
  /** PNG of the concept picture on the card. */
  preview: Blob | null;
  measures: Measures | null;
  recipe: Recipe;
  /** Median λ* at the end of training. */
  lambda: number;
  base: string;
  /** Imported from a file rather than learned here. */
  imported: boolean;
}

export interface ExportOptions {
  /** Write captions and picture count into the header; off by default, nothing private is written then. */
  includeCaptions: boolean;
  /** Also keep the concept rows in the file (`lamina_lora_rows.N`). */
  includeRows: boolean;
}

export interface Vocabulary {
  /** Whole words the base has seen; empty for bases with an open vocabulary. */
  words: string[];
}

export interface StorageReport {
  usageBytes: number;
  quotaBytes: number;
  persisted: boolean;
  baseBytes: number;
  conceptBytes: number;
}

/** What the session worker holds. Null where the backend has no such thing. */
export interface Memory {
  tensors: number;
  bytes: number;
  /** tfjs' pool of GPU buffers, free ones included, and what of it is in use. */
  gpuAllocatedBytes: number | null;
  gpuUsedBytes: number | null;
  /** The wasm heap, which never shrinks. */
  wasmBytes: number | null;
}

/** Kernels of one name in one step. */
export interface KernelShare { name: string; calls: number; ms: number }

/** What the engine does, for the overlay of `?hud`. */
export interface TraceReport {
  /** Whose time kernels are measured in; null where the adapter has no timestamp queries. */
  clock: 'gpu' | 'worker' | null;
  /** The last optimizer step: its wall time, its kernels' time and the five longest of them. */
  step: { step: number; stepMs: number; kernelMs: number; kernels: KernelShare[] } | null;
  memory: Memory;
  /** Most bytes in tensors since tracing began. */
  peakBytes: number;
}

/** What a dropped file turned out to be. */
export type Dropped =
  | { kind: 'concept'; concept: ConceptSummary; matched: number; total: number }
  | { kind: 'recipe'; params: Partial<DrawParams>; conceptId: string | null; note: string }
  | { kind: 'picture'; picture: PictureInfo };

export interface Requests {
  /** Chooses the backend and begins loading the base; resolves before the weights are in. Progress comes as `loading` events, then `ready`. */
  open: { params: { backend: BackendName | 'auto'; threads: number | null; baseUrl: string; clientId: string; port: MessagePort; /** What the worker before this one computed on. */ before: Compute | null; /** Why WebGPU is not to be tried again, in words; empty where it may be. */ avoid: string }; result: { compute: Compute } };
  /** The other end of this port is a new draft worker, which has nothing yet. */
  attachDrafts: { params: { port: MessagePort }; result: void };
  /** Decodes a file the user gave; a picture that carries parameters, or a LoRA, is recognised. Faults name what is wrong with it. */
  drop: { params: { file: Blob; name: string; pictureId: string }; result: Dropped };
  fitCheck: { params: { pictureId: string; crop: Crop }; result: FitCheck };
  forgetPicture: { params: { pictureId: string }; result: void };
  vocabulary: { params: void; result: Vocabulary };
  /** Starts a run; resolves when it has been stored and begun. */
  learn: { params: { runId: string; name: string; recipe: Recipe; pictures: TrainingPicture[]; prompt: string; seed: number }; result: RunInfo };
  pause: { params: void; result: void };
  resume: { params: void; result: void };
  /** One optimizer step, then pause again. */
  singleStep: { params: void; result: void };
  /** Ends the run; what has been learned is kept. */
  stop: { params: void; result: void };
  /** The newest unfinished run, if any, with its pictures for the cards. */
  unfinishedRun: { params: void; result: { run: RunInfo; pictures: (TrainingPicture & { name: string; width: number; height: number; bitmap: ImageBitmap })[]; metrics: StepMetrics[]; ownedElsewhere: boolean } | null };
  continueRun: { params: { runId: string; takeOver: boolean; wish?: 'go' | 'pause' | 'stop' }; result: RunInfo };
  discardRun: { params: { runId: string }; result: void };
  /** What the drafts show: recomputes the probe for a prompt and seed. Latest wins. */
  probe: { params: { prompt: string; negative: string; seed: number; guidance: number }; result: void };
  /** Full sampler into slots `concept` (and `base`); an earlier draw is aborted. Resolves when the picture is full; fault `aborted` otherwise. */
  draw: { params: DrawParams; result: { elapsedMs: number } };
  cancelDraw: { params: void; result: void };
  /** Idle work: full pictures at the given balances into `anchor` slots, until the next draw, probe or learn. */
  anchors: { params: DrawParams & { balances: number[] }; result: void };
  /** The current picture of a slot as PNG bytes with its parameters in text chunks. */
  pictureFile: { params: { slot: 'base' | 'concept' }; result: Blob };
  /** Twins on 8 Base and 8 unrelated prompts; progress as `measuring` events. */
  measure: { params: { sheets: boolean; steps: number }; result: { measures: Measures; sheet: Blob | null } };
  keep: { params: { name: string }; result: ConceptSummary };
  concepts: { params: void; result: ConceptSummary[] };
  openConcept: { params: { conceptId: string }; result: ConceptSummary };
  renameConcept: { params: { conceptId: string; name: string }; result: ConceptSummary };
  deleteConcept: { params: { conceptId: string }; result: void };
  exportConcept: { params: { conceptId: string; options: ExportOptions }; result: { file: Blob; fileName: string; tellsAll: boolean; likenessWithoutRows: number | null } };
  storage: { params: void; result: StorageReport };
  /** Begins or ends measuring: `trace` events, twice a second at most, and tracks in the browser's performance panel. */
  trace: { params: { on: boolean }; result: void };
  memory: { params: void; result: Memory };
}
export type RequestName = keyof Requests;
export type ParamsOf<N extends RequestName> = Requests[N]['params'];
export type ResultOf<N extends RequestName> = Requests[N]['result'];
export type Handlers = { [N in RequestName]: (params: ParamsOf<N>, signal: AbortSignal) => Promise<ResultOf<N>> };

export interface Events {
  loading: { file: string; doneBytes: number; totalBytes: number; source: 'network' | 'storage' };
  /** The worker has died and is being replaced: why, in one sentence. Then what the new one computes on (`compute`), then `restarted` with the run it goes on with. */
  restarting: { message: string };
  restarted: { run: RunInfo | null };
  compute: Compute;
  /** The base is in; everything may be asked now. */
  ready: { base: string; sizeBytes: number; imageSize: number };
  run: RunInfo;
  metrics: StepMetrics;
  encoding: { done: number; total: number };
  picture: PictureEvent;
  drawing: { step: number; steps: number };
  measuring: { done: number; total: number };
  /** After each preview: likeness and drift of the preview twins, as far as they go. */
  changed: { runId: string; step: number; likeness: number; drift: number };
  probed: { revision: number };
  trace: TraceReport;
  fault: FaultData;
}
export type EventName = keyof Events;

export type ToWorker = { id: number; name: RequestName; params: unknown } | { abort: number };
export type FromWorker =
  | { id: number; ok: unknown }
  | { id: number; fault: FaultData }
  | { [N in EventName]: { event: N; data: Events[N] } }[EventName];

/** UI ↔ draft worker. The newest `balance` wins; each is answered by `draft-linear` at once and `draft` once decoded. */
export type ToDrafts = { kind: 'open'; port: MessagePort } | { kind: 'balance'; balance: number; revision: number };
export type FromDrafts = { kind: 'draft'; state: 'draft-linear' | 'draft'; bitmap: ImageBitmap; balance: number; revision: number; elapsedMs: number } | { kind: 'fault'; fault: FaultData };

/**
 * Session → draft worker: velocities cached at a fixed point of a trajectory. All arrays are NHWC [h,w,C].
 * v(balance) = vBase + balance·direction; CFG around it: v0 + guidance·(v − v0); x0 = xSigma − sigma·v.
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
  direction: Float32Array;
}
export interface DecoderParts { tensors: Record<string, { shape: number[]; data: Float32Array }>; config: unknown; latentToRgb: number[][] }
export type SessionToDrafts = { kind: 'decoder'; decoder: DecoderParts } | { kind: 'probe'; probe: Probe };
