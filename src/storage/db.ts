/**
 * What is stored, all of it: one IndexedDB database, its schema and migrations. Nothing here leaves the device.
 * Chunks are at most 8 MiB, of imported models 16, keyed [sha256 of the file, n]; a file's manifest is written last, so a file without one is incomplete.
 * Imported models have chunks of their own, keyed [<model>/<folder>, n]; until a network is whole, each group of tensors that has landed has a record.
 */
import { openDB, type DBSchema, type IDBPDatabase, type IDBPObjectStore, type StoreNames } from 'idb';
import type { Packing } from '../formats/packing';
import { Fault } from '../protocol/faults';

const DB_NAME = 'lamina';
export const DB_VERSION = 6;
export const CHUNK_BYTES = 8 * 1024 * 1024;
/** Of imported models. Each value costs a browser's processes some milliseconds, whatever its size, so that larger ones are written faster. */
export const MODEL_CHUNK_BYTES = 16 * 1024 * 1024;

export interface ChunkEntry { n: number; offset: number; sizeBytes: number; sha256: string }
export interface FileManifest {
  /** SHA-256 of the whole file, lowercase hex; of an imported network, which is no file of anybody's, `<model>/<folder>`. */
  sha256: string;
  sizeBytes: number;
  chunks: ChunkEntry[];
  /** Parsed safetensors header for weight files: name → dtype, shape, absolute byte range. Null for other files. */
  tensors: Record<string, StoredTensor> | null;
}
/** dtype PACKED: a linear layer [out,in] whose bytes are the words and scales of formats/packing.ts, [in,out]. */
export interface StoredTensor { dtype: string; shape: number[]; begin: number; end: number; packing?: Packing }

/** An imported model, whole or on its way. */
export interface ModelRecord {
  modelId: string;
  name: string;
  createdAt: string;
  installed: boolean;
  precision: 'f16' | 'int8' | 'int4';
  /** Networks that are kept in another, by folder; none where it is absent. */
  own?: Record<string, 'f16' | 'int8' | 'int4'>;
  /** Where it came from, in words, and the address where there was one. */
  from: { names: string[]; address: string | null };
  parts: ModelPartRecord[];
  /** Configs and vocabularies by path, as a diffusers folder has them. */
  texts: Record<string, string>;
}
export interface ModelPartRecord { folder: string; sourceBytes: number; storedBytes: number; tensors: number }
/** A tensor of a group: its bytes follow those of the one before it. `sourceBytes`: what was read of a file for it. */
export interface LandedTensor { name: string; dtype: string; shape: number[]; packing?: Packing; sizeBytes: number; sourceBytes: number }
/** Tensors that have been written together, while their network is incomplete; the manifest takes the place of such records. */
export interface LandedGroup { tensors: LandedTensor[]; chunks: Omit<ChunkEntry, 'offset'>[] }
/** A file as it is, and where the server has it packed, if it has. */
export interface ServedFile { sha256: string; sizeBytes: number; packed?: { path: string; sizeBytes: number } }
/** A base model: which stored file stands at which path of its folder. */
export interface BaseRecord { id: string; files: Record<string, ServedFile>; storedAt: string }

interface StoredMask { side: number; cells: Uint8Array }
interface StoredHead { left: number; top: number; side: number }

export interface RunRecord {
  runId: string;
  name: string;
  createdAt: string;
  updatedAt: string;
  finished: boolean;
  recipe: unknown;
  prompt: string;
  seed: number;
  /** Which backend, adapter and kernel variants it began on; see Checkpoint. */
  engine: string;
  /** The base it learns on; absent in runs of the embedded base from before there were others. */
  base?: string;
  /** What was measured of it, if anything was. */
  measures?: unknown;
  pictures: { pictureId: string; name: string; crop: { x: number; y: number; size: number }; captions?: { complete: string; base: string; target: string }; mask?: StoredMask; head?: StoredHead; file: Blob }[];
}
/** Two alternating slots a run; the newer complete one wins. */
export interface CheckpointRecord {
  runId: string;
  slot: 0 | 1;
  step: number;
  complete: true;
  /** backend + adapter + kernel variants; resumed on another, the run is no longer bit-identical. */
  engine: string;
  /** Plain data of pipeline/training/checkpoint.ts (typed arrays inside). */
  state: unknown;
  writtenAt: string;
}
/** What the autoencoder made of a run's picture n, with its mirrored and moved copies: [k,h,w,C]. */
export interface LatentsRecord {
  runId: string;
  n: number;
  /** Says all that the numbers depend on: pixels, copies, autoencoder, engine. */
  content: string;
  shape: number[];
  data: Float32Array;
}
export interface MetricsRecord { runId: string; fromStep: number; rows: unknown[] }
/** The twins of one step of a run as PNG, and their figures; step 0 is the untouched base's picture. */
export interface PreviewRecord { runId: string; step: number; elapsedMs: number; concept: Blob; customBase: Blob | null; likeness: number | null; drift: number | null }
export interface ConceptRecord {
  conceptId: string;
  name: string;
  createdAt: string;
  base: string;
  imported: boolean;
  recipe: unknown;
  measures: unknown;
  lambda: number;
  preview: Blob | null;
  /** Adapter tensors in the checkpoint layout of pipeline/lora.ts plus concept rows. */
  tensors: Record<string, { shape: number[]; data: Float32Array }>;
  /** Complete captions it was learned from; exported only when the user asks for it. */
  captions: string[];
  /** Pictures it was learned from, to measure it against; absent where it was imported, or has no name to be measured by. They never go into its file. */
  pictures?: LearnedPicture[];
}
export interface LearnedPicture { pictureId: string; name: string; crop: { x: number; y: number; size: number }; mask?: StoredMask; file: Blob }

