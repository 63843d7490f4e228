/**
 * Sampling with guidance, through the pipeline's own schedule, fields and loop: Euler's and DPM-Solver++ 2M's latents on the way,
 * skip-layer guidance, a picture as start, and the tables of noise levels.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { disposeMmdit } from '../../models/mmdit';
import { guidedField, untouched, type Guidance } from '../../pipeline/sampling/velocityFields';
import { eulerSigmas, shifted } from '../../pipeline/flow';
import { sample, startingPoint, type SampleOptions } from '../../pipeline/sampling/sample';
import { skipLayerGuidance, type SkipLayers } from '../../pipeline/sampling/skipLayers';
import { openSafetensors } from '../../formats/safetensors';
import { safetensorsFile } from '../files';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { pictureOf, row, tensorOf, valuesNchw, worst, type Row } from './rows';
import type { LatentShape } from '../../pipeline/sizes';
import { GAIN, type Weighing } from './weighing';

/** Eight steps multiply the transformer's own rounding by the guidance. */
const LATENT = 1e-3;
/** Float32 of numbers up to 1. */
const SIGMA = 1e-6;

export interface SamplerConfig { shift: number; steps: number; cfg_scale: number }
interface Schedule { sigmas: number[]; timesteps: number[] }
interface Scheduler { shift: number; schedules: Record<string, Schedule>; training: { examples: { u: number; index: number; timestep: number; sigma: number }[] } }

/** What the file says of itself. */
async function settings(path: string): Promise<{ slg: SkipLayers; first: number }> {
  const { slg = '{"layers":[],"scale":0,"start":0,"end":0}', img2img_first_sigma_index: first = '0' } = openSafetensors(await readFile(path)).header.metadata;
  const { end, ...rest } = JSON.parse(slg) as Omit<SkipLayers, 'stop'> & { end: number };
  return { slg: { ...rest, stop: end }, first: Number(first) };
}

/** The table of levels that training draws from, and where in it the rule looks. */
function scheduleRows({ shift, schedules, training }: Scheduler): Row[] {
  const all = Object.entries(schedules);
  const level = (index: number) => shifted((1000 - index) / 1000, shift);
  return [
    row(`sampler sigmas (${all.length} schedules)`, Math.max(...all.map(([count, golden]) => worst(eulerSigmas(Number(count), shift), golden.sigmas))), SIGMA),
    row('sampler timesteps', Math.max(...all.map(([count, golden]) => worst(eulerSigmas(Number(count), shift).slice(0, -1).map((sigma) => 1000 * sigma), golden.timesteps))), 1000 * SIGMA),
    row(`training rule (${training.examples.length} examples)`, Math.max(...training.examples.map(({ u, index, sigma }) => (Math.floor(u * 1000) === index ? Math.abs(level(index) - sigma) : Infinity))), SIGMA),
  ];
}

export async function samplerRows(dir: string, config: FixtureConfig, { shift, steps, cfg_scale: guidance }: SamplerConfig, by: Weighing): Promise<Row[]> {
  const io = await safetensorsFile(join(dir, 'sampler.io.safetensors'));
  const { slg, first } = await settings(join(dir, 'sampler.io.safetensors'));
  const mmdit = await anyMmdit(dir, 'mmditx', config, by.layer);
  const noise = await pictureOf(io, 'noise');
  const words = async (name: string) => ({ context: await tensorOf<tf.Tensor3D>(io, `${name}.context`), pooled: await tensorOf<tf.Tensor2D>(io, `${name}.pooled`), at: [-1] });
  const [, height, width, channels] = noise.shape;
  const base = { mmdit, shift, latentShape: () => [height, width, channels] as LatentShape };
  const [positive, negative] = [untouched(await words('cond')), untouched(await words('uncond'))];
  const text: Guidance = { positive, negative, weight: 1 };
  const sigmas = eulerSigmas(steps, shift);

  /** Every step's latent, or the last where only that is known. */
  async function run(name: string, guidances: readonly Guidance[], options: Partial<SampleOptions> = {}): Promise<Row[]> {
    if (!io.has(`${name}.final`)) return [];
    const final = await io.read(`${name}.final`);
    const wanted = [...(io.has(`${name}.latents`) ? await io.read(`${name}.latents`) : []), ...final];
    const latents: Float32Array[] = [];
    for await (const { latent } of sample({ base, field: guidedField(base, negative, guidances), seeds: [], noise, steps, guidance, ...options })) latents.push(await valuesNchw(latent));
    const count = wanted.length / final.length - 1;
    const found = [...(count > 0 ? latents : []), latents.at(-1)!].flatMap((each) => [...each]);
    return [by.row(`sampler ${name}${count > 0 ? ` latents (${count})` : ''}`, found, wanted, { error: worst, tolerance: LATENT }, { blocks: config.depth, gain: GAIN.drawn })];
  }

  const rows = [
    ...(await run('euler', [text])),
    ...(await run('dpmpp_2m', [text], { sampler: 'dpmpp-2m' })),
    ...(await run('slg', [text, skipLayerGuidance(positive, slg, { steps, shift, guidance })])),
  ];
  if (io.has('img2img.init')) {
    const from = { latent: await pictureOf(io, 'img2img.init'), sigma: sigmas[first]! };
    const start = startingPoint(base, [], from, undefined, noise);
    rows.push(row('sampler img2img start', worst(await valuesNchw(start), await io.read('img2img.start')), SIGMA * 10), ...(await run('img2img', [text], { from })));
    tf.dispose([start, from.latent]);
  }
  if (io.has('train.sigmas')) {
    const table = Array.from({ length: 1000 }, (_, index) => shifted((1000 - index) / 1000, shift));
    rows.push(row('training sigmas', worst(table, await io.read('train.sigmas')), SIGMA), row('training timesteps', worst(table.map((sigma) => 1000 * sigma), await io.read('train.timesteps')), 1000 * SIGMA));
  }
  tf.dispose([noise, positive.words.context, positive.words.pooled, negative.words.context, negative.words.pooled]);
  disposeMmdit(mmdit);
  return [...scheduleRows(JSON.parse(await readFile(join(dir, 'scheduler.json'), 'utf8')) as Scheduler), ...rows];
}
