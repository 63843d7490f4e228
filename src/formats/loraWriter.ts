/**
 * Writes a concept's stored tensors as a LoRA file: in memory a is [in,r] and b [r,out], in the file lora_A is [r,in] and lora_B
 * [out,r], with alpha = rank. Concept rows and pooled delta follow under our own keys where the student was trained with them.
 */
import { exportedKeys, POOLED_KEY, rowKey } from './loraKeys';
import { loraHeader, type LoraDescription } from './loraHeader';
import { hashTensors, writeSafetensors, type PlainTensor } from './safetensorsWriter';
import type { StoredTensors } from './storedTensors';

export interface WriteLora extends Omit<LoraDescription, 'captions' | 'date'> {
  /** As pipeline/concept.ts stores them: `<site>.a`, `<site>.b`, `rows`, `pooledDelta`. */
  tensors: StoredTensors;
  /** Complete captions; they go into the header only if `options.includeCaptions`. */
  captions: readonly string[];
  options: { includeCaptions: boolean; includeRows: boolean };
  /** ISO 8601; now, if left out. */
  date?: string;
}

/** [rows,columns] → [columns,rows]. */
function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  return out;
}

/** The file's bytes. The same arguments (with `date`) give the same bytes. */
export async function writeLora({ tensors, options, captions, date = new Date().toISOString(), ...about }: WriteLora): Promise<Uint8Array<ArrayBuffer>> {
  const out: Record<string, PlainTensor> = {};
  const ranks: Record<string, number> = {};
  for (const [key, { shape, data }] of Object.entries(tensors)) {
    const site = key.slice(0, -2);
    const [rows, columns] = shape as [number, number];
    if (key.endsWith('.a')) ranks[site] = columns;
    if (key.endsWith('.a') || key.endsWith('.b')) out[exportedKeys(site)[key.endsWith('.a') ? 'down' : 'up']] = { shape: [columns, rows], data: transpose(data, rows, columns) };
  }
  const { rows, pooledDelta } = options.includeRows && about.usesRows ? tensors : {};
  const [depth = 0, width = 0] = rows?.shape ?? [];
  for (let block = 0; block < depth; block++) out[rowKey(block)] = { shape: [width], data: rows!.data.slice(block * width, (block + 1) * width) };
  if (pooledDelta) out[POOLED_KEY] = pooledDelta;
  const facts = { ranks, hasRows: rows !== undefined, hash: await hashTensors(out) };
  return writeSafetensors(out, loraHeader({ ...about, date, captions: options.includeCaptions ? captions : null }, facts));
}
