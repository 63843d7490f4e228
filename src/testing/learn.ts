/**
 * A whole run without a browser, through the worker's own pipeline: learn one sample set on wasm, measure, write the twin
 * sheet and the figures. For comparing recipes with the PyTorch reference (recipe/results.md).
 *
 *   node scripts/node.mjs src/testing/learn.ts --set guide-dog --out DIR [--steps 20] [--preset lamina] [--at 400,500] [field=value …]
 *
 * `field=value` changes a field of the recipe, for instance stage1Steps=250 learningRate=0.002 seed=1. `--at` also measures
 * at these steps on the way, as if learning ended there.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { serialize } from 'node:v8';
import * as tf from '../engine/tf';
import { methods } from '../methods';
import { disposeConcept, storeConcept } from '../pipeline/concept';
import { buildDataset } from '../pipeline/training/dataset';
import { leaseFlow, loadBase } from '../pipeline/base';
import { encodeFieldWords } from '../pipeline/sampling/velocityFields';
import { measure, measurePrompts } from '../pipeline/measuring/measure';
import { draft, makeProbe } from '../pipeline/sampling/preview';
import { createTrainer, type TrainerStep } from '../pipeline/training/train';
import { median } from '../protocol/median';
import { defaultRecipe, parseRecipe, stagesOfRecipe, type PresetOf } from '../protocol/recipe';
import { folderFiles } from './files';
import { useBackend } from './nodeBackend';
import { contactSheet, readPng, writePng } from './png';

interface SampleSet { name: string; kind: 'instance' | 'style'; classWord: string; images: { file: string; complete: string; base: string; target: string }[] }

const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);

export async function learn(argv: string[]): Promise<void> {
  const { values: options, positionals } = parseArgs({
    args: argv, allowPositionals: true,
    options: { set: { type: 'string', default: 'guide-dog' }, out: { type: 'string', default: 'out' }, steps: { type: 'string', default: '20' }, preset: { type: 'string', default: 'lamina' }, at: { type: 'string', default: '' } },
  });
  const compute = await useBackend('wasm');
  const folder = join('public/concepts', options.set);
  const set = JSON.parse(await readFile(join(folder, 'captions.json'), 'utf8')) as SampleSet;
  const changes = Object.fromEntries(positionals.map((pair) => {
    const [field, value] = pair.split('=') as [string, string];
    return [field, value === 'true' || value === 'false' ? value === 'true' : value !== '' && Number.isFinite(Number(value)) ? Number(value) : value];
  }));
  const recipe = parseRecipe({ ...defaultRecipe(options.preset as PresetOf<'purecc'>), kind: set.kind, classWord: set.classWord, ...changes });
  const base = await loadBase('embedded', folderFiles('public/base'));
  const pictures = await Promise.all(set.images.map(async ({ file }) => readPng(await readFile(join(folder, file))).pixels));
  const dataset = await buildDataset(base, set.images.map((captions, i) => ({ pixels: pictures[i]!, captions })), recipe);

  const { width: side } = base.pictureSize();
  const { part: flow } = await leaseFlow(base);
  const set4d = tf.stack(pictures.map((pixels) => tf.tensor3d(pixels, [side, side, 3]))) as tf.Tensor4D;
  const marks = options.at.split(',').map(Number);
  const started = performance.now();
  const trainer = await createTrainer({ base: flow, method: methods.purecc, recipe, dataset });
  const log: TrainerStep[] = [];
  for await (const row of trainer.steps()) {
    log.push(row);
    if (marks.includes(row.step)) {
      const concept = trainer.concept({ final: true });
      const { prompts: _, base: __, unrelated: ___, ...short } = (await measure({ base, concept, pictures: set4d, steps: Number(options.steps), keepPixels: false, withoutRows: false })).measures;
      disposeConcept(concept);
      console.info(`at step ${row.step}`, JSON.stringify(short, rounded));
    }
    if (row.step % 50 === 0) console.info(`${row.stage} ${row.step}/${row.totalSteps} ${row.stepMs.toFixed(0)} ms`, JSON.stringify(row.losses, rounded), row.lambda.toFixed(2));
  }
  const trained = performance.now();
  const concept = trainer.concept();
  /** What the slider shows at five balances, from probes at three noise levels, two prompts. */
  async function drafts(): Promise<void> {
    const drawn: tf.Tensor4D[] = [];
    for (const prompt of measurePrompts(recipe).slice(0, 2)) {
      const words = await encodeFieldWords(base, [prompt], '', recipe);
      for (const sigma of [0.65, 0.75, 0.85]) {
        const probe = await makeProbe({ base: flow, words, concept, seed: 500, guidance: 3, revision: 0, sigma });
        for (const balance of [0, 0.5, 1, 1.5, 2]) drawn.push(await base.parts.autoencoder.use((autoencoder) => autoencoder.decode(draft(probe, balance))));
      }
    }
    const pixels = new Float32Array(await tf.concat4d(drawn, 0).data<'float32'>());
    await writeFile(join(options.out, `${set.name}-drafts.png`), writePng(contactSheet(pixels, side, 5)));
  }
  await mkdir(options.out, { recursive: true });
  await writeFile(join(options.out, `${set.name}.concept.bin`), serialize(await storeConcept(concept)));
  const { measures, sheet } = await measure({ base, concept, pictures: set4d, steps: Number(options.steps), keepPixels: true, withoutRows: true });
  await drafts();
  const of = (stage: string, key: 'lambdaStar' | 'cosine') => log.filter((row) => row.stage === stage).slice(-100).flatMap((row) => row.figures[key] ?? []);
  const result = {
    set: set.name, recipe, backend: compute.adapter, numTensors: tf.memory().numTensors,
    secondsTraining: (trained - started) / 1000, secondsMeasuring: (performance.now() - trained) / 1000,
    msPerStep: Object.fromEntries(stagesOfRecipe(recipe).map(({ id }) => [id, median(log.filter(({ stage }) => stage === id).map(({ stepMs }) => stepMs))])),
    lambdaStar: median(of('student', 'lambdaStar')), cosine: median(of('student', 'cosine')), floorHits: log.reduce((sum, row) => sum + (row.figures.floorHit ?? []).reduce((hits, hit) => hits + hit, 0), 0), measures,
  };
  await writeFile(join(options.out, `${set.name}.png`), writePng(contactSheet(sheet!.pixels, sheet!.size, sheet!.columns)));
  await writeFile(join(options.out, `${set.name}.json`), JSON.stringify({ ...result, log }, rounded));
  const { prompts: _, base: __, unrelated: ___, ...short } = measures;
  console.info(JSON.stringify({ ...result, recipe: changes, measures: short }, rounded));
}

await learn(process.argv.slice(2));
