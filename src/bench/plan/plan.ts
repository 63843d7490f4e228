/**
 * What a run needs of a GPU's memory: real trainer, real kernels, real pool, for one step of stage 1 and two of stage 2, on
 * whatever device is current. The text encoders are not in it: they run before and after. Nor is the autoencoder, unless `beside` runs it.
 */
import { packedGpuBytes } from '../../engine/packed/packedMatrix';
import * as tf from '../../engine/tf';
import { purecc } from '../../methods/purecc';
import { disposeMmdit } from '../../models/mmdit';
import type { FlowBase } from '../../pipeline/base';
import { disposeConcept, type LearnedConcept } from '../../pipeline/concept';
import type { Dataset } from '../../pipeline/training/dataset';
import { createTrainer } from '../../pipeline/training/train';
import type { RecipeOf } from '../../protocol/recipe';
import { shapedBase, shapedDataset, type Job } from './shapes';

export interface Needs {
  /** Packed weights, blocks and ends. */
  weightBytes: number;
  /** Tensors that live between steps: data set, adapters, rows, optimizer state, norms, biases, positions. */
  keptBytes: number;
  /** Most bytes in use, looked at between blocks: weights, tensors, uniforms. */
  usedBytes: number;
  /** Most that the allocator held, looked at between blocks: used buffers and those of its pool, packed weights included. */
  allocatedBytes: number;
}

const gpu = () => tf.memory() as unknown as { numBytesInGPU: number; numBytesAllocatedInGPU: number };

/** `beside`: work between the steps, while all of the run is in place. */
export async function needs(job: Job, recipe: RecipeOf<'purecc'>, beside?: (base: FlowBase, dataset: Dataset, concept: LearnedConcept) => Promise<void>): Promise<Needs> {
  const before = { allocated: gpu().numBytesAllocatedInGPU, packed: packedGpuBytes() };
  const base = await shapedBase(job);
  const dataset = shapedDataset(base, job);
  const weightBytes = packedGpuBytes() - before.packed;
  let [usedBytes, allocatedBytes] = [0, 0];
  const look = async () => {
    usedBytes = Math.max(usedBytes, gpu().numBytesInGPU + weightBytes);
    allocatedBytes = Math.max(allocatedBytes, gpu().numBytesAllocatedInGPU - before.allocated + weightBytes);
  };
  const trainer = await createTrainer({ base, method: purecc, recipe: { ...recipe, stage1Steps: 1, stage2Steps: 2 }, dataset, between: look });
  let keptBytes = 0;
  for await (const { step } of trainer.steps()) keptBytes = step > 0 ? gpu().numBytesInGPU : keptBytes;
  if (beside) {
    const concept = trainer.concept();
    await beside(base, dataset, concept);
    disposeConcept(concept);
  }
  trainer.dispose();
  disposeMmdit(base.mmdit);
  tf.dispose([dataset.latents, ...Object.values(dataset.words).flatMap(({ context, pooled }) => [context, pooled])]);
  return { weightBytes, keptBytes, usedBytes, allocatedBytes };
}
