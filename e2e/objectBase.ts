/** The embedded base served with an object encoder of random weights: what a page does with one can be tested before any is trained. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { dist } from '../scripts/prepare.mjs';
import { toHalf } from '../src/formats/float16';
import { writeSafetensors, type HalfTensor } from '../src/formats/safetensorsWriter';
import { adapterSource } from '../src/testing/pictureAdapter';

const PATH = 'object_adapter/model.safetensors';
/** What crosses into the picture is this much of what random weights would make it: enough to be seen, little enough to stay a picture. */
const GENTLE = 0.25;

/** The file as the recipe writes it, sized for the embedded base. */
async function adapterFile(): Promise<Buffer> {
  const source = adapterSource({ tower: 192, layers: [1, 2, 3, 4], tokens: 16, resampler: 192, depth: 4, tokenWidth: 192, level: 192, hidden: 256, attention: 256, behind: [0, 2, 4] });
  const tensors: Record<string, HalfTensor> = {};
  for (const key of source.keys()) {
    const scale = /^cross\..*to_out/.test(key) ? GENTLE : 1;
    tensors[key] = { shape: source.shape(key), data: Uint16Array.from(await source.read(key), (value) => toHalf(scale * value)) };
  }
  return Buffer.from(writeSafetensors(tensors, await source.metadata!()));
}

/** From now on the base's folder has the encoder. Returns its size in bytes. */
export async function serveObjectEncoder(context: BrowserContext): Promise<number> {
  const file = await adapterFile();
  const list = JSON.parse(await readFile(join(dist, 'base', 'files.json'), 'utf8')) as { version: number; files: { path: string; sizeBytes: number; sha256: string }[] };
  const files = [...list.files.filter(({ path }) => path !== PATH), { path: PATH, sizeBytes: file.byteLength, sha256: createHash('sha256').update(file).digest('hex') }];
  await context.route('**/base/files.json', (route) => route.fulfill({ json: { ...list, files } }));
  await context.route(`**/base/${PATH}`, (route) => route.fulfill({ body: file, contentType: 'application/octet-stream' }));
  return file.byteLength;
}
