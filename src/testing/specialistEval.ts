/**
 * What a null-text specialist does, without a browser (wasm): it learns the pictures of a folder, then draws.
 *
 *   npm run specialist-eval -- --pictures DIR [--class dog] [--real DIR] [--weights 1,1.5,2] [--phrases 'on a beach,in the snow'] [--samples 500] [--steps 16] [--out DIR] [field=value …]
 *
 * Pictures are PNGs of the base's size, without captions. The class word is only drawn with, never learned from. For each phrase (of
 * PLACES, if none are given) "a CLASS PHRASE", or the phrase alone, is drawn in equal numbers (DPM++ 2M), each way with the same seeds: the base alone, with the
 * specialist at each w_c, and the specialist's own null in the base's place (everything through the adapter). FID: Fréchet distance of CLIP-image embeddings to
 * --real (the pictures themselves without it). Control: share of pictures whose nearest of the phrases' prompts is their own.
 * Prints a table, and writes sheets and specialist.json to --out.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import { methods } from '../methods';
import type { LearnedConcept } from '../pipeline/concept';
import { leaseFlow, loadBase, type Base, type FlowBase } from '../pipeline/base';
import { cosines, embedPictures } from '../pipeline/measuring/nearness';
import { encodePrompts } from '../pipeline/prompts';
import { conceptGuidance, disposeFieldWords, elsewhereField, encodeFieldWords, guidedField, textGuidance, untouched, type FieldWords, type VelocityField } from '../pipeline/sampling/velocityFields';
import { sampleAll } from '../pipeline/sampling/sample';
import { buildDataset } from '../pipeline/training/dataset';
import { createTrainer } from '../pipeline/training/train';
import { GUIDANCE } from '../protocol/limits';
import { defaultRecipe, parseRecipe } from '../protocol/recipe';
import { folderFiles } from './files';
import { frechet } from './frechet';
import { useBackend } from './nodeBackend';
import { contactSheet, readPng, writePng } from './png';

const PLACES = ['on a beach', 'in the snow', 'in a city', 'in a desert', 'underwater', 'in a room', 'in a forest', 'on a pink background'];
/** Pictures drawn side by side, at most: as many of each phrase. */
const BATCH = 16;

async function readFolder(folder: string): Promise<Float32Array[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.png')).sort();
  return Promise.all(names.map(async (name) => readPng(await readFile(join(folder, name))).pixels));
}

async function embeddingsOf(base: Base, pictures: Tensor4D): Promise<number[][]> {
  const seen = await embedPictures(base, pictures);
  const rows = (await seen.array()) as number[][];
  seen.dispose();
  return rows;
}

/** Text guidance at w_t = GUIDANCE and the specialist's at `weight`, both around the base's null. */
const withSpecialist = (flow: FlowBase, words: FieldWords, concept: LearnedConcept, weight: number): VelocityField =>
  guidedField(flow, untouched(words.negative), [textGuidance(words), { ...conceptGuidance(words, concept), weight: weight / GUIDANCE }]);

