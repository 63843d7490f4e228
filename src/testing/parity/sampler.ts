/** The Euler sampler with guidance, through the pipeline's own schedule, field and loop: every latent on the way. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '../../engine/tf';
import { disposeMmdit } from '../../models/mmdit';
import { guidedField, untouched } from '../../pipeline/sampling/fields';
import { eulerSigmas } from '../../pipeline/flow';
import { sample } from '../../pipeline/sampling/sample';
import { safetensorsFile } from '../files';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { pictureOf, row, tensorOf, valuesNchw, worst, type Row } from './rows';
import type { LatentShape } from '../../pipeline/sizes';

/** Eight steps multiply the transformer's own rounding by the guidance. */
const LATENT = 1e-3;
/** Float32 of numbers up to 1. */
const SIGMA = 1e-6;

export interface SamplerConfig { shift: number; steps: number; cfg_scale: number }

export async function samplerRows(dir: string, config: FixtureConfig, { shift, steps, cfg_scale: guidance }: SamplerConfig): Promise<Row[]> {
  const io = await safetensorsFile(join(dir, 'sampler.io.safetensors'));
  const mmdit = await anyMmdit(dir, 'mmditx', config);
  const noise = await pictureOf(io, 'noise');
  const words = async (name: string) => ({ context: await tensorOf<tf.Tensor3D>(io, `${name}.context`), pooled: await tensorOf<tf.Tensor2D>(io, `${name}.pooled`), at: [-1] });
  const [, height, width, channels] = noise.shape;
  const base = { mmdit, shift, latentShape: () => [height, width, channels] as LatentShape };
  const [positive, negative] = [untouched(await words('cond')), untouched(await words('uncond'))];
  const field = guidedField(base, negative, [{ positive, negative, weight: 1 }]);
  const golden = await io.read('euler.latents');
  const size = golden.length / steps;
  let error = 0;
  for await (const { step, latent } of sample({ base, field, seeds: [], noise, steps, guidance })) {
    error = Math.max(error, worst(await valuesNchw(latent), golden.subarray((step - 1) * size, step * size)));
  }
  disposeMmdit(mmdit);
  const schedule = JSON.parse(await readFile(join(dir, 'scheduler.json'), 'utf8')) as { schedules: Record<string, { sigmas: number[] }> };
  const sigmas = Object.entries(schedule.schedules).map(([count, golden]) => worst(eulerSigmas(Number(count), shift), golden.sigmas));
  return [
    row(`sampler sigmas (${sigmas.length} schedules)`, Math.max(...sigmas), SIGMA),
    row('sampler euler latents', error, LATENT),
  ];
}
