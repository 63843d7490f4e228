/**
 * Full pictures: the balanced field from pure noise to pixels, with the expected picture shown on the way. One draw at a
 * time, the newest wins; ticks (full pictures at fixed balances) are drawn only while nothing else is asked for.
 */
import type { Adapter } from '../models/mmdit';
import type { Base, FlowBase } from '../pipeline/base';
import { disposeConcept } from '../pipeline/concept';
import { baseField, directedField, disposeFieldWords, encodeFieldWords, untouched, type FieldWords, type Guidance, type VelocityField } from '../pipeline/sampling/velocityFields';
import { canDrawQuickly, quickField } from '../pipeline/sampling/quickField';
import { seenFromStep } from '../pipeline/seen';
import { publishedSkipLayers, skipLayerGuidance } from '../pipeline/sampling/skipLayers';
import { Fault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { ParamsOf } from '../protocol/messages';
import type { ConceptKind } from '../protocol/captions';
import type { PlacesParams } from '../protocol/objects';
import type { DrawParams, PictureSlot } from '../protocol/pictures';
import type { PictureRecipe } from '../formats/pngParameters';
import type { Current, Reach, Subject } from './current';
import type { Opening } from './opening';
import { drawPicture, drawQuickly, drawnHere, type PictureJob } from './picturing';
import { toPictureFile, type Shown } from './present';
import type { Probing } from './probing';
import type { Turns, Urgency } from './turns';

/** Skip-layer guidance of the Base prompt, where it is asked for. */
const skippedLayers = ({ shift }: Pick<FlowBase, 'shift'>, words: FieldWords, { skipLayers, steps, guidance }: DrawParams): Guidance[] =>
  (skipLayers ? [skipLayerGuidance(untouched(words.base), publishedSkipLayers, { steps, shift, guidance })] : []);

interface Drawn { shown: Shown; revision: number; recipe: PictureRecipe }
interface OnePicture { base: Base; slot: PictureSlot; field(flow: FlowBase): VelocityField; params: DrawParams; reads: ConceptKind; atStep: number | null; between: () => Promise<void>; signal: AbortSignal; partial: boolean; onStep?: (step: number) => void }

export class Drawing {
  private running: AbortController | null = null;
  private idle: AbortController | null = null;
  private fallback: Shown | null = null;
  private readonly last: { base: Drawn | null; concept: Drawn | null } = { base: null, concept: null };

  constructor(private readonly host: Host, private readonly turns: Turns, private readonly opening: Opening, private readonly current: Current, private readonly probing: Probing) {}

  async draw(params: DrawParams, signal: AbortSignal): Promise<{ elapsedMs: number }> {
    this.cancel();
    const mine = (this.running = new AbortController());
    const either = AbortSignal.any([signal, mine.signal]);
    const started = performance.now();
    await this.drawing('drawing', params, either, async (one, words, subject, between) => {
      const onStep = (step: number) => this.host.emit('drawing', { step, steps: params.steps });
      const common = { ...one, between };
      const extra = skippedLayers(one.base, words, params);
      // without a concept the base is all there is
      const whole = subject?.whole(words, this.reach(one.base, params)) ?? null;
      const quick = one.base.parts.student !== null && canDrawQuickly(params);
      const [concept, base] = [{ ...common, slot: { kind: 'concept' } }, { ...common, slot: { kind: 'base' }, atStep: null }] as const;
      // a first look at both, before either is drawn in full
      if (quick && whole) await this.look(concept, (flow, student) => quickField(flow, words, whole, params.balance, student));
      if (quick && params.withBase) await this.look(base, (flow, student) => quickField(flow, words, null, 0, student));
      if (subject) await this.picture({ ...concept, partial: !(quick && whole), field: (flow) => directedField(flow, words, subject.direction(words, this.reach(flow, params)), params.balance, extra), onStep });
      if (params.withBase) await this.picture({ ...base, partial: !quick, field: (flow) => baseField(flow, words, extra), ...(subject ? {} : { onStep }) });
    });
    const { prompt, negative, seed, guidance } = params;
    void this.probing.probe({ prompt, negative, seed, guidance }).catch(() => undefined);
    return { elapsedMs: performance.now() - started };
  }

  /** Ends the present draw and all idle work. */
  cancel(): void {
    this.running?.abort();
    this.idle?.abort();
  }

  cancelIdle(): void {
    this.idle?.abort();
  }

  /** Resolves when all are drawn or something else was asked for. */
  async ticks({ balances, ...params }: ParamsOf<'ticks'>, signal: AbortSignal): Promise<void> {
    this.idle?.abort();
    const mine = (this.idle = new AbortController());
    const either = AbortSignal.any([signal, mine.signal]);
    try {
      for (const balance of balances) {
        await this.drawing('idle', { ...params, balance }, either, async (one, words, subject, between) => {
          if (subject) await this.picture({ ...one, between, partial: false, slot: { kind: 'tick', balance }, field: (flow) => directedField(flow, words, subject.direction(words, this.reach(flow, params)), balance, skippedLayers(flow, words, params)) });
        });
      }
    } catch (error) {
      if (!Fault.is(error, 'aborted')) throw error;
    }
  }

  /** The same in other places, likewise; a first look at all of them before any is drawn in full. */
  async places({ prompts, ...params }: PlacesParams, signal: AbortSignal): Promise<void> {
    this.idle?.abort();
    const mine = (this.idle = new AbortController());
    const either = AbortSignal.any([signal, mine.signal]);
    const inEach = async (work: (one: Omit<OnePicture, 'field' | 'partial' | 'onStep'>, words: FieldWords, subject: Subject) => Promise<void>) => {
      for (const prompt of prompts) {
        await this.drawing('idle', { ...params, prompt, withBase: false }, either, async (one, words, subject, between) => {
          if (subject) await work({ ...one, between, slot: { kind: 'place' } }, words, subject);
        });
      }
    };
    try {
      const { parts, shift } = await this.opening.base();
      if (parts.student && canDrawQuickly(params)) {
        await inEach(async (one, words, subject) => {
          const whole = subject.whole(words, this.reach({ shift }, params));
          if (whole) await this.look(one, (flow, student) => quickField(flow, words, whole, params.balance, student));
        });
      }
      await inEach((one, words, subject) => this.picture({ ...one, partial: false, field: (flow) => directedField(flow, words, subject.direction(words, this.reach(flow, params)), params.balance, skippedLayers(flow, words, one.params)) }));
    } catch (error) {
      if (!Fault.is(error, 'aborted')) throw error;
    }
  }

  /** The concept's full picture of a revision, while it is the newest. Fault `busy`. */
  newest(revision: number): Shown {
    const drawn = this.last.concept;
    if (drawn?.revision !== revision) throw new Fault('busy', 'The worker no longer has this picture.', 'Draw it again.');
    return drawn.shown;
  }

  async pictureFile(slot: 'base' | 'concept', wanted: number): Promise<Blob> {
    const drawn = this.last[slot];
    if (drawn?.revision !== wanted) throw new Fault('busy', 'The worker no longer has this picture.', 'Draw it again.');
    return toPictureFile(this.opening.platform.raster, drawn.shown, drawn.recipe);
  }

  /** The concept's last full picture as PNG, for its card; the run's own until one was drawn. */
  preview(): Promise<Blob> | null {
    const shown = this.last.concept?.shown ?? this.fallback;
    return shown && this.opening.platform.raster.toPng(shown);
  }

  /** A picture of the concept that was drawn elsewhere. */
  remember(shown: Shown): void {
    this.fallback = shown;
  }

  /** A new concept: the old one's pictures are no longer its preview. */
  clear(): void {
    this.cancel();
    this.last.base = this.last.concept = this.fallback = null;
  }

  private async drawing(kind: Urgency, params: DrawParams, signal: AbortSignal, work: (one: Pick<OnePicture, 'base' | 'params' | 'reads' | 'atStep' | 'signal'>, words: FieldWords, subject: Subject | null, between: () => Promise<void>) => Promise<void>): Promise<void> {
    const base = await this.opening.base();
    await this.turns.take(kind, async (between) => {
      if (signal.aborted) throw new Fault('aborted', 'Stopped.');
      const subject = await this.current.subject(base);
      let words: FieldWords | null = null;
      try {
        const read = (words = await encodeFieldWords(base, [params.prompt], params.negative, subject?.spoken ?? { kind: params.kind, classWord: '', trigger: '' }, between));
        await work({ base, params, reads: subject?.kind ?? params.kind, atStep: subject?.atStep ?? null, signal }, read, subject, between);
      } finally {
        if (words) disposeFieldWords(words);
        subject?.dispose();
      }
    });
  }

  /** From which noise level on what is seen acts in a picture: drafts have no steps, and show it from the first. */
  private reach({ shift }: Pick<FlowBase, 'shift'>, { guidance, steps }: Pick<DrawParams, 'guidance' | 'steps'>): Reach {
    return { guidance, from: seenFromStep(this.current.object?.seeing.startStep ?? 0, steps, shift) };
  }

  private job({ base, slot, params, reads, atStep, between, signal }: Omit<OnePicture, 'field' | 'partial' | 'onStep'>): Omit<PictureJob, 'field' | 'partial' | 'onStep'> {
    const { prompt, negative, seed, guidance, steps, sampler, skipLayers, balance } = params;
    return {
      host: this.host, raster: this.opening.platform.raster, base, sampling: { seeds: [seed], steps, sampler, guidance, between, signal },
      event: { slot, steps, sampler, skipLayers, prompt, negative, seed, guidance, kind: reads, balance: slot.kind === 'base' ? 0 : balance, atStep },
    };
  }

  private look(one: Omit<OnePicture, 'field' | 'partial' | 'onStep'>, field: (flow: FlowBase, student: Adapter) => VelocityField): Promise<void> {
    return drawQuickly({ ...this.job(one), field });
  }

  private async picture({ field, partial, onStep, ...one }: OnePicture): Promise<void> {
    const { slot, params } = one;
    const drawn = await drawPicture({ ...this.job(one), field, partial, ...(onStep && { onStep }) });
    if (slot.kind === 'base' || slot.kind === 'concept') this.last[slot.kind] = { ...drawn, recipe: await this.describe(params, slot.kind, drawn.shown) };
  }

  private async describe(params: DrawParams, slot: 'base' | 'concept', { width, height }: Shown): Promise<PictureRecipe> {
    const { prompt, negative, seed, steps, sampler, skipLayers, guidance, balance } = params;
    const current = slot === 'concept' ? this.current.value : null;
    // what it is seen in stays here, so that the picture says only how strongly
    const object = slot === 'concept' && this.current.object !== null;
    const borrowed = current?.live() ? current.borrow() : null;
    const lambda = borrowed?.lambda ?? 1;
    if (borrowed) disposeConcept(borrowed);
    return {
      ...(await drawnHere(this.opening)), prompt, negative, seed, steps, sampler, ...(skipLayers && { skipLayers }), guidance, balance: current || object ? balance : 0, width, height,
      concept: object ? { conceptId: '', name: this.current.object!.kind === 'identity' ? 'from a face' : 'from a picture', lambda: 1 } : current && { conceptId: current.conceptId ?? '', name: current.name, lambda }, recipe: current?.recipe ?? null,
    };
  }
}
