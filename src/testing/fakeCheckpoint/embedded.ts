/**
 * The embedded base as its users' own files would come: one file in SD3's original layout (q, k, v in one matrix, the last
 * modulations with shift first), separate files, and a folder with a sharded transformer. A real model to import.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { headBytes, parseHeader, type TensorEntry } from '../../formats/safetensors';
import { CARRIED_KEY, CARRIED_PATHS } from '../../models/checkpoint';
import { originalKey, ORIGINAL_PREFIX } from '../../models/mmdit/keys';
import { writeCheckpoint, type TensorBytes } from './container';

interface Held extends TensorEntry { key: string; bytes: Uint8Array }

const FILES = { transformer: 'transformer/diffusion_pytorch_model.safetensors', vae: 'vae/diffusion_pytorch_model.safetensors', text_encoder: 'text_encoder/model.safetensors', image_encoder: 'image_encoder/model.safetensors' };
const PREFIXES = { vae: 'first_stage_model.', text_encoder: 'text_encoders.clip_l.transformer.', image_encoder: 'image_encoder.' };

async function held(path: string): Promise<Held[]> {
  const bytes = new Uint8Array(await readFile(path));
  const { tensors } = parseHeader(bytes.subarray(0, headBytes(bytes, bytes.byteLength, path)), bytes.byteLength, path);
  return Object.entries(tensors).map(([key, entry]) => ({ ...entry, key, bytes: bytes.subarray(entry.begin, entry.end) }));
}

const asWritten = ({ key, dtype, shape, bytes }: Pick<Held, 'key' | 'dtype' | 'shape' | 'bytes'>): TensorBytes => ({ key, dtype: dtype as TensorBytes['dtype'], shape, pieces: () => [bytes] });

const halvesSwapped = (bytes: Uint8Array) => Buffer.concat([bytes.subarray(bytes.byteLength / 2), bytes.subarray(0, bytes.byteLength / 2)]);

/** diffusers' tensors under the original names. */
export function original(tensors: readonly Held[], prefix: string): TensorBytes[] {
  const depth = 1 + Math.max(...tensors.map(({ key }) => Number(/^transformer_blocks\.(\d+)\./.exec(key)?.[1] ?? -1)));
  const gathered = new Map<string, { dtype: string; shape: number[]; parts: Uint8Array[] }>();
  for (const { key: name, dtype, shape, bytes } of tensors) {
    const { key, part, swapHalves } = originalKey(name, prefix, depth);
    const into = gathered.get(key) ?? { dtype, shape: [(shape[0] ?? 1) * (part?.of ?? 1), ...shape.slice(1)], parts: [] };
    into.parts[part?.index ?? 0] = swapHalves ? halvesSwapped(bytes) : bytes;
    gathered.set(key, into);
  }
  return [...gathered].map(([key, { dtype, shape, parts }]) => ({ key, dtype: dtype as TensorBytes['dtype'], shape, pieces: () => parts }));
}

/** Writes the three forms into `out`; their paths. */
export async function embeddedCheckpoints(base: string, out: string, shards = 3): Promise<{ single: string; separate: string[]; folder: string }> {
  const tensors = Object.fromEntries(await Promise.all(Object.entries(FILES).map(async ([part, path]) => [part, await held(join(base, path))] as const))) as Record<keyof typeof FILES, Held[]>;
  const texts: Record<string, string> = {};
  for (const path of CARRIED_PATHS) {
    const text = await readFile(join(base, path), 'utf8').catch((error: NodeJS.ErrnoException) => { if (error.code === 'ENOENT') return null; throw error; });
    if (text !== null) texts[path] = text;
  }
  const carry = (...folders: string[]) => ({ [CARRIED_KEY]: JSON.stringify(Object.fromEntries(Object.entries(texts).filter(([path]) => folders.includes(path.split('/')[0]!)))) });
  const prefixed = (part: keyof typeof PREFIXES, prefix = PREFIXES[part]) => tensors[part].map((tensor) => asWritten({ ...tensor, key: prefix + tensor.key }));

  await mkdir(out, { recursive: true });
  const single = join(out, 'embedded.safetensors');
  const transformer = original(tensors.transformer, ORIGINAL_PREFIX);
  await writeCheckpoint(single, [...transformer, ...prefixed('vae'), ...prefixed('text_encoder'), ...prefixed('image_encoder')], carry('transformer', 'vae', 'text_encoder', 'image_encoder', 'scheduler', 'tokenizer'));

  const separate = ['transformer', 'ae', 'clip_l', 'image_encoder'].map((name) => join(out, 'separate', `${name}.safetensors`));
  await mkdir(dirname(separate[0]!), { recursive: true });
  await writeCheckpoint(separate[0]!, original(tensors.transformer, ''), carry('transformer', 'scheduler'));
  await writeCheckpoint(separate[1]!, prefixed('vae', ''), carry('vae'));
  await writeCheckpoint(separate[2]!, prefixed('text_encoder', ''), carry('text_encoder', 'tokenizer'));
  await writeCheckpoint(separate[3]!, prefixed('image_encoder', ''), carry('image_encoder'));

  const folder = join(out, 'folder');
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  for (const part of ['vae', 'text_encoder', 'image_encoder'] as const) await writeCheckpoint(join(folder, FILES[part]), prefixed(part, ''));
  const plain = tensors.transformer.map(asWritten);
  const weight_map: Record<string, string> = {};
  for (let i = 0; i < shards; i++) {
    const name = `diffusion_pytorch_model-${String(i + 1).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.safetensors`;
    const own = plain.slice(Math.floor((i * plain.length) / shards), Math.floor(((i + 1) * plain.length) / shards));
    for (const { key } of own) weight_map[key] = name;
    await writeCheckpoint(join(folder, 'transformer', name), own);
  }
  await writeFile(join(folder, 'transformer/diffusion_pytorch_model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
  return { single, separate, folder };
}
