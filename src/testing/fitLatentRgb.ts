/**
 * Fits the linear map latent → RGB of drafts and writes public/base/vae/latent_rgb.json: least squares over pictures the
 * base itself draws and the sample sets, each latent pixel against the average colour of the 8×8 pixels it stands for.
 * Format: { "latentToRgb": [17][3] } — one row per channel, the last row is added; colours in −1…1.
 *
 *   node scripts/node.mjs src/testing/fitLatentRgb.ts
 */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '../engine/tf';
import { leaseFlow, loadBase } from '../pipeline/base';
import { baseField, encodeFieldWords } from '../pipeline/sampling/velocityFields';
import { sampleAll } from '../pipeline/sampling/sample';
import { folderFiles } from './files';
import { useBackend } from './nodeBackend';
import { readPng } from './png';

const PROMPTS = [
  'a dog on a beach', 'a red cat in a city', 'a house in a forest', 'three tigers on grass', 'a rocket in the night sky', 'a pizza on a checkerboard', 'two frogs underwater', 'a cake in the snow',
  'a ghost in a room', 'pixel art of a lion in a desert', 'a blue bicycle on grass', 'a yellow balloon on a gray background', 'an apple on a white background', 'a purple cow at night', 'an octopus underwater', 'a car in a city',
];

/** Solves the symmetric system A·x = b for several right-hand sides by Gaussian elimination with pivoting. */
function solve(a: number[][], b: number[][]): number[][] {
  const rows = a.map((row, i) => [...row, ...b[i]!]);
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    const pivot = rows.slice(i).reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(rows[best]![i]!) ? i + k : best), i);
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = rows[k]![i]! / rows[i]![i]!;
      for (let j = i; j < rows[k]!.length; j++) rows[k]![j]! -= factor * rows[i]![j]!;
    }
  }
  return rows.map((row, i) => row.slice(n).map((value) => value / row[i]!));
}

await useBackend('wasm');
const base = await loadBase('embedded', folderFiles('public/base'));
const { part: flow } = await leaseFlow(base);
const { part: autoencoder } = await base.parts.autoencoder.lease();
const { latentChannels: channels, downscale: scale } = autoencoder;

const inputs: number[][] = [];
const colours: number[][] = [];
async function take(latent: tf.Tensor4D, pixels: tf.Tensor4D): Promise<void> {
  const z = (await tf.reshape(latent, [-1, channels]).array()) as number[][];
  const c = (await tf.reshape(tf.avgPool(pixels, scale, scale, 'valid'), [-1, 3]).array()) as number[][];
  inputs.push(...z.map((row) => [...row, 1]));
  colours.push(...c);
}

const words = await encodeFieldWords(base, PROMPTS, '', { kind: 'instance', classWord: '', trigger: '' });
const drawn = await sampleAll({ base: flow, field: baseField(flow, words), seeds: PROMPTS.map((_, i) => i), steps: 12, guidance: 3 });
await take(drawn, await autoencoder.decode(drawn));
for (const set of await readdir('public/concepts', { withFileTypes: true })) {
  if (!set.isDirectory()) continue;
  for (const file of (await readdir(join('public/concepts', set.name))).filter((name) => name.endsWith('.png'))) {
    const { width, height, pixels } = readPng(await readFile(join('public/concepts', set.name, file)));
    const picture = tf.tensor4d(pixels, [1, height, width, 3]);
    await take(await autoencoder.encode(picture), picture);
  }
}

const size = channels + 1;
const normal = Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => inputs.reduce((sum, row) => sum + row[i]! * row[j]!, 0)));
const right = Array.from({ length: size }, (_, i) => [0, 1, 2].map((c) => inputs.reduce((sum, row, n) => sum + row[i]! * colours[n]![c]!, 0)));
const latentToRgb = solve(normal, right).map((row) => row.map((value) => Number(value.toFixed(5))));
const error = inputs.reduce((sum, row, n) => sum + [0, 1, 2].reduce((all, c) => all + (row.reduce((v, x, i) => v + x * latentToRgb[i]![c]!, 0) - colours[n]![c]!) ** 2, 0), 0) / (3 * inputs.length);
const spread = [0, 1, 2].reduce((all, c) => {
  const mean = colours.reduce((sum, row) => sum + row[c]!, 0) / colours.length;
  return all + colours.reduce((sum, row) => sum + (row[c]! - mean) ** 2, 0) / (3 * colours.length);
}, 0);
await writeFile('public/base/vae/latent_rgb.json', `${JSON.stringify({ latentToRgb }, null, 1)}\n`);
console.info(`${inputs.length} latent pixels, root mean square error ${Math.sqrt(error).toFixed(3)} in −1…1, explains ${(100 * (1 - error / spread)).toFixed(1)} % of the variance`);
