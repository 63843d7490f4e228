/**
 * One stage-2 batch of the released code, through the pipeline's own step: extractor without LoRA, η 2, trainable original,
 * no floor, no clamp (fixtures/sd3/README.md). Losses, λ, every gradient by name, parameters after two AdamW steps.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { joinFlat } from '../../engine/kernels/flatCopy';
import * as tf from '../../engine/tf';
import type { Tensor2D, Tensor3D, Tensor4D } from '../../engine/tf';
import { methods } from '../../methods';
import { loadMmdit, loraSites } from '../../models/mmdit';
import { useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { tinyRecipe } from '../../testing/tiny';
import type { EncodedPrompts, FlowBase } from '../base';
import { freshMoments } from './checkpoint';
import type { Dataset } from './dataset';
import { figureTensors, nameFigures } from './figures';
import { flattenGradients, loraLayout, toAdapter, type LoraLayout } from '../lora';
import { adamW, clipFactor, globalNorm } from './optimizer';
import { stepGradients } from './trainingStep';

type File = Awaited<ReturnType<typeof safetensorsFile>>;
interface Expected { lambda_mode: string; max_grad_norm: number; lora_file: string; steps: { diff_loss: number; pri_loss: number; loss: number; lambda_per_sample: number[]; grad_norm_before_clipping: number }[] }

const folder = 'fixtures/sd3/';
const { variants } = JSON.parse(readFileSync(`${folder}purecc_stage2.json`, 'utf8')) as { variants: Record<string, Expected> };
let io: File;
let base: FlowBase;
let layout: LoraLayout;

const read = async (key: string) => tf.tensor(await io.read(key), [...io.shape(key)]);
const picture = async (key: string) => tf.transpose(await read(key), [0, 2, 3, 1]) as Tensor4D;
const words = async (role: string): Promise<EncodedPrompts> => ({ context: (await read(`embeds.${role}`)) as Tensor3D, pooled: (await read(`pooled.${role}`)) as Tensor2D, at: [-1, -1] });

/** A LoRA file's numbers in the layout's order: PEFT stores A as [r,in] and B as [out,r], the layout their transposes. */
async function flat(source: File, key: (module: string, part: 'A' | 'B') => string): Promise<Float32Array> {
  const values = new Float32Array(layout.size);
  for (const site of layout.sites) {
    for (const part of ['A', 'B'] as const) {
      const name = key(site.name, part);
      const [rows = 0, columns = 0] = source.shape(name);
      const from = part === 'A' ? site.a.from : site.b.from;
      (await source.read(name)).forEach((value, i) => (values[from + (i % columns) * rows + Math.floor(i / columns)] = value));
    }
  }
  return values;
}

beforeAll(async () => {
  await useBackend('wasm');
  io = await safetensorsFile(`${folder}purecc_stage2.io.safetensors`);
  base = { mmdit: await loadMmdit(await safetensorsFile(`${folder}mmditx.diffusers.safetensors`)), shift: 3, latentShape: () => [8, 12, 16] };
  layout = loraLayout(loraSites(base.mmdit), 4);
});

describe.each(Object.entries(variants))('released code, λ %s', (variant, expected) => {
  it('P7: gives its losses, λ, gradients and parameters when the extractor has no LoRA', async () => {
    const recipe = tinyRecipe({ eta: 2, anchor: 0, guidanceReference: 'null', originalSource: 'trainable', lambdaClamp: 'off', studentRows: 'off', fixedLambda: 1, lambdaMode: expected.lambda_mode === 'adaptive' ? 'adaptive' : 'fixed', learningRate: 1e-4, weightDecay: 1e-4, gradientClip: expected.max_grad_norm });
    const dataset: Dataset = { latents: await picture('x0'), pictures: 2, unshifted: 2, words: { complete: await words('concept'), base: await words('base'), target: await words('target'), class: await words('base'), null: await words('null') } };
    const batch = { pictures: [0, 1], sigma: Array.from(await io.read('sigma')), xSigma: await picture('noisy'), target: await picture('target'), chances: [0.5, 0.5] as const, priors: [] };
    const stage = methods.purecc.stages.student;
    const depth = base.mmdit.config.depth;
    const rows = { rows: tf.zeros<tf.Rank.R2>([depth, base.mmdit.config.hidden]), pooledDelta: null };
    const group = freshMoments(await flat(await safetensorsFile(folder + expected.lora_file), (module, part) => `transformer.${module}.lora_${part}.weight`));
    for (const [i, want] of expected.steps.entries()) {
      const weights = { adapters: { extractor: {}, student: toAdapter(layout, group.values) }, rows: { rows } };
      const { parts, gradients } = await stepGradients({ base, dataset, stage, recipe, batch, weights, between: async () => {} });
      const { losses, figures } = figureTensors(parts);
      const named = nameFigures(parts, joinFlat([...losses, ...figures]).dataSync<'float32'>());
      // float32 over 23 attention layers: relative 2e-4 on losses and λ.
      expect(named.losses.flow! / want.diff_loss).toBeCloseTo(1, 4);
      expect(named.losses.pure! / want.pri_loss).toBeCloseTo(1, 3);
      expect(named.losses.total! / want.loss).toBeCloseTo(1, 4);
      named.perSample.lambdaStar!.forEach((lambda, n) => expect(lambda).toBeCloseTo(want.lambda_per_sample[n]!, 3));
      const found = flattenGradients(layout, gradients.sites).dataSync<'float32'>();
      if (i === 0 && variant !== 'clipped') {
        const wanted = await flat(io, (module, part) => `${variant}.grad.${module}.lora_${part}.weight`);
        const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        found.forEach((value, n) => expect(Math.abs(value - wanted[n]!)).toBeLessThan(1e-4 * largest + 1e-7));
      }
      const norm = globalNorm(found);
      expect(norm / want.grad_norm_before_clipping).toBeCloseTo(1, 3);
      adamW(group, found, { learningRate: recipe.learningRate, weightDecay: recipe.weightDecay, step: i + 1, scale: clipFactor(norm, recipe.gradientClip) });
      if (!io.has(`${variant}.after_step${i + 1}.${layout.sites[0]!.name}.lora_A.weight`)) continue;
      const after = await flat(io, (module, part) => `${variant}.after_step${i + 1}.${module}.lora_${part}.weight`);
      // A step moves each number by at most the rate, 1e-4; its sign hangs on gradients near zero, so a few may differ by that much.
      const off = Array.from(group.values).filter((value, n) => Math.abs(value - after[n]!) > 2e-6).length;
      expect(off / group.values.length).toBeLessThan(0.002);
    }
  });
});
