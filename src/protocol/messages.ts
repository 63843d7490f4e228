/**
 * The wire between page and session worker: requests (each answered once) and events. Adding a request is one line here; the
 * compiler then demands the handler. The records they carry stand beside this file: compute, pictures, run, concepts, drafts.
 * Pictures cross as ImageBitmap with a revision, so that a restarted worker leaves them standing.
 */
import type { BackendName, Compute, StorageReport, Memory, TraceReport } from './compute';
import type { ConceptSummary, ExportOptions, Vocabulary, Dropped, DropPurpose } from './concepts';
import type { NamedFile } from './dropTogether';
import type { DataSet, DataSetLevel, FoundDataSet } from './dataSet';
import type { MixOverlap } from './drafts';
import type { FaultData } from './faults';
import type { WeightRoom } from './fit';
import type { Mix } from './mix';
import type { ImportProgress, KeptAs, ModelAddress, ModelFile, ModelSummary, ModelSurvey } from './models';
import type { CardSummary, FoundMask, ObjectFigures, ObjectInHand, OpenedCard, PlacesParams, ReferencePicture, Seeing, SightKind } from './objects';
import type { Crop, FitCheck, TrainingPicture, PictureEvent, DrawParams } from './pictures';
import type { Recipe } from './recipe';
import type { Changed, RunInfo, StepMetrics, StoredRun } from './run';
import type { Measures } from './runReport';

