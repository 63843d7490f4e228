/** One full picture: a field sampled from noise to pixels, with the expected picture shown on the way, and sent to the page. */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import type { Adapter } from '../models/mmdit';
import { flowing, TRANSFORMER_FILE, type Base, type FlowBase } from '../pipeline/base';
import type { VelocityField } from '../pipeline/sampling/velocityFields';
import { linearColours } from '../pipeline/sampling/preview';
import { QUICK_STEPS } from '../pipeline/sampling/quickField';
import { sample, sampleAll, type SampleOptions } from '../pipeline/sampling/sample';
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

type Between = SampleOptions['between'];

async function decoded(decoder: Base['parts']['autoencoder'], latent: Tensor4D, between: Between): Promise<Shown> {
  const pixels = await decoder.use((one) => one.decode(latent, between));
  const [shown] = await shownBatch(pixels);
  pixels.dispose();
  return shown!;
}

/** A latent while the transformer is in place: by a decoder that may stand beside it, else in rough colours. */
async function unfinished({ parts: { autoencoder, preview }, latentToRgb }: Base, latent: Tensor4D, between: Between): Promise<Shown> {
  const beside = preview ?? (autoencoder.stays ? autoencoder : null);
  if (beside) return decoded(beside, latent, between);
  const [, height, width, channels] = latent.shape;
  return toShown(linearColours(await latent.data<'float32'>(), channels, latentToRgb), width, height);
}

async function shownTo({ host, raster, event }: Pick<PictureJob, 'host' | 'raster' | 'event'>, shown: Shown, how: Pick<PictureEvent, 'state' | 'step' | 'elapsedMs'>): Promise<{ shown: Shown; revision: number }> {
  const bitmap = await raster.toBitmap(shown);
  const mine = nextRevision();
  host.emit('picture', { ...event, ...how, revision: mine, bitmap });
  return { shown, revision: mine };
}

/** The same in few steps by the base's student, shown as a first look; nothing where the base has none, or one that cannot be read: the full picture needs none. Fault `aborted`. */
export async function drawQuickly({ host, raster, base, field, sampling, event }: Omit<PictureJob, 'field' | 'partial' | 'onStep'> & { field(flow: FlowBase, student: Adapter): VelocityField }): Promise<void> {
  const started = performance.now();
  const student = await base.parts.student?.lease().catch(() => null);
  if (!student) return;
  try {
    await flowing(base, async (flow) => {
      const latent = await sampleAll({ ...sampling, base: flow, field: field(flow, student.part), steps: QUICK_STEPS, sampler: 'euler', guidance: 1 });
      try {
        await shownTo({ host, raster, event }, await unfinished(base, latent, sampling.between), { state: 'quick', step: 0, elapsedMs: performance.now() - started });
      } finally {
        latent.dispose();
      }
    });
  } finally {
    student.release();
  }
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
  const show = async (shown: Shown, state: 'partial' | 'full', step: number) => shownTo({ host, raster, event }, shown, { state, step, elapsedMs: performance.now() - started });
  const walk = async (flow: FlowBase) => {
    for await (const { step, steps, sigma, latent } of sample({ ...sampling, base: flow, field: field(flow) })) {
      onStep?.(step);
      if (step === steps) last = tf.clone(latent);
      else if (partial && before && performance.now() > nextPartial) {
        const begun = performance.now();
        const ahead = expected(before, latent, sigmaBefore, sigma);
        await show(await unfinished(base, ahead, sampling.between), 'partial', step);
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
    return await show(await decoded(base.parts.autoencoder, last!, sampling.between), 'full', sampling.steps);
  } finally {
    tf.dispose([before, last].filter((each) => each !== null));
  }
}
