/**
 * npm run elsewhere -- FILE.safetensors…
 *
 * How much of the rest exported LoRAs change where other tools draw with them: no concept rows, and guidance's empty prompt through the LoRA
 * like everything else. Prompts, seeds and settings are those of Measure; drift is the mean absolute pixel difference (pixels −1…1) to the
 * untouched base's twins, on the Base prompts and on unrelated ones. Beside it the same with rows and the base's own null, as Lamina draws. wasm in Node.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Tensor4D } from '../engine/tf';
import { readLora } from '../formats/loraFile';
import { loraSites } from '../models/mmdit';
import { disposeConcept, restoreConcept, spokenOf, type LearnedConcept } from '../pipeline/concept';
import { disposeBase, flowing, loadBase, type Base, type FlowBase } from '../pipeline/base';
import { firstSeed, measurePrompts, unrelatedPrompts } from '../pipeline/measuring/measure';
import { drifts, mean } from '../pipeline/measuring/nearness';
import { baseField, conceptField, disposeFieldWords, elsewhereField, encodeFieldWords, type FieldWords, type VelocityField } from '../pipeline/sampling/velocityFields';
import { sampleAll } from '../pipeline/sampling/sample';
import { GUIDANCE, MEASURE_STEPS } from '../protocol/limits';
import { parseRecipe } from '../protocol/recipe';
import { folderFiles } from './files';
import { useBackend } from './nodeBackend';

async function learned(base: Base, path: string): Promise<LearnedConcept> {
  const model = await base.parts.transformer.use((mmdit) => ({ ...mmdit.config, sites: loraSites(mmdit, 'all') }));
  const { tensors, about } = await readLora(new Blob([new Uint8Array(await readFile(path))]), model, basename(path));
  if (!about?.recipe) throw new Error(`${path} was not exported by Lamina: it does not say how its prompts are to be read.`);
  return restoreConcept(tensors, parseRecipe(about.recipe), about.lambda ?? 1);
}

type Field = (flow: FlowBase, words: FieldWords, concept: LearnedConcept) => VelocityField;

async function drawn(base: Base, field: (flow: FlowBase) => VelocityField, count: number): Promise<Tensor4D> {
  const seeds = Array.from({ length: count }, (_, n) => firstSeed + n);
  const latents = await flowing(base, (flow) => sampleAll({ base: flow, field: field(flow), seeds, steps: MEASURE_STEPS, guidance: GUIDANCE }));
  return base.parts.autoencoder.use((autoencoder) => autoencoder.decode(latents)).finally(() => latents.dispose());
}

export async function evaluateElsewhere(paths: string[]): Promise<void> {
  if (paths.length === 0) throw new Error('Say which files: npm run elsewhere -- FILE.safetensors…');
  await useBackend('wasm');
  const base = await loadBase('embedded', folderFiles('public/base'));
  console.log('| file | here: drift Base | unrelated | elsewhere: drift Base | unrelated |\n|---|---|---|---|---|');
  for (const path of paths) {
    const concept = await learned(base, path);
    const figures: Record<'here' | 'elsewhere', number[]> = { here: [], elsewhere: [] };
    const fields: Record<'here' | 'elsewhere', Field> = { here: conceptField, elsewhere: elsewhereField };
    for (const prompts of [measurePrompts(concept.recipe), unrelatedPrompts]) {
      const words = await encodeFieldWords(base, prompts, '', spokenOf(concept));
      const plain = { ...words, complete: words.base };
      const twins = await drawn(base, (flow) => baseField(flow, plain), prompts.length);
      for (const [where, field] of Object.entries(fields) as ['here' | 'elsewhere', Field][]) {
        const pictures = await drawn(base, (flow) => field(flow, plain, concept), prompts.length);
        figures[where].push(mean(await drifts(pictures, twins)));
        pictures.dispose();
      }
      twins.dispose();
      disposeFieldWords(words);
    }
    disposeConcept(concept);
    console.log(`| ${basename(path)} | ${[...figures.here, ...figures.elsewhere].map((value) => value.toFixed(3)).join(' | ')} |`);
  }
  disposeBase(base);
}

await evaluateElsewhere(process.argv.slice(2));