export interface Requests {
  /** Chooses the backend and begins loading the base; resolves before the weights are in. Progress comes as `loading` events, then `ready`. */
  open: { params: { backend: BackendName | 'auto'; threads: number | null; baseUrl: string; /** Which base: `embedded`, or an imported model's id. */ base: string; /** Room for a large model's weights on the device, and which share of it is left after the device ran out of memory. */ room: { weights: WeightRoom; share: number }; port: MessagePort; /** What the worker before this one computed on. */ before: Compute | null; /** Why WebGPU is not to be tried again, in words; empty where it may be. */ avoid: string }; result: { compute: Compute } };
  /** The other end of this port is a new draft worker, which has nothing yet. */
  attachDrafts: { params: { port: MessagePort }; result: void };
  /** Decodes a file the user gave; a picture that carries parameters, or a LoRA, is recognised. Faults name what is wrong with it. */
  /** config: the adapter_config.json that was dropped with a LoRA; word: the file of the word that was learned with it. */
  drop: { params: { file: Blob; name: string; pictureId: string; purpose: DropPurpose; config?: Blob; word?: NamedFile }; result: Dropped };
  fitCheck: { params: { pictureId: string; crop: Crop }; result: FitCheck };
  forgetPicture: { params: { pictureId: string }; result: void };
  /** Keeps the data set over a reload; null once there is none. Files go once, whatever else changes. */
  /** Null: there is none at this level any more. */
  keepDataSet: { params: { level: DataSetLevel; dataSet: DataSet | null }; result: void };
  dataSet: { params: void; result: FoundDataSet | null };
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
  unfinishedRun: { params: void; result: (StoredRun & { pictures: (TrainingPicture & { name: string; width: number; height: number; bitmap: ImageBitmap })[] }) | null };
  /** A run as another tab has stored it: rows and previews of the steps after `after`. */
  storedRun: { params: { runId: string; after: number }; result: StoredRun };
  /** A run's pictures, captions and recipe as an archive that trainers of elsewhere take. */
  handOver: { params: { runId: string }; result: { file: Blob; fileName: string } };
  /** Puts the present run or concept away. A run that was not kept is then the unfinished one. */
  leave: { params: void; result: void };
  /** Goes on with a stored or stopped run; with `more`, also with a finished one: its recipe grows by so many steps. */
  continueRun: { params: { runId: string; takeOver: boolean; wish?: 'go' | 'pause' | 'stop'; more?: number }; result: RunInfo };
  discardRun: { params: { runId: string }; result: void };
  /** What the drafts show: recomputes the probe for a prompt and seed. Latest wins. */
  probe: { params: { prompt: string; negative: string; seed: number; guidance: number }; result: void };
  /** Full sampler into slots `concept` (and `base`); an earlier draw is aborted. Resolves when the picture is full; fault `aborted` otherwise. */
  draw: { params: DrawParams; result: { elapsedMs: number } };
  cancelDraw: { params: void; result: void };
  /** Idle work: full pictures at the given balances into `tick` slots, until the next draw, probe or learn. */
  ticks: { params: DrawParams & { balances: number[] }; result: void };
  /** The full picture of this revision as PNG bytes with its parameters in text chunks, while it is its slot's newest. */
  pictureFile: { params: { slot: 'base' | 'concept' | 'mix'; revision: number }; result: Blob };
  /** What the drafts of a mix show: recomputes its probe, and says how the guidances overlap where there are no masks. Latest wins; fault `aborted` for those it overtakes. */
  probeMix: { params: { mix: Mix }; result: MixOverlap };
  /** Full sampler into slot `mix`; an earlier draw is aborted. `merged`: as merged LoRAs instead. */
  drawMix: { params: { mix: Mix; merged: boolean }; result: { elapsedMs: number } };
  /** Idle work: the same mix from these seeds into `mix-seed` slots, until the next draw, probe or learn. */
  mixSeeds: { params: { mix: Mix; seeds: number[] }; result: void };
  /** Frees what a mix holds of its concepts. */
  leaveMix: { params: void; result: void };
  /** Twins on 8 Base and 8 unrelated prompts; progress as `measuring` events. */
  measure: { params: { sheets: boolean; steps: number }; result: { measures: Measures; sheet: Blob | null } };
  keep: { params: { name: string }; result: ConceptSummary };
  concepts: { params: void; result: ConceptSummary[] };
  openConcept: { params: { conceptId: string }; result: ConceptSummary };
  renameConcept: { params: { conceptId: string; name: string }; result: ConceptSummary };
  deleteConcept: { params: { conceptId: string }; result: void };
  /** The learned word of a concept as a file for the text encoders of other tools. Fault `concept-missing` where it has none. */
  exportWord: { params: { conceptId: string }; result: { file: Blob; fileName: string } };
  exportConcept: { params: { conceptId: string; options: ExportOptions }; result: { file: Blob; fileName: string; tellsAll: boolean; /** As measured after learning: here, here without rows, and in other tools; null where that was not. */ likeness: { here: number; withoutRows: number | null; elsewhere: number | null } | null } };
  /** The object of a picture, as far as it stands out; its fault says why it can't be encoded yet. */
  findMask: { params: { pictureId: string; crop: Crop; kind: SightKind }; result: FoundMask };
  /** One pass through the encoder for each picture; the session holds the tokens, and draws and probes go by them. Fault `mask-…` for a mask that can't be used, `face-unseen` for a picture without a head, `base-mismatch` where the base has no encoder. */
  encodeObject: { params: { kind: SightKind; pictures: ReferencePicture[]; seeing: Seeing }; result: ObjectInHand };
  /** How the face in hand is seen from now on. Nothing is encoded again. */
  seeObject: { params: Seeing; result: ObjectInHand };
  /** Lets go of the object. */
  leaveObject: { params: void; result: void };
  /** Likeness and copying of the concept's picture of this revision, while it is the newest. */
  judgeObject: { params: { revision: number }; result: ObjectFigures };
  /** Idle work: the object in other places, into `place` slots, until the next draw, probe or learn. */
  places: { params: PlacesParams; result: void };
  /** Puts the object in hand on the Shelf, with its pictures. */
  keepCard: { params: { name: string; classWord: string; pictures: ReferencePicture[] }; result: CardSummary };
  cards: { params: void; result: CardSummary[] };
  openCard: { params: { cardId: string }; result: OpenedCard };
  renameCard: { params: { cardId: string; name: string }; result: CardSummary };
  deleteCard: { params: { cardId: string }; result: void };
  exportCard: { params: { cardId: string }; result: { file: Blob; fileName: string } };
  /** Imported models, whole and on their way. */
  models: { params: void; result: ModelSummary[] };
  /** What these files would become. The newest survey is the one that `importModel` imports. A token is kept in memory, and sent to its own address alone. */
  surveyModel: { params: { files: ModelFile[]; addresses: ModelAddress[] }; result: ModelSurvey };
  /** Imports what was surveyed; `importing` events on the way. Aborted, it stops, and goes on another time behind the last tensor that landed. */
  importModel: { params: KeptAs & { name: string }; result: ModelSummary };
  /** Reads a model's chunks again and compares their hashes; `checking` events on the way. What is damaged has to be imported again. */
  checkModel: { params: { modelId: string }; result: { damaged: { label: string; tensors: number }[] } };
  deleteModel: { params: { modelId: string }; result: void };
  /** Side of the pictures an imported model draws and learns from, in pixels; holds from the next time it is opened. */
  setPictureSide: { params: { modelId: string; side: number }; result: ModelSummary };
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
  ready: { base: string; name: string; sizeBytes: number; imageSize: number; /** Whether it can tell how alike pictures are. */ sees: boolean; /** Whether it has the layers that skip-layer guidance leaves out. */ skips: boolean; /** Whether zero tokens stand in place of a T5 that it could have. */ withoutT5: boolean; /** Whether it has an object encoder: one picture is then enough to draw by. */ objects: boolean; /** Whether an adapter that sees pictures can be aligned with a person or character. */ persons?: boolean; /** Whether it has an identity adapter and tells faces apart: one picture of somebody is then enough to draw by. */ faces?: boolean };
  importing: ImportProgress;
  checking: { modelId: string; doneBytes: number; totalBytes: number };
  run: RunInfo;
  metrics: StepMetrics;
  encoding: { done: number; total: number };
  picture: PictureEvent;
  drawing: { step: number; steps: number };
  measuring: { done: number; total: number };
  /** After each preview: likeness and drift of the preview twins, as far as they go. */
  changed: Changed;
  probed: { revision: number };
  /** The drafts have the probe of this mix (mixProbeKey). */
  mixProbed: { key: string };
  /** How the guidances of the newest draft of a mix overlap. */
  overlap: MixOverlap;
  trace: TraceReport;
  fault: FaultData;
}

export type EventName = keyof Events;

export type ToWorker = { id: number; name: RequestName; params: unknown } | { abort: number };

export type FromWorker =
  | { id: number; ok: unknown }
  | { id: number; fault: FaultData }
  | { [N in EventName]: { event: N; data: Events[N] } }[EventName];
