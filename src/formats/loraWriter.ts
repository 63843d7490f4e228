/**
 * Writes a concept's stored tensors as a LoRA file, under diffusers' names or kohya's: in memory a is [in,r] and b [r,out], in the file lora_A is [r,in] and lora_B
 * [out,r], with alpha = rank. Concept rows and pooled delta follow under our own keys where the student was trained with them.
 */
import { kohyaTensors } from './kohya';
import { exportedKeys, PATCH_SITE, patchInput, patchShape, POOLED_KEY, rowKey } from './loraKeys';
import { loraHeader, type LoraDescription } from './loraHeader';
import { hashTensors, writeSafetensors, type PlainTensor } from './safetensorsWriter';
import type { StoredTensors } from './storedTensors';

export interface WriteLora extends Omit<LoraDescription, 'captions' | 'date'> {
  /** As pipeline/concept.ts stores them: `<site>.a`, `<site>.b`, `rows`, `pooledDelta`. */
  tensors: StoredTensors;
  /** Complete captions; they go into the header only if `options.includeCaptions`; none of a world. */
  captions: readonly string[];
  /** `keys`: whose names the layers have. */
  options: { includeCaptions: boolean; includeRows: boolean; keys: 'diffusers' | 'kohya' };
  /** ISO 8601; now, if left out. */
  date?: string;
}

/** [rows,columns] → [columns,rows]. */
function transpose({ shape, data }: PlainTensor): PlainTensor {
  const [rows, columns] = shape as [number, number];
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  return { shape: [columns, rows], data: out };
}

/** The halves of the patch convolution, in its own order and with its four dimensions. */
function patchHalf({ shape: [rows, columns], data }: PlainTensor, half: 'a' | 'b'): PlainTensor {
  if (half === 'b') return { shape: [rows!, columns!, 1, 1], data };
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows!; r++) for (let i = 0; i < columns!; i++) out[r * columns! + patchInput(i, columns!)] = data[r * columns! + i]!;
  return { shape: patchShape(rows!, columns!), data: out };
}

/** diffusers' names, one module a site, and the rank of each. */
function diffusersTensors(tensors: StoredTensors): { tensors: Record<string, PlainTensor>; ranks: Record<string, number> } {
  const out: Record<string, PlainTensor> = {};
  const ranks: Record<string, number> = {};
  for (const [key, tensor] of Object.entries(tensors)) {
    const site = key.slice(0, -2);
    if (key.endsWith('.a')) ranks[site] = tensor.shape[1]!;
    const half = key.endsWith('.a') ? 'a' : key.endsWith('.b') ? 'b' : null;
    if (half) out[exportedKeys(site)[half === 'a' ? 'down' : 'up']] = site === PATCH_SITE ? patchHalf(transpose(tensor), half) : transpose(tensor);
  }
  return { tensors: out, ranks };
}

/** The file's bytes. The same arguments (with `date`) give the same bytes. */
export async function writeLora({ tensors, options, captions, date = new Date().toISOString(), ...about }: WriteLora): Promise<Uint8Array<ArrayBuffer>> {
  const { tensors: out, ranks } = options.keys === 'kohya' ? kohyaTensors(tensors) : diffusersTensors(tensors);
  const { rows, pooledDelta } = options.includeRows && about.usesRows ? tensors : {};
  const [depth = 0, width = 0] = rows?.shape ?? [];
  for (let block = 0; block < depth; block++) out[rowKey(block)] = { shape: [width], data: rows!.data.slice(block * width, (block + 1) * width) };
  if (pooledDelta) out[POOLED_KEY] = pooledDelta;
  const facts = { ranks, keys: options.keys, hasRows: rows !== undefined, hash: await hashTensors(out) };
  return writeSafetensors(out, loraHeader({ ...about, date, captions: options.includeCaptions && captions.length > 0 ? captions : null }, facts));
}