/** Pictures of one thing, as tokens that the object encoder made of them (formats/cardFile.ts); no weights. */
export interface CardRecord {
  cardId: string;
  /** Cards from before there were faces say nothing, and are objects. */
  kind?: 'object' | 'identity';
  name: string;
  createdAt: string;
  base: string;
  /** SHA-256 of the encoder's file; empty where it isn't known. */
  encoder: string;
  imported: boolean;
  classWord: string;
  /** Pictures it was made of. */
  references: number;
  tokens: { count: number; width: number; halves: Uint16Array };
  preview: Blob | null;
  /** The pictures with their masks, where it was made here; they don't leave the device with it. */
  pictures: { pictureId: string; name: string; crop: { x: number; y: number; size: number }; mask: StoredMask; head?: StoredHead | null; file: Blob }[];
}

export interface LaminaSchema extends DBSchema {
  manifests: { key: string; value: FileManifest };
  chunks: { key: [string, number]; value: ArrayBuffer };
  bases: { key: string; value: BaseRecord };
  models: { key: string; value: ModelRecord };
  landed: { key: [string, number]; value: LandedGroup };
  runs: { key: string; value: RunRecord; indexes: { updatedAt: string } };
  checkpoints: { key: [string, number]; value: CheckpointRecord };
  latents: { key: [string, number]; value: LatentsRecord; indexes: { content: string } };
  metrics: { key: [string, number]; value: MetricsRecord };
  previews: { key: [string, number]; value: PreviewRecord };
  concepts: { key: string; value: ConceptRecord };
  cards: { key: string; value: CardRecord };
  settings: { key: string; value: unknown };
}
export type Database = IDBPDatabase<LaminaSchema>;

/** Until version 4 each tensor that had landed had a record of its own: it becomes a group of one. */
async function groupLanded(store: IDBPObjectStore<LaminaSchema, ArrayLike<StoreNames<LaminaSchema>>, 'landed', 'versionchange'>): Promise<void> {
  for (let cursor = await store.openCursor(); cursor; cursor = await cursor.continue()) {
    const { chunks, ...tensor } = cursor.value as unknown as Omit<LandedTensor, 'sizeBytes'> & Pick<LandedGroup, 'chunks'>;
    await cursor.update({ tensors: [{ ...tensor, sizeBytes: chunks.reduce((total, { sizeBytes }) => total + sizeBytes, 0) }], chunks });
  }
}

/** Opens (and migrates) the database. Throws Fault `storage-refused` (blocked by the browser) or `storage-newer` (written by a later app). */
export async function openDatabase(name = DB_NAME): Promise<Database> {
  try {
    return await openDB<LaminaSchema>(name, DB_VERSION, {
      async upgrade(db, oldVersion, _to, transaction) {
        if (oldVersion < 1) {
          db.createObjectStore('manifests', { keyPath: 'sha256' });
          db.createObjectStore('chunks');
          db.createObjectStore('bases', { keyPath: 'id' });
          db.createObjectStore('runs', { keyPath: 'runId' }).createIndex('updatedAt', 'updatedAt');
          db.createObjectStore('checkpoints', { keyPath: ['runId', 'slot'] });
          db.createObjectStore('metrics', { keyPath: ['runId', 'fromStep'] });
          db.createObjectStore('concepts', { keyPath: 'conceptId' });
          db.createObjectStore('settings');
        }
        if (oldVersion < 2) db.createObjectStore('previews', { keyPath: ['runId', 'step'] });
        if (oldVersion < 3) {
          db.createObjectStore('models', { keyPath: 'modelId' });
          db.createObjectStore('landed');
        }
        if (oldVersion < 4) db.createObjectStore('cards', { keyPath: 'cardId' });
        if (oldVersion < 6) db.createObjectStore('latents', { keyPath: ['runId', 'n'] }).createIndex('content', 'content');
        if (oldVersion >= 3 && oldVersion < 5) await groupLanded(transaction.objectStore('landed'));
      },
    });
  } catch (cause) {
    const newer = cause instanceof DOMException && cause.name === 'VersionError';
    throw newer
      ? new Fault('storage-newer', 'This page’s storage was written by a newer version of Lamina.', 'Reload to update the app.', { cause })
      : new Fault('storage-refused', 'The browser refuses to store anything for this page.', 'Leave private browsing or allow site data for this page.', { cause });
  }
}
