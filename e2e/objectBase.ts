/** The embedded base served with an object encoder, or an identity adapter and its encoder, of random weights: what a page does with one can be tested before any is trained. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { dist, root } from '../scripts/prepare.mjs';
import { toHalf } from '../src/formats/float16';
import { writeSafetensors, type HalfTensor } from '../src/formats/safetensorsWriter';
import { adapterSource, type AdapterSizes } from '../src/testing/pictureAdapter';

/** What crosses into the picture is this much of what random weights would make it: enough to be seen, little enough to stay a picture. */
const GENTLE = 0.25;

/** The file as the recipe writes it, sized for the embedded base. */
async function adapterFile(kind: Partial<AdapterSizes> = {}): Promise<Buffer> {
  const source = adapterSource({ tower: 192, layers: [1, 2, 3, 4], tokens: 16, resampler: 192, depth: 4, tokenWidth: 192, level: 192, hidden: 256, attention: 256, behind: [0, 2, 4], ...kind });
  const tensors: Record<string, HalfTensor> = {};
  for (const key of source.keys()) {
    const scale = /^cross\..*to_out/.test(key) ? GENTLE : 1;
    tensors[key] = { shape: source.shape(key), data: Uint16Array.from(await source.read(key), (value) => toHalf(scale * value)) };
  }
  return Buffer.from(writeSafetensors(tensors, await source.metadata!()));
}

/** From now on the base's folder has these files as well. */
async function serve(context: BrowserContext, added: Record<string, Buffer>): Promise<void> {
  const list = JSON.parse(await readFile(join(dist, 'base', 'files.json'), 'utf8')) as { version: number; files: { path: string; sizeBytes: number; sha256: string }[] };
  const files = [...list.files.filter(({ path }) => !(path in added)), ...Object.entries(added).map(([path, file]) => ({ path, sizeBytes: file.byteLength, sha256: createHash('sha256').update(file).digest('hex') }))];
  await context.route('**/base/files.json', (route) => route.fulfill({ json: { ...list, files } }));
  for (const [path, file] of Object.entries(added)) await context.route(`**/base/${path}`, (route) => route.fulfill({ body: file, contentType: path.endsWith('.json') ? 'application/json' : 'application/octet-stream' }));
}

/** Returns the encoder's size in bytes. */
export async function serveObjectEncoder(context: BrowserContext): Promise<number> {
  const file = await adapterFile();
  await serve(context, { 'object_adapter/model.safetensors': file });
  return file.byteLength;
}

/** Numbers that the fixture's encoder says of a head. */
const WHO = 12;
/** Numbers of the embedded base's own image embedding. */
const EMBEDDING = 192;

export async function serveFaces(context: BrowserContext): Promise<void> {
  await serve(context, {
    'identity_adapter/model.safetensors': await adapterFile({ kind: 'identity', identity: EMBEDDING + WHO }),
    'identity_encoder/model.safetensors': await readFile(join(root, 'fixtures', 'identity', 'encoder.safetensors')),
    'identity_encoder/config.json': Buffer.from(JSON.stringify({ image_size: 64, width: WHO, head: [0.16, 0.05, 0.68] })),
  });
}
