/** One full picture: a field sampled from noise to pixels, with the expected picture shown on the way, and sent to the page. */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import { flowing, TRANSFORMER_FILE, type Base, type FlowBase } from '../pipeline/base';
import type { VelocityField } from '../pipeline/sampling/velocityFields';
import { linearColours } from '../pipeline/sampling/preview';
import { sample, type SampleOptions } from '../pipeline/sampling/sample';
import { RANDOM_VERSION } from '../pipeline/random';
import { PICTURE_VERSION, type PictureRecipe } from '../formats/pngParameters';
import type { Host } from '../protocol/host';
import type { PictureEvent } from '../protocol/pictures';
import type { Opening } from './opening';
import type { Raster } from './platform';
import { shownBatch, toShown, type Shown } from './present';

/** Least time between pictures shown on the way, and how many times as long as the last one took: each costs a decoding, for which the whole picture waits. */
const PARTIAL_EVERY_MS = 500, PARTIAL_REST = 8;

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
  base: Base;
  /** What is sampled. Its words were read before: text encoders and transformer may not fit together. */
  field(flow: FlowBase): VelocityField;
  /** Seed and pace; one row. */
  sampling: Omit<SampleOptions, 'base' | 'field'>;
  /** What the page is told of it. */
  event: Omit<PictureEvent, 'revision' | 'bitmap' | 'state' | 'step' | 'elapsedMs'>;
  /** Whether unfinished pictures are shown. */
  partial: boolean;
  onStep?: (step: number) => void;
}

/**
 * Draws and shows it; returns the full picture and its revision. Where networks do not stay, transformer and decoder are never in memory
 * together: the one has gone when the other comes, and unfinished pictures come from the base's small decoder, or are in rough colours. Fault `aborted`.
 */
export async function drawPicture({ host, raster, base, field, sampling, event, partial, onStep }: PictureJob): Promise<{ shown: Shown; revision: number }> {
  const started = performance.now();
  let nextPartial = started + PARTIAL_EVERY_MS;
  let before: Tensor4D | null = null;
  let sigmaBefore = 1;
  let last: Tensor4D | null = null;
  const { autoencoder, preview } = base.parts;
  const unfinished = preview ?? (autoencoder.stays ? autoencoder : null);
  const decoded = async (latent: Tensor4D, decoder = autoencoder): Promise<Shown> => {
    const pixels = await decoder.use((one) => one.decode(latent, sampling.between));
    const [shown] = await shownBatch(pixels);
    pixels.dispose();
    return shown!;
  };
  const rough = async (latent: Tensor4D): Promise<Shown> => {
    const [, height, width, channels] = latent.shape;
    return toShown(linearColours(await latent.data<'float32'>(), channels, base.latentToRgb), width, height);
  };
  const show = async (shown: Shown, state: 'partial' | 'full', step: number) => {
    const bitmap = await raster.toBitmap(shown);
    const mine = nextRevision();
    host.emit('picture', { ...event, revision: mine, bitmap, state, step, elapsedMs: performance.now() - started });
    return { shown, revision: mine };
  };
  const walk = async (flow: FlowBase) => {
    for await (const { step, steps, sigma, latent } of sample({ ...sampling, base: flow, field: field(flow) })) {
      onStep?.(step);
      if (step === steps) last = tf.clone(latent);
      else if (partial && before && performance.now() > nextPartial) {
        const begun = performance.now();
        const ahead = expected(before, latent, sigmaBefore, sigma);
        await show(await (unfinished ? decoded(ahead, unfinished) : rough(ahead)), 'partial', step);
        ahead.dispose();
        const now = performance.now();
        nextPartial = now + Math.max(PARTIAL_EVERY_MS, PARTIAL_REST * (now - begun));
      }
      before?.dispose();
      before = tf.clone(latent);
      sigmaBefore = sigma;
    }
  };
  try {
    await flowing(base, walk);
    return await show(await decoded(last!), 'full', sampling.steps);
  } finally {
    tf.dispose([before, last].filter((each) => each !== null));
  }
}
