import type { PackedLayer } from '../formats/packing';

/**
 * Where a model's tensors come from. Models never fetch: whoever builds one hands it a WeightSource backed by storage,
 * by a file in memory, or by a test's own numbers. Layout is the checkpoint's; each model's weights.ts changes it.
 */
export interface WeightSource {
  /** All tensor names, in file order. */
  keys(): readonly string[];
  has(key: string): boolean;
  /** Dimensions as stored. Throws Fault `tensor-missing`. */
  shape(key: string): readonly number[];
  /** The tensor as float32, whatever it is stored as (F32, F16, BF16), row-major. Throws Fault `tensor-missing`. */
  read(key: string): Promise<Float32Array>;
  /** Rows [from, to) of the first axis longer than 1; for tables of which little is needed (SD3.5's pos_embed, [1, rows, width]). */
  readRows(key: string, from: number, to: number): Promise<Float32Array>;
  /** Where linear layers may be stored packed: such a tensor ready for the engine, [in,out]; null where it is stored otherwise. */
  packed?(key: string): PackedLayer | null;
  /** What the file's header says beside its tensors, as text by name. */
  metadata?(): Promise<Record<string, string>>;
}

/** One base model in diffusers folder layout: configs as JSON, weights by folder. */
export interface BaseFiles {
  json(path: string): Promise<unknown>;
  text(path: string): Promise<string>;
  weights(folder: string): Promise<WeightSource>;
  /** Whether there are weights in that folder. */
  has(folder: string): Promise<boolean>;
  /** Its files by path, where their hashes are known. */
  files?: Readonly<Record<string, { sha256: string }>>;
}
