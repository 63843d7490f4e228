/** What every task with a model needs of an adapter at each picture size: the figures behind the Models page's “What fits”. */
import { packedGpuBytes } from '../../engine/packed/packedMatrix';
import { openDevice } from '../../engine/webgpu/device';
import { blockLayers, disposeMmdit } from '../../models/mmdit';
import { klPixels } from '../../models/vae/kl';
import { disposeKlWeights, loadKlWeights } from '../../models/vae/klWeights';
import type { EncodedPrompts, FlowBase } from '../../pipeline/base';
import type { LearnedConcept } from '../../pipeline/concept';
import { conceptField, disposeFieldWords, guidedField, untouched } from '../../pipeline/sampling/velocityFields';
import type { Dataset } from '../../pipeline/training/dataset';
import { sampleAll } from '../../pipeline/sampling/sample';
import * as tf from '../../engine/tf';
import type { MemoryPlan, PlannedTask } from '../../protocol/fit';
import { KEPT_PRECISIONS, PICTURE_SIDES } from '../../protocol/models';
import { defaultRecipe } from '../../protocol/recipe';
import { countingAdapter } from './countingDevice';
import { needs } from './plan';
import { sd3AutoencoderShapes, shapedBase, shapedDataset, zeroSource, type Job, type Shapes } from './shapes';

const TASKS: readonly PlannedTask[] = [{ task: 'draw', rank: 0 }, { task: 'learn', rank: 4 }, { task: 'learn', rank: 32 }];

/** Two guided steps of one picture. */
async function draw(job: Job): Promise<void> {
  const base = await shapedBase(job);
  const { words, latents } = shapedDataset(base, { ...job, pictures: 1 });
  const field = guidedField(base, untouched(words.null!), [{ positive: untouched(words.complete!), negative: untouched(words.null!), weight: 1 }]);
  (await sampleAll({ base, field, seeds: [1], steps: 2, guidance: 4 })).dispose();
  tf.dispose([latents, ...Object.values(words).flatMap(({ context, pooled }) => [context, pooled])]);
  disposeMmdit(base.mmdit);
}

/** A run's previews: two pictures of the concept at once, decoded one after the other, while the run keeps its transformer. One step shows what all need. */
async function preview(base: FlowBase, { words }: Dataset, concept: LearnedConcept): Promise<void> {
  const two = (role: keyof Dataset['words']): EncodedPrompts => ({ context: tf.tidy(() => tf.slice(words[role]!.context, 0, 2)), pooled: tf.tidy(() => tf.slice(words[role]!.pooled, 0, 2)), at: words[role]!.at.slice(0, 2) });
  const read = { complete: two('complete'), base: two('base'), target: two('target'), class: two('class'), null: two('null'), negative: two('null') };
  const latent = await sampleAll({ base, field: conceptField(base, read, concept), seeds: [1, 1], steps: 1, guidance: 3 });
  const autoencoder = await loadKlWeights(zeroSource(sd3AutoencoderShapes()), null);
  (await klPixels(autoencoder, latent)).dispose();
  disposeKlWeights(autoencoder);
  latent.dispose();
  disposeFieldWords(read);
}

export async function planTable(model: string, shapes: Shapes, { pixelsPerLatent, textTokens }: { pixelsPerLatent: number; textTokens: number }): Promise<MemoryPlan> {
  const counting = countingAdapter();
  await openDevice({ adapter: counting.adapter, name: 'counting', software: false });
  const job = (size: number, precision: (typeof KEPT_PRECISIONS)[number]): Job => ({ shapes, packing: precision === 'int4' ? { precision, group: 64 } : { precision }, latentSide: size / pixelsPerLatent, textTokens, pictures: 5 });
  const weights = {} as MemoryPlan['weights'];
  for (const precision of KEPT_PRECISIONS) {
    const { mmdit } = await shapedBase(job(PICTURE_SIDES[0], precision));
    const blockBytes = mmdit.blocks.map((block) => blockLayers(block).reduce((total, { sizeBytes }) => total + sizeBytes, 0));
    weights[precision] = { blockBytes, endsBytes: packedGpuBytes() - blockBytes.reduce((total, bytes) => total + bytes, 0) };
    disposeMmdit(mmdit);
  }
  const rows: MemoryPlan['rows'] = [];
  for (const { task, rank } of TASKS) {
    for (const size of PICTURE_SIDES) {
      counting.restart();
      if (task === 'draw') await draw(job(size, 'int8'));
      else await needs(job(size, 'int8'), { ...defaultRecipe('lamina', model), classWord: 'dog', rank, batchSize: 1 }, preview);
      const { blockBytes, endsBytes } = weights.int8;
      const workBytes = counting.peak() - endsBytes - blockBytes.reduce((total, bytes) => total + bytes, 0);
      // a higher rank never needs less; where it seems to, the pool was emptied at other moments
      const lower = rows.filter((row) => row.task === task && row.size === size).map((row) => row.workBytes);
      rows.push({ task, rank, size, workBytes: Math.max(workBytes, ...lower) });
    }
  }
  return { model, weights, rows };
}
