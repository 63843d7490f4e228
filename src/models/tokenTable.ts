/**
 * Token embeddings: a small table is a tensor, a large one (CLIP's takes 152 MB in float32, T5-XXL's 526) stays where it lies, and
 * only the rows of the words at hand are read.
 */
import { takeRows } from '../engine/ops';
import { concat, tensor2d, tidy, type Tensor2D } from '../engine/tf';
import { invariant } from '../engine/invariant';
import type { Steps } from './steps';
import type { WeightReader } from './weights';

/** Tables of up to so many bytes in float32 are tensors. */
const KEPT_BYTES = 16 * 2 ** 20;

export interface TokenTable {
  vocabulary: number;
  width: number;
  /** [vocabulary, width]; null where rows are read one by one. */
  table: Tensor2D | null;
  /** Row by row, in ascending order. */
  read(id: number): Promise<Float32Array>;
}

/** Throws Faults `tensor-missing`, `tensor-shape`. */
export async function openTokenTable(reader: WeightReader, name: string, keptBytes = KEPT_BYTES): Promise<TokenTable> {
  const [vocabulary = 0, width = 0] = reader.shape(name);
  const rows = reader.rows(name, [vocabulary, width]);
  const small = 4 * vocabulary * width <= keptBytes;
  return { vocabulary, width, table: small ? await reader.table<Tensor2D>(name, [vocabulary, width]) : null, read: (id) => rows(id, id + 1) };
}

/** Rows of the ids, [n,width]; `added` [m,width] holds those of the ids from the vocabulary's end on. The caller disposes. */
export function* tokenRows({ vocabulary, width, table, read }: TokenTable, ids: readonly number[], added: Tensor2D | null = null): Steps<Tensor2D> {
  const end = vocabulary + (added?.shape[0] ?? 0);
  invariant(ids.every((id) => Number.isInteger(id) && id >= 0 && id < end), `token ids must lie within 0…${end - 1}`);
  if (table) return tidy(() => takeRows(added ? (concat([table, added]) as Tensor2D) : table, ids));
  const known = [...new Set(ids.filter((id) => id < vocabulary))].sort((a, b) => a - b);
  const values = new Float32Array(known.length * width);
  const fill = async () => {
    for (const [i, id] of known.entries()) values.set(await read(id), i * width);
  };
  yield fill();
  return tidy(() => {
    const some = tensor2d(values, [known.length, width]);
    const places = ids.map((id) => (id < vocabulary ? known.indexOf(id) : known.length + id - vocabulary));
    return takeRows(added ? (concat([some, added]) as Tensor2D) : some, places);
  });
}

export const disposeTokenTable = ({ table }: TokenTable): void => table?.dispose();