export async function evaluateSpecialist(argv: string[]): Promise<void> {
  const { values: options, positionals } = parseArgs({ args: argv, allowPositionals: true, options: {
    pictures: { type: 'string' }, class: { type: 'string', default: '' }, weights: { type: 'string', default: '1,1.5,2' }, real: { type: 'string' }, phrases: { type: 'string', default: PLACES.join() }, samples: { type: 'string', default: '500' }, steps: { type: 'string', default: '16' }, out: { type: 'string', default: 'out/specialist' },
  } });
  if (!options.pictures) throw new Error('Say --pictures DIR.');
  const weights = options.weights.split(',').map(Number);
  if (!weights.every(Number.isFinite)) throw new Error('--weights are numbers, as in --weights 1,1.5,2.');
  const phrases = options.phrases.split(',').map((phrase) => phrase.trim());
  if (phrases.length < 2 || phrases.length > BATCH) throw new Error(`--phrases are 2 to ${BATCH}, with commas between.`);
  const size = BATCH - (BATCH % phrases.length);
  const compute = await useBackend('wasm');
  const changes = Object.fromEntries(positionals.map((pair) => {
    const [field, value] = pair.split('=') as [string, string];
    return [field, value === 'true' || value === 'false' ? value === 'true' : Number.isFinite(Number(value)) ? Number(value) : value];
  }));
  const recipe = parseRecipe({ ...defaultRecipe(undefined, 'embedded', 'specialist'), ...changes });
  const base = await loadBase('embedded', folderFiles('public/base'));
  const { width: side } = base.pictureSize();
  const given = await readFolder(options.pictures);
  const { part: flow } = await leaseFlow(base);
  const dataset = await buildDataset(base, given.map((pixels) => ({ pixels })), recipe);
  const trainer = await createTrainer({ base: flow, method: methods.specialist, recipe, dataset });
  for await (const { step, totalSteps, losses, stepMs } of trainer.steps()) if (step % 50 === 0) console.info(`step ${step} of ${totalSteps}, flow ${losses.flow!.toFixed(4)}, ${stepMs.toFixed(0)} ms`);
  const concept = trainer.concept();

  const embedAll = async (all: readonly Float32Array[]): Promise<number[][]> => {
    const rows: number[][] = [];
    for (const pixels of all) {
      const picture = tf.tensor4d(pixels, [1, side, side, 3]);
      rows.push(...(await embeddingsOf(base, picture)));
      picture.dispose();
    }
    return rows;
  };
  const real = await embedAll(options.real ? await readFolder(options.real) : given);
  const batches = Math.ceil(Number(options.samples) / size);
  const prompts = Array.from({ length: size }, (_, i) => `${options.class === '' ? '' : `a ${options.class} `}${phrases[i % phrases.length]}`.trim());
  const words = await encodeFieldWords(base, prompts, '', recipe);
  const asked = await encodePrompts(base, prompts.slice(0, phrases.length), '');
  await mkdir(options.out, { recursive: true });

  const ways: [string, VelocityField][] = [
    ['base', guidedField(flow, untouched(words.negative), [textGuidance(words)])],
    ...weights.map((weight): [string, VelocityField] => [`w_c ${weight}`, withSpecialist(flow, words, concept, weight)]),
    ['own null', elsewhereField(flow, words, concept)],
  ];
  const rows: { way: string; fid: number; control: number }[] = [];
  for (const [way, field] of ways) {
    const embedded: number[][] = [];
    let right = 0;
    for (let n = 0; n < batches; n++) {
      const latent = await sampleAll({ base: flow, field, seeds: prompts.map((_, i) => 1000 + n * size + i), steps: Number(options.steps), sampler: 'dpmpp-2m', guidance: GUIDANCE });
      const pixels = await base.parts.autoencoder.use((autoencoder) => autoencoder.decode(latent));
      const seen = await embedPictures(base, pixels);
      embedded.push(...((await seen.array()) as number[][]));
      const read = tf.tidy(() => tf.div<tf.Tensor2D>(asked.pooled, tf.norm(asked.pooled, 2, 1, true)));
      (await cosines(seen, read)).forEach((row, i) => { if (row.indexOf(Math.max(...row)) === i % phrases.length) right++; });
      if (n === 0) await writeFile(join(options.out, `${way.replace(' ', '-')}.png`), writePng(contactSheet(new Float32Array(await pixels.data<'float32'>()), side, phrases.length)));
      tf.dispose([latent, pixels, seen, read]);
    }
    const row = { way, fid: frechet(real, embedded), control: right / embedded.length };
    rows.push(row);
    console.info(`${way.padEnd(10)} FID ${row.fid.toFixed(4)}  control ${row.control.toFixed(3)}`);
  }
  disposeFieldWords(words);
  await writeFile(join(options.out, 'specialist.json'), JSON.stringify({ class: options.class, pictures: given.length, real: real.length, phrases, samples: batches * size, steps: Number(options.steps), sampler: 'dpmpp-2m', guidance: GUIDANCE, backend: compute.adapter, recipe, rows }, null, 1));
}

await evaluateSpecialist(process.argv.slice(2));
