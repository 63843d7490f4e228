/**
 * A LoRA that is learned here, on the fixtures' transformer, and drawn elsewhere: by recipe/lora_golden.py, which reads the exported
 * file by the rules of other tools and samples with an implementation of its own. What it draws is compared with what the app does.
 */
import { existsSync, openAsBlob } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { readLora } from '../../formats/loraFile';
import { openSafetensors } from '../../formats/safetensors';
import { writeLora } from '../../formats/loraWriter';
import type { StoredTensors } from '../../formats/storedTensors';
import { methods } from '../../methods';
import { disposeMmdit, type Mmdit } from '../../models/mmdit';
import type { WeightSource } from '../../models/weightSource';
import type { EncodedPrompts, FlowBase } from '../../pipeline/base';
import { disposeConcept, restoreConcept, storeConcept, type LearnedConcept } from '../../pipeline/concept';
import { conceptField, elsewhereField, type FieldWords, type VelocityField } from '../../pipeline/sampling/velocityFields';
import { createTrainer } from '../../pipeline/training/train';
import { defaultRecipe, parseRecipe, type RecipeOf } from '../../protocol/recipe';
import { safetensorsFile } from '../files';
import { loraModel } from './lora';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { pictureOf, relativeRms, row, tensorOf, type Row } from './rows';

/** The exported file, and the latents that the reference draws with it. */
const FILE = 'trained_lora', GOLDEN = 'trained_lora.io';

/** Of the root mean square. Twelve steps of AdamW, which turns the rounding of gradients near zero into whole steps: backends are 1e-6 apart. */
const LEARNED = 1e-4;
/** Both stages, attention and MLPs, rates that move a picture visibly in so few steps. */
const recipe: RecipeOf<'purecc'> = {
  ...defaultRecipe('lamina'), classWord: 'dog', stage1Steps: 6, stage2Steps: 6, rank: 4, sites: 'attention+mlp', learningRate: 5e-3, studentLearningRate: 5e-3, priorShare: 0, seed: 11,
};
/** Where the captions' [V] is taken to be. */
const MARK = 3;

/** Learns from the latents and captions of the fixtures' stage 2. */
export async function trainedTensors(dir: string, config: FixtureConfig): Promise<StoredTensors> {
  const io = await safetensorsFile(join(dir, 'purecc_stage2.io.safetensors'));
  const mmdit = await anyMmdit(dir, 'mmditx', config);
  const latents = await pictureOf(io, 'x0');
  const [pictures, ...shape] = latents.shape;
  const words = async (role: string, at: number): Promise<EncodedPrompts> => ({ context: await tensorOf<tf.Tensor3D>(io, `embeds.${role}`), pooled: await tensorOf<tf.Tensor2D>(io, `pooled.${role}`), at: Array<number>(pictures).fill(at) });
  const base = await words('base', -1);
  const dataset = { latents, pictures, unshifted: pictures, words: { complete: await words('concept', MARK), base, target: await words('target', MARK), class: base, null: await words('null', -1) } };
  const trainer = await createTrainer({ base: { mmdit, shift: 3, latentShape: () => shape }, method: methods.purecc, recipe, dataset });
  for await (const { step, totalSteps } of trainer.steps()) if (step === totalSteps) break;
  const concept = trainer.concept();
  const tensors = await storeConcept(concept);
  disposeConcept(concept);
  trainer.dispose();
  tf.dispose([latents, ...Object.values(dataset.words).flatMap(({ context, pooled }) => [context, pooled])]);
  disposeMmdit(mmdit);
  return tensors;
}

/** The file as the app exports it; the same on every day. */
export const exportedLora = (tensors: StoredTensors, keys: 'diffusers' | 'kohya'): Promise<Uint8Array<ArrayBuffer>> => writeLora({
  tensors, name: 'Trained on the fixtures', trigger: 'zq dog', recipe, usesRows: true, base: { id: 'sd3.5-medium', sha256: '' }, lambda: 1, likeness: null, captions: [],
  options: { includeCaptions: false, includeRows: true, keys }, author: '', thumbnail: null, date: '2026-11-29',
});

export interface TrainedLora {
  /** The latents that the reference draws: `<mode>.elsewhere`, `<mode>.here`. */
  golden: WeightSource;
  fields: Record<'elsewhere' | 'here', (base: FlowBase, positive: EncodedPrompts, negative: EncodedPrompts) => VelocityField>;
  dispose(): void;
}

/** The file as the app imports it, from a layout; null where the folder has none. Throws where a layer of it is not taken. */
export async function openTrainedLora(dir: string, mmdit: Mmdit, file: Blob | null = null): Promise<TrainedLora | null> {
  const path = (name: string) => join(dir, `${name}.safetensors`);
  if (!existsSync(path(GOLDEN))) return null;
  const { tensors, unmatched, about } = await readLora(file ?? (await openAsBlob(path(FILE))), loraModel(mmdit), FILE);
  if (unmatched.length > 0) throw new Error(`layers of ${FILE} are left out: ${unmatched.map(({ name }) => name).join(', ')}`);
  const concept: LearnedConcept = restoreConcept(tensors, parseRecipe(about!.recipe), about!.lambda);
  const words = (prompt: EncodedPrompts, negative: EncodedPrompts): FieldWords => ({ complete: prompt, base: prompt, target: prompt, class: prompt, null: negative, negative });
  return {
    golden: await safetensorsFile(path(GOLDEN)),
    fields: {
      elsewhere: (base, positive, negative) => elsewhereField(base, words(positive, negative), concept),
      here: (base, positive, negative) => conceptField(base, words(positive, negative), concept),
    },
    dispose: () => disposeConcept(concept),
  };
}

/** Writes the file in both layouts, beside the fixtures it was learned on. */
export async function writeTrainedLora(dir: string, config: FixtureConfig): Promise<void> {
  const tensors = await trainedTensors(dir, config);
  await writeFile(join(dir, `${FILE}.safetensors`), await exportedLora(tensors, 'diffusers'));
  await writeFile(join(dir, `${FILE}_kohya.safetensors`), await exportedLora(tensors, 'kohya'));
}

/** The file against what is learned anew. */
export async function trainedLoraRows(dir: string, config: FixtureConfig): Promise<Row[]> {
  const then = await safetensorsFile(join(dir, `${FILE}.safetensors`));
  const now = openSafetensors(await exportedLora(await trainedTensors(dir, config), 'diffusers'));
  const keys = [...then.keys()].sort();
  const numbers = async (file: WeightSource) => (await Promise.all(keys.map((key) => file.read(key)))).flatMap((each) => [...each]);
  const same = [...now.keys()].sort().join() === keys.join();
  return [row('LoRA trained here, learned anew', same ? relativeRms(await numbers(now), await numbers(then)) : Infinity, LEARNED)];
}
