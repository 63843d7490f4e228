/**
 * Mixes: concepts of the Shelf in one picture. It holds the tensors of the concepts that the newest mix names and frees the others;
 * draws, probes and idle pictures of the same mix on other seeds are the newest wish's alone.
 */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import { flowing, type Base } from '../pipeline/base';
import { disposeConcept, restoreConcept } from '../pipeline/concept';
import { mergedField, mixedField, mixTerms, type MixConcepts, type MixObjects } from '../pipeline/sampling/mixField';
import { makeMixProbe } from '../pipeline/sampling/mixDraft';
import { Fault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { MixOverlap } from '../protocol/drafts';
import type { ParamsOf } from '../protocol/messages';
import { mixPicture, mixProbeKey, parseMix, type Mix } from '../protocol/mix';
import type { PictureSlot } from '../protocol/pictures';
import { parseRecipe, wordsOf } from '../protocol/recipe';
import type { PictureRecipe } from '../formats/pngParameters';
import { getConcept } from '../storage/conceptStore';
import { holdObjects, type HeldObjects } from './mixObjects';
import type { Opening } from './opening';
import type { Pictures } from './pictures';
import { drawPicture, drawQuickly, drawnHere } from './picturing';
import { toPictureFile, type Shown } from './present';
import type { Turns, Urgency } from './turns';

type Held = MixConcepts extends ReadonlyMap<string, infer V> ? Map<string, V> : never;
interface Ready { base: Base; mix: Mix; concepts: MixConcepts; objects: MixObjects; from: { latent: Tensor4D; sigma: number } | null }

export class Mixing {
  private readonly held: Held = new Map();
  private drawn: AbortController | null = null;
  private idle: AbortController | null = null;
  private probing: AbortController | null = null;
  /** Work on concepts, one after another: what one holds no other frees. */
  private queue: Promise<unknown> = Promise.resolve();
  private last: { shown: Shown; revision: number; recipe: PictureRecipe } | null = null;

  constructor(private readonly host: Host, private readonly turns: Turns, private readonly opening: Opening, private readonly pictures: Pictures) {}

  /** Hands the drafts what they need for this mix; one that is overtaken is given up. */
  async probe({ mix: given }: ParamsOf<'probeMix'>, signal: AbortSignal): Promise<MixOverlap> {
    this.idle?.abort();
    this.probing?.abort();
    const mine = (this.probing = new AbortController());
    return this.with(given, 'probing', AbortSignal.any([signal, mine.signal]), async ({ base, mix, concepts, objects, from }, between, either) => {
      const terms = await mixTerms(base, mix, concepts, between, objects);
      try {
        const { probe, ...said } = await flowing(base, (flow) => makeMixProbe(flow, mix, terms, { between, signal: either, ...(from && { from }) }));
        this.opening.send({ kind: 'mix-probe', probe });
        this.host.emit('mixProbed', { key: mixProbeKey(mix) });
        return said;
      } finally {
        terms.dispose();
      }
    });
  }

  async draw({ mix: given, merged }: ParamsOf<'drawMix'>, signal: AbortSignal): Promise<{ elapsedMs: number }> {
    this.cancel();
    const mine = (this.drawn = new AbortController());
    const started = performance.now();
    await this.with(given, 'drawing', AbortSignal.any([signal, mine.signal]), async (ready, between, either) => {
      const picture = await this.picture(ready, { kind: 'mix', merged }, ready.mix.seed, merged, { between, signal: either, partial: true });
      if (!merged) this.last = { ...picture, recipe: await this.describe(ready, picture.shown) };
    });
    return { elapsedMs: performance.now() - started };
  }

  /** Resolves when all are drawn or something else was asked for. */
  async seeds({ mix: given, seeds }: ParamsOf<'mixSeeds'>, signal: AbortSignal): Promise<void> {
    this.idle?.abort();
    const mine = (this.idle = new AbortController());
    const either = AbortSignal.any([signal, mine.signal]);
    for (const seed of seeds) {
      if (either.aborted) return;
      await this.with(given, 'idle', either, async (ready, between) => void (await this.picture(ready, { kind: 'mix-seed' }, seed, false, { between, signal: either, partial: false }))).catch(ignoreAborted);
    }
  }

  /** Ends the present draw and all idle work. */
  cancel(): void {
    this.drawn?.abort();
    this.idle?.abort();
  }

  /** A concept that was deleted or renamed: what is held of it is of yesterday. */
  async forget(conceptId: string): Promise<void> {
    await this.alone(async () => this.hold([...this.held.keys()].filter((id) => id !== conceptId)));
  }

  async leave(): Promise<void> {
    this.cancel();
    this.probing?.abort();
    await this.alone(async () => this.hold([]));
  }

  async pictureFile(wanted: number): Promise<Blob> {
    if (this.last?.revision !== wanted) throw new Fault('busy', 'The worker no longer has this picture.', 'Draw it again.');
    return toPictureFile(this.opening.platform.raster, this.last.shown, this.last.recipe);
  }

  private async picture({ base, mix, concepts, objects, from }: Ready, slot: PictureSlot, seed: number, merged: boolean, pace: { between: () => Promise<void>; signal: AbortSignal; partial: boolean }): Promise<{ shown: Shown; revision: number }> {
    const { host, opening: { platform: { raster } } } = this;
    const { partial, ...pacing } = pace;
    const sampling = { seeds: [seed], steps: mix.steps, ...(mix.sampler && { sampler: mix.sampler }), guidance: mix.guidance, ...pacing, ...(from && { from }) };
    const onStep = (step: number) => host.emit('drawing', { step, steps: mix.steps });
    const held = await (merged ? mergedField(base, mix, concepts) : mixedField(base, mix, concepts, objects));
    const job = { host, raster, base, sampling, event: { slot, ...mixPicture({ ...mix, seed }), steps: mix.steps } };
    try {
      const quick = partial && base.parts.student !== null ? held.quick : null;
      if (quick) await drawQuickly({ ...job, field: quick });
      return await drawPicture({ ...job, field: held.field, partial: partial && !quick, ...(partial && { onStep }) });
    } finally {
      held.dispose();
    }
  }

  private async with<T>(given: Mix, kind: Urgency, signal: AbortSignal, work: (ready: Ready, between: () => Promise<void>, signal: AbortSignal) => Promise<T>): Promise<T> {
    const mix = parseMix(given);
    const base = await this.opening.base();
    return this.alone(async () => {
      if (signal.aborted) throw new Fault('aborted', 'Stopped.');
      await this.hold([...new Set([...mix.guidances.flatMap(({ source }) => (source.kind === 'concept' ? [source.conceptId] : [])), ...Object.values(mix.names)])]);
      const latent = mix.start && (await this.encoded(base, mix.start));
      let held: HeldObjects | null = null;
      try {
        const { objects } = (held = await holdObjects(this.opening, base, mix));
        const from = latent && { latent, sigma: mix.start!.sigma };
        return await this.turns.take(kind, (between) => work({ base, mix, concepts: this.held, objects, from }, between, signal));
      } finally {
        latent?.dispose();
        held?.release();
      }
    });
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** Loads these concepts and frees all others. One that is not stored is left out: what names it says so. */
  private async hold(ids: readonly string[]): Promise<void> {
    for (const [id, { concept }] of this.held) {
      if (ids.includes(id)) continue;
      disposeConcept(concept);
      this.held.delete(id);
    }
    for (const conceptId of ids) {
      if (this.held.has(conceptId)) continue;
      const record = await getConcept(await this.opening.db(), conceptId).catch((error: unknown) => { if (Fault.is(error, 'concept-missing')) return null; throw error; });
      if (!record) continue;
      const recipe = parseRecipe(record.recipe);
      if (recipe.kind === 'person') throw new Fault('mix-invalid', `“${record.name}” is seen through the picture adapter, which Mix does not lend to concepts yet.`, 'Draw it on Learn, or take it out of the mix.', { subject: conceptId });
      this.held.set(conceptId, { concept: restoreConcept(record.tensors, recipe, record.lambda), words: { conceptId, name: record.name, kind: recipe.kind, classWord: wordsOf(recipe).classWord } });
    }
  }

  /** Where a mix starts from, as a clean latent [1,h,w,C]. */
  private async encoded(base: Base, { pictureId, crop }: NonNullable<Mix['start']>): Promise<Tensor4D> {
    const { height, width } = base.pictureSize();
    const picture = tf.tensor4d(await this.pictures.pixels(pictureId, crop, width), [1, height, width, 3]);
    const latent = await base.parts.autoencoder.use((autoencoder) => autoencoder.encode(picture));
    picture.dispose();
    return latent;
  }

  private async describe({ mix, concepts }: Ready, { width, height }: Shown): Promise<PictureRecipe> {
    const { prompt, seed, steps, sampler = 'euler', guidance } = mix;
    const names = [...concepts].map(([, { words }]) => words.name).join(' + ');
    return {
      ...(await drawnHere(this.opening)), prompt, negative: '', seed, steps, sampler, guidance, balance: 1, width, height,
      concept: names === '' ? null : { conceptId: '', name: names, lambda: 1 }, recipe: null, mix: { ...mix, start: null },
    };
  }
}

function ignoreAborted(error: unknown): void {
  if (!Fault.is(error, 'aborted')) throw error;
}
