/** One full picture: a field sampled from noise to pixels, with the expected picture shown on the way, and sent to the page. */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import { TRANSFORMER_FILE, type Base } from '../pipeline/base';
import { sample, type SampleOptions } from '../pipeline/sampling/sample';
import { RANDOM_VERSION } from '../pipeline/random';
import { PICTURE_VERSION, type PictureRecipe } from '../formats/pngParameters';
import type { Host } from '../protocol/host';
import type { PictureEvent } from '../protocol/pictures';
import type { Opening } from './opening';
import type { Raster } from './platform';
import { shownBatch, type Shown } from './present';

/** Time between pictures shown on the way; each costs a decoding. */
const PARTIAL_EVERY_MS = 500;

const APP = 'Lamina 0.1.0';

/** What every picture of this app says of where its numbers come from. */
export async function drawnHere(opening: Pick<Opening, 'all' | 'baseId'>): Promise<Pick<PictureRecipe, 'version' | 'app' | 'base' | 'baseSha256' | 'random'>> {
  const { stored } = await opening.all();
  return { version: PICTURE_VERSION, app: APP, base: opening.baseId, baseSha256: stored.files[TRANSFORMER_FILE]?.sha256 ?? '', random: RANDOM_VERSION };
}

let revision = 0;
export const nextRevision = (): number => ++revision;

/** Where the trajectory is heading: x0 = x − sigma·v, v from the last two points. */
const expected = (before: Tensor4D, after: Tensor4D, sigmaBefore: number, sigma: number): Tensor4D =>
  tf.tidy(() => tf.sub<Tensor4D>(after, tf.mul(tf.sub(after, before), sigma / (sigma - sigmaBefore))));

export interface PictureJob {
  host: Host;
  raster: Raster;
  autoencoder: Base['parts']['autoencoder'];
  /** Field, seed and pace; one row. */
  sampling: SampleOptions;
  /** What the page is told of it. */
  event: Omit<PictureEvent, 'revision' | 'bitmap' | 'state' | 'step' | 'elapsedMs'>;
  /** Whether unfinished pictures are shown. */
  partial: boolean;
  onStep?: (step: number) => void;
}

/** Draws and shows it; returns the full picture and its revision. Fault `aborted`. */
export async function drawPicture({ host, raster, autoencoder, sampling, event, partial, onStep }: PictureJob): Promise<{ shown: Shown; revision: number }> {
  const started = performance.now();
  let shownAt = started;
  let before: Tensor4D | null = null;
  let sigmaBefore = 1;
  let full: { shown: Shown; revision: number } | null = null;
  const show = async (latent: Tensor4D, state: 'partial' | 'full', step: number) => {
    const pixels = await autoencoder.use((one) => one.decode(latent, sampling.between));
    const [shown] = await shownBatch(pixels);
    pixels.dispose();
    const bitmap = await raster.toBitmap(shown!);
    const mine = nextRevision();
    host.emit('picture', { ...event, revision: mine, bitmap, state, step, elapsedMs: performance.now() - started });
    return { shown: shown!, revision: mine };
  };
  try {
    for await (const { step, steps, sigma, latent } of sample(sampling)) {
      onStep?.(step);
      if (step === steps) full = await show(latent, 'full', step);
      else if (partial && before && performance.now() - shownAt > PARTIAL_EVERY_MS) {
        const ahead = expected(before, latent, sigmaBefore, sigma);
        await show(ahead, 'partial', step);
        ahead.dispose();
        shownAt = performance.now();
      }
      before?.dispose();
      before = tf.clone(latent);
      sigmaBefore = sigma;
    }
  } finally {
    before?.dispose();
  }
  return full!;
}
