/**
 * Writes safetensors files: float32 tensors, or halves as bits, in the order given, header padded with spaces so that the data begin on a
 * multiple of 8 bytes, metadata as text only. The whole file is built in memory: adapters and concept rows, not models.
 */
import { invariant } from '../engine/invariant';
import { joinBytes } from './joinBytes';

/** Row-major float32 numbers and their dimensions. */
export interface PlainTensor { shape: readonly number[]; data: Float32Array }
/** The same as float16 bits. */
export interface HalfTensor { shape: readonly number[]; data: Uint16Array }
type Tensors = Record<string, PlainTensor | HalfTensor>;

const hex = (bytes: ArrayBuffer) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

const tensorBytes = (tensors: Tensors) => joinBytes(Object.values(tensors).map(({ data }) => data));

/** ModelSpec's `hash_sha256`: "0x" and the SHA-256 of all tensor bytes as `writeSafetensors` lays them out. */
export async function hashTensors(tensors: Record<string, PlainTensor>): Promise<string> {
  return `0x${hex(await crypto.subtle.digest('SHA-256', tensorBytes(tensors)))}`;
}

/** The file's bytes. The same tensors and metadata in the same order give the same bytes. */
export function writeSafetensors(tensors: Tensors, metadata: Record<string, string> = {}): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let at = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    invariant(shape.reduce((product, size) => product * size, 1) === data.length, `tensor ${name}: [${shape.join(', ')}] does not hold ${data.length} values`);
    header[name] = { dtype: data instanceof Uint16Array ? 'F16' : 'F32', shape: [...shape], data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + headerBytes + at);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.set(json, 8);
  out.fill(0x20, 8 + json.length, 8 + headerBytes);
  out.set(tensorBytes(tensors), 8 + headerBytes);
  return out;
}
