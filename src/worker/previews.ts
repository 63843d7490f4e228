/**
 * Pictures over training, at a fixed seed: the customized model on the Complete and on the Base prompt, beside the
 * untouched base's twin, and what they say so far about likeness and drift.
 */
import * as tf from '../engine/tf';
import type { Tensor2D, Tensor4D } from '../engine/tf';
import { decode } from '../models/vae';
import type { Base } from '../pipeline/base';
import { disposeConcept } from '../pipeline/concept';
import { baseField, conceptField, disposeFieldWords, encodeFieldWords, type FieldWords, type VelocityField } from '../pipeline/fields';
import { drifts, embedPictures, mean, nearnessTo } from '../pipeline/metrics';
import { promptRoles } from '../pipeline/prompts';
import { sampleAll } from '../pipeline/sample';
import type { Trainer } from '../pipeline/train';
import type { Recipe } from '../protocol/recipe';
import type { RunRecord } from '../storage/db';
import type { Context } from './context';
import { shownBatch, toBitmap, type Shown } from './present';

/** Enough to judge by, a third of a full picture's cost. */
const STEPS = 10;
const GUIDANCE = 3;

export class Previews {
  private words: FieldWords | null = null;
  private baseTwin: Tensor4D | null = null;
  private set: Tensor2D | null = null;
  private revision = 0;
  /** The newest picture of the concept, for the Shelf's card. */
  newest: Shown | null = null;

  constructor(private readonly context: Context, private readonly base: Base, private readonly record: RunRecord, private readonly recipe: Recipe, private readonly pictures: Float32Array[]) {}

  /** Complete and Base prompt in one batch. */
  private prompts(): string[] {
    const { complete, base } = promptRoles(this.record.prompt, this.recipe);
    return [complete, base];
  }

  private async draw(field: VelocityField, seeds: number[], between: () => Promise<void>): Promise<Tensor4D> {
    const latent = await sampleAll({ base: this.base, field, seeds, steps: STEPS, guidance: GUIDANCE, between });
    const pixels = decode(this.base.vae, latent);
    latent.dispose();
    return pixels;
  }

  show(trainer: Trainer, step: number): Promise<void> {
    return this.context.turns.run('training', async (between) => {
      const { base, record, context, recipe } = this;
      const started = performance.now();
      const { seed, prompt, runId } = record;
      this.words ??= encodeFieldWords(base, this.prompts(), '', recipe);
      if (!this.baseTwin) {
        const alone = encodeFieldWords(base, this.prompts().slice(1), '', recipe);
        this.baseTwin = await this.draw(baseField(base, alone), [seed], between);
        disposeFieldWords(alone);
        const [shown] = await shownBatch(this.baseTwin);
        context.emit('picture', { slot: { kind: 'base' }, revision: ++this.revision, bitmap: await toBitmap(shown!), state: 'full', step: STEPS, steps: STEPS, elapsedMs: performance.now() - started, prompt, seed, balance: 0 });
      }
      this.set ??= tf.tidy(() => embedPictures(base, tf.tensor4d(concatenated(this.pictures), [this.pictures.length, base.imageSize, base.imageSize, 3])));
      const concept = trainer.concept();
      const pixels = await this.draw(conceptField(base, this.words, concept), [seed, seed], between);
      disposeConcept(concept);
      const shown = await shownBatch(pixels);
      this.newest = shown[0]!;
      for (const [i, side] of (['concept', 'customBase'] as const).entries()) {
        context.emit('picture', {
          slot: { kind: 'strip', runId, step, side }, revision: ++this.revision, bitmap: await toBitmap(shown[i]!), state: 'full', step: STEPS, steps: STEPS,
          elapsedMs: performance.now() - started, prompt, seed, balance: 1,
        });
      }
      const [custom, onBase] = tf.split<Tensor4D>(pixels, 2, 0);
      const seen = embedPictures(base, custom!);
      const likeness = mean(await nearnessTo(seen, this.set));
      const [drift] = await drifts(onBase!, this.baseTwin);
      tf.dispose([pixels, custom!, onBase!, seen]);
      context.emit('changed', { runId, step, likeness, drift: drift! });
    });
  }

  dispose(): void {
    if (this.words) disposeFieldWords(this.words);
    this.baseTwin?.dispose();
    this.set?.dispose();
  }
}

export function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
