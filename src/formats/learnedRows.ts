/**
 * Words learned elsewhere by textual inversion: rows of the text encoders' token tables. Read from the dictionary that PureCC's
 * scripts save (learned_embeds.pt: `embedding_one` for CLIP-L, `embedding_two` for CLIP-G) and from the safetensors form that other
 * tools read (`clip_l`, `clip_g`, and `t5xxl` where there is one).
 */
import { Fault } from '../protocol/faults';
import { unpickle } from './pickle';
import { openSafetensors } from './safetensors';
import { writeSafetensors, type PlainTensor } from './safetensorsWriter';
import { readZip } from './zip';

export interface LearnedRows {
  /** Each [n, width of the encoder], n tokens that stand for the one word; null where the file has none. */
  clipL: PlainTensor | null;
  clipG: PlainTensor | null;
  t5: PlainTensor | null;
  /** What prompts call it, "<new1>"; null where the file does not say. */
  token: string | null;
  /** The word it started from. */
  startedFrom: string | null;
}

/** A row that is a view of its table keeps the table in the file: 0.3 GB for both encoders. */
const MOST_BYTES = 2 ** 29;
const MOST_TOKENS = 75;
const EXPECTED = 'Use learned_embeds.pt as PureCC’s scripts write it, or a safetensors file with clip_l and clip_g.';

/** One row or several as [n,width]; checked to be finite. */
function rowsOf(tensor: PlainTensor, name: string, file: string): PlainTensor {
  const [n, width] = tensor.shape.length === 1 ? [1, tensor.shape[0]!] : tensor.shape.length === 2 ? [tensor.shape[0]!, tensor.shape[1]!] : [0, 0];
  if (n < 1 || n > MOST_TOKENS || width < 1) throw new Fault('file-unrecognised', `“${name}” in “${file}” has the shape [${tensor.shape.join(', ')}], which is no word’s rows.`, EXPECTED, { subject: file });
  if (!tensor.data.every(Number.isFinite)) throw new Fault('not-finite', `“${name}” in “${file}” holds numbers that are not finite.`, 'Use another file; this one is broken.', { subject: file });
  return { shape: [n, width], data: tensor.data };
}

function fromArchive(bytes: Uint8Array, file: string): LearnedRows {
  const entries = readZip(bytes, file);
  const main = [...entries.keys()].find((name) => name.endsWith('/data.pkl') || name === 'data.pkl');
  if (main === undefined) throw new Fault('file-unrecognised', `“${file}” is a zip archive, and not one of PyTorch’s.`, EXPECTED, { subject: file });
  const folder = main.slice(0, -'data.pkl'.length);
  const order = entries.get(`${folder}byteorder`);
  if (order && new TextDecoder().decode(order).trim() !== 'little') throw new Fault('file-unrecognised', `“${file}” was written on a machine with another order of bytes.`, EXPECTED, { subject: file });
  const value = unpickle(entries.get(main)!, file, (name) => entries.get(`${folder}data/${name}`) ?? null);
  const dictionary = value instanceof Map ? value : new Map();
  const rows = (key: string): PlainTensor | null => {
    const found: unknown = dictionary.get(key);
    return typeof found === 'object' && found !== null && 'shape' in found ? rowsOf(found as PlainTensor, key, file) : null;
  };
  const words = (key: string): string | null => (typeof dictionary.get(key) === 'string' ? (dictionary.get(key) as string) : null);
  return { clipL: rows('embedding_one'), clipG: rows('embedding_two'), t5: null, token: words('new_concept_token'), startedFrom: words('initializer_token') };
}

async function fromSafetensors(bytes: Uint8Array, file: string): Promise<LearnedRows> {
  const source = openSafetensors(bytes, file);
  const rows = async (key: string) => (source.has(key) ? rowsOf({ shape: source.shape(key), data: await source.read(key) }, key, file) : null);
  const { token = null, initializer_token: startedFrom = null } = source.header.metadata;
  return { clipL: await rows('clip_l'), clipG: await rows('clip_g'), t5: await rows('t5xxl'), token, startedFrom };
}

/**
 * Faults: `file-unrecognised` (no such file, or one that asks for more than texts and tensors), `safetensors-invalid`, `not-finite`,
 * `file-too-large`.
 */
export async function readLearnedRows(blob: Blob, file: string): Promise<LearnedRows> {
  if (blob.size > MOST_BYTES) throw new Fault('file-too-large', `“${file}” has ${(blob.size / 2 ** 20).toFixed(0)} MB; a learned word has a few KB. It is more likely a whole model.`, 'Models come as .safetensors files: choose that form of it.', { subject: file });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const isSafetensors = bytes[7] === 0 && bytes[8] === 0x7b;
  if (bytes[0] === 0x80 && !isSafetensors) throw new Fault('file-unrecognised', `“${file}” is a pickle in PyTorch’s form of before 2020.`, 'Open it in PyTorch and save it again, best as safetensors with clip_l and clip_g.', { subject: file });
  const rows = bytes[0] === 0x50 && bytes[1] === 0x4b ? fromArchive(bytes, file) : await fromSafetensors(bytes, file);
  if (!rows.clipL && !rows.clipG && !rows.t5) throw new Fault('file-unrecognised', `“${file}” holds no learned word.`, EXPECTED, { subject: file });
  return rows;
}

/** The safetensors form: the rows under the names that other tools know, the word and what it started from in the header. Encoders without rows are left out. */
export function writeLearnedRows({ clipL, clipG, t5, token, startedFrom }: LearnedRows): Uint8Array<ArrayBuffer> {
  const tensors = Object.fromEntries(Object.entries({ clip_l: clipL, clip_g: clipG, t5xxl: t5 }).flatMap(([key, rows]) => (rows ? [[key, rows]] : [])));
  return writeSafetensors(tensors, { format: 'pt', ...(token !== null && { token }), ...(startedFrom !== null && { initializer_token: startedFrom }) });
}
