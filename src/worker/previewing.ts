/**
 * The pictures along a run, with a fixed prompt and seed: the customized model on the Complete and on the Base prompt,
 * the untouched base once. From the same twins come the live figures: likeness to the set and drift from the base. All of
 * them are stored with the run, so that it has its strip and figures again when it is continued.
 */
import * as tf from '../engine/tf';
import type { Tensor4D } from '../engine/tf';
import { flowing, type Base, type FlowBase } from '../pipeline/base';
import { disposeConcept, type LearnedConcept } from '../pipeline/concept';
import { baseField, conceptField, disposeFieldWords, encodeFieldWords, type FieldWords, type VelocityField } from '../pipeline/sampling/velocityFields';
import { drifts, embedPictures, mean, nearnessTo } from '../pipeline/measuring/nearness';
import { promptRoles } from '../pipeline/prompts';
import { sampleAll } from '../pipeline/sampling/sample';
import type { Host } from '../protocol/host';
import type { PictureKey, PictureSlot } from '../protocol/pictures';
import { GUIDANCE } from '../protocol/limits';
import type { Recipe } from '../protocol/recipe';
import type { PreviewRecord } from '../storage/db';
import { nextRevision } from './picturing';
import type { Raster } from './platform';
import { shownBatch, type Shown } from './present';

/** Euler steps of a preview: enough to judge by, cheap enough to be made often. */
const STEPS = 10;

/** Complete and Base prompt of a run's previews; of a world, the prompt and none, which shows what it draws by itself. */
export const previewPrompts = (prompt: string, recipe: Recipe): [string, string] => [prompt, recipe.kind === 'world' ? '' : promptRoles(prompt, recipe).base];
/** What all previews of a run are drawn from, but for the prompt. */
export const previewKey = (seed: number, { kind }: Recipe) => ({ negative: '', seed, guidance: GUIDANCE, steps: STEPS, sampler: 'euler', skipLayers: false, kind }) as const satisfies Partial<PictureKey>;

/** A run's prompts as its previews read them: that of the base's twin, and those of the customized model. */
export interface PreviewWords { original: FieldWords; custom: FieldWords }

/** To be read before the run takes the transformer: large text encoders have no room beside it. The caller disposes. */
export const readPreviewWords = (base: Base, prompt: string, recipe: Recipe, between: () => Promise<void>): Promise<PreviewWords> =>
  base.parts.text.lingering(async () => {
    const original = await encodeFieldWords(base, [prompt], '', recipe, between);
    const custom = await encodeFieldWords(base, previewPrompts(prompt, recipe), '', recipe, between).catch((error: unknown) => { disposeFieldWords(original); throw error; });
    return { original, custom };
  });
export const disposePreviewWords = ({ original, custom }: PreviewWords): void => [original, custom].forEach(disposeFieldWords);

/** Words and pictures stay the run's. */
export interface PreviewedRun { runId: string; prompt: string; words: PreviewWords; seed: number; recipe: Recipe; pictures: Tensor4D; keep(preview: PreviewRecord): Promise<void> }

export class Previewing {
  private original: { pixels: Tensor4D; shown: Shown } | null = null;
  private readonly prompts: [string, string];

  constructor(private readonly host: Host, private readonly raster: Raster, private readonly base: Base, private readonly run: PreviewedRun) {
    this.prompts = previewPrompts(run.prompt, run.recipe);
  }

  /** Twins of the concept as it is; takes the borrowed concept and gives it back. Returns the customized picture. */
  async preview(concept: LearnedConcept, step: number, between: () => Promise<void>): Promise<Shown> {
    const { runId } = this.run;
    const started = performance.now();
    try {
      this.original ??= await this.drawOriginal(between);
      const custom = await this.draw(this.run.words.custom, (flow, words) => conceptField(flow, words, concept), between);
      const [complete, onBase] = tf.split(custom, 2, 0) as [Tensor4D, Tensor4D];
      const [shown, shownBase] = await shownBatch(custom);
      const elapsedMs = performance.now() - started;
      await this.show({ kind: 'strip', runId, step, side: 'concept' }, shown!, 0, step, elapsedMs);
      await this.show({ kind: 'strip', runId, step, side: 'customBase' }, shownBase!, 1, step, elapsedMs);
      const likeness = await this.likeness(complete, between);
      const drift = mean(await drifts(onBase, this.original.pixels));
      tf.dispose([custom, complete, onBase]);
      this.host.emit('changed', { runId, step, likeness, drift });
      await this.run.keep({ runId, step, elapsedMs, concept: await this.raster.toPng(shown!), customBase: await this.raster.toPng(shownBase!), likeness, drift });
      return shown!;
    } finally {
      disposeConcept(concept);
    }
  }

  /** The untouched base's twin; drawn before the first step, so that there is something to see. */
  async begin(between: () => Promise<void>): Promise<void> {
    const { runId } = this.run;
    const started = performance.now();
    this.original ??= await this.drawOriginal(between);
    const elapsedMs = performance.now() - started;
    await this.show({ kind: 'original', runId }, this.original.shown, 0, null, elapsedMs);
    await this.run.keep({ runId, step: 0, elapsedMs, concept: await this.raster.toPng(this.original.shown), customBase: null, likeness: null, drift: null });
  }

  /** Null where the base has no image encoder. */
  private async likeness(pictures: Tensor4D, between: () => Promise<void>): Promise<number | null> {
    if (!this.base.parts.vision) return null;
    const [seen, set] = [await embedPictures(this.base, pictures, between), await embedPictures(this.base, this.run.pictures, between)];
    const likeness = mean(await nearnessTo(seen, set));
    tf.dispose([seen, set]);
    return likeness;
  }

  dispose(): void {
    this.original?.pixels.dispose();
    this.original = null;
  }

  private async drawOriginal(between: () => Promise<void>): Promise<{ pixels: Tensor4D; shown: Shown }> {
    const pixels = await this.draw(this.run.words.original, baseField, between);
    const [shown] = await shownBatch(pixels);
    return { pixels, shown: shown! };
  }

  private async draw(words: FieldWords, field: (flow: FlowBase, words: FieldWords) => VelocityField, between: () => Promise<void>): Promise<Tensor4D> {
    const seeds = words.base.at.map(() => this.run.seed);
    const latent = await flowing(this.base, (flow) => sampleAll({ base: flow, field: field(flow, words), seeds, steps: STEPS, guidance: GUIDANCE, between }));
    return this.base.parts.autoencoder.use((autoencoder) => autoencoder.decode(latent, between)).finally(() => latent.dispose());
  }

  private async show(slot: PictureSlot, shown: Shown, prompt: 0 | 1, atStep: number | null, elapsedMs: number): Promise<void> {
    const { seed, recipe } = this.run;
    this.host.emit('picture', { ...previewKey(seed, recipe), slot, revision: nextRevision(), bitmap: await this.raster.toBitmap(shown), state: 'full', step: STEPS, elapsedMs, prompt: this.prompts[prompt], balance: atStep === null ? 0 : 1, atStep });
  }
}
