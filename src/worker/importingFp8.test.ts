/** fp8 files, plain and scaled: they land as the same numbers in float32 do. */
import 'fake-indexeddb/auto';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import { blobBytes, type ByteSource } from '../formats/checkpointFile';
import { toFloat32 } from '../formats/tensorBytes';
import { loadMmdit } from '../models/mmdit';
import { loadT5 } from '../models/t5';
import { KEPT_PRECISIONS, type KeptPrecision } from '../protocol/models';
import { openDatabase, type Database } from '../storage/db';
import { openModel } from '../storage/modelStore';
import { useBackend } from '../testing/backend';
import { safetensorsFile } from '../testing/files';
import { importSurveyed, surveyFiles } from './importing';

const ALL = Uint8Array.from({ length: 256 }, (_, bits) => bits);
const E4M3 = toFloat32(ALL, 'F8_E4M3');
/** The finite ones in ascending order. */
const ORDER = [...ALL].filter((bits) => Number.isFinite(E4M3[bits]!)).sort((a, b) => E4M3[a]! - E4M3[b]!);

/** The nearest of them, by halving. */
function toE4M3(value: number): number {
  let [low, high] = [0, ORDER.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (E4M3[ORDER[middle]!]! <= value) low = middle;
    else high = middle;
  }
  return value - E4M3[ORDER[low]!]! < E4M3[ORDER[high]!]! - value ? ORDER[low]! : ORDER[high]!;
}

interface Written { dtype: string; shape: readonly number[]; bytes: Uint8Array }
function file(path: string, tensors: Record<string, Written>): ByteSource {
  let at = 0;
  const header = Object.fromEntries(Object.entries(tensors).map(([key, { dtype, shape, bytes }]) => [key, { dtype, shape, data_offsets: [at, (at += bytes.byteLength)] }]));
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(new BigUint64Array([BigInt(json.length)]).buffer);
  return blobBytes(new Blob([length, json, ...Object.values(tensors).map(({ bytes }) => new Uint8Array(bytes))]), path);
}
const f32 = (shape: readonly number[], values: Float32Array): Written => ({ dtype: 'F32', shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });

/** A network in fp8, and in float32 with the same numbers. Of the layers that `scaled` names, by a scale each. */
async function inBoth(fixture: string, path: string, scaled: (key: string) => boolean): Promise<{ fp8: ByteSource; plain: ByteSource }> {
  const source = await safetensorsFile(`fixtures/sd3/${fixture}.safetensors`);
  const [fp8, plain]: Record<string, Written>[] = [{}, {}];
  for (const [n, key] of source.keys().entries()) {
    const [shape, values] = [source.shape(key), await source.read(key)];
    const scale = scaled(key) ? Math.fround(0.013 + 0.001 * n) : 1;
    const bytes = Uint8Array.from(values, (value) => toE4M3(value / scale));
    fp8![key] = { dtype: 'F8_E4M3', shape, bytes };
    if (scale !== 1) Object.assign(fp8!, { [key.replace(/weight$/, 'scale_weight')]: f32([], new Float32Array([scale])), [key.replace(/weight$/, 'scale_input')]: f32([], new Float32Array([0.5])) });
    plain![key] = f32(shape, Float32Array.from(bytes, (bits) => E4M3[bits]! * scale));
  }
  // as the files have it: an empty tensor of the kind that was scaled for
  if (Object.keys(fp8!).some((key) => key.endsWith('.scale_weight'))) fp8!.scaled_fp8 = { dtype: 'F8_E4M3', shape: [0], bytes: new Uint8Array(0) };
  return { fp8: file(path, fp8!), plain: file(path, plain!) };
}

let db: Database;
let count = 0;
let beside: ByteSource[];
beforeAll(async () => {
  await useBackend('wasm');
  const [clip, vae] = await Promise.all(['clip_l', 'vae.original'].map(async (name) => blobBytes(new Blob([new Uint8Array(await readFile(`fixtures/sd3/${name}.safetensors`))]), `${name}.safetensors`)));
  beside = [clip!, vae!, blobBytes(new Blob(['#version: 0.2']), 'sd3/tokenizer/merges.txt'), blobBytes(new Blob(['{}']), 'sd3/tokenizer_3/tokenizer.json')];
});
// what has the same headers is the same model
beforeEach(async () => { db = await openDatabase(`import-fp8-${++count}`); });
afterEach(() => db.close());

const imported = async (precision: KeptPrecision, ...sources: ByteSource[]) => {
  const surveyed = await surveyFiles([...sources, ...beside]);
  expect([surveyed.lacking, surveyed.notes]).toEqual([[], []]);
  const record = await importSurveyed(db, surveyed, { name: 'fp8', precision, clipMerges: () => Promise.reject(new Error('they came along')) });
  return { record, files: await openModel(db, record.modelId) };
};

it.each([
  ['plain', () => false],
  ['scaled', (key: string) => /\.weight$/.test(key) && /blocks?\.\d.*(proj|q|k|v|o|qkv|fc1|fc2|wi_0|wi_1|wo)\.weight$|context_embedder/.test(key)],
] as const)('%s, they are read as the numbers they stand for, in every precision', async (kind, scaled) => {
  const [transformer, t5] = [await inBoth('mmditx.original', 'transformer.safetensors', scaled), await inBoth('t5', 't5xxl.safetensors', scaled)];
  for (const precision of KEPT_PRECISIONS) {
    const [one, other] = [await imported(precision, transformer.fp8, t5.fp8), await imported(precision, transformer.plain, t5.plain)];
    expect(one.record.modelId).not.toBe(other.record.modelId);
    for (const folder of ['transformer', 'text_encoder_3'] as const) {
      const [mine, wanted] = [await one.files.weights(folder), await other.files.weights(folder)];
      expect([...mine.keys()].sort()).toEqual([...wanted.keys()].sort());
      for (const key of wanted.keys()) {
        const packed = wanted.packed?.(key) ?? null;
        if (packed) expect(await mine.packed!(key)!.read(), `${precision} ${key}`).toEqual(await packed.read());
        else expect(await mine.read(key), `${precision} ${key}`).toEqual(await wanted.read(key));
      }
      expect(wanted.keys().some((key) => wanted.packed?.(key)), folder).toBe(true);
    }
    // small tensors stay as they are in the file, but those that were multiplied
    const bytes = (record: typeof one.record) => record.parts.find(({ folder }) => folder === 'transformer')!.storedBytes;
    expect(bytes(one.record)).toBeLessThan(bytes(other.record));
    if (kind === 'scaled') expect((await one.files.weights('transformer')).keys()).not.toContain('context_embedder.scale_weight');
  }
  const { files } = await imported('f16', transformer.fp8, t5.fp8);
  expect((await loadMmdit(await files.weights('transformer'))).blocks).toHaveLength(3);
  expect((await loadT5(await files.weights('text_encoder_3'))).layers).toHaveLength(2);
}, 60_000);
