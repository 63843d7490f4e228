/**
 * Stage 2 of PureCC on one batch, through the trainer's own step, loss and optimizer: losses, λ, every LoRA gradient by
 * name, parameters after two AdamW steps. The fixtures follow the released code: the extractor is the plain base, the
 * original is the trained model itself and not detached, λ is neither floored nor clamped, η is the file's.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { joinFlat } from '../../engine/kernels/flatCopy';
import * as tf from '../../engine/tf';
import { purecc } from '../../methods/purecc';
import { disposeMmdit, loraSites } from '../../models/mmdit';
import type { WeightSource } from '../../models/weightSource';
import { freshMoments } from '../../pipeline/training/checkpoint';
import { disposeFigures, figureTensors, nameFigures } from '../../pipeline/training/figures';
import { disposeAdapter, flattenGradients, loraLayout, toAdapter, type LoraLayout } from '../../pipeline/lora';
import { adamW, clipFactor, globalNorm } from '../../pipeline/training/optimizer';
import { stepGradients } from '../../pipeline/training/trainingStep';
import { defaultRecipe, type Recipe } from '../../protocol/recipe';
import { safetensorsFile } from '../files';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { largest, pictureOf, relative, row, tensorOf, worst, type Row } from './rows';
import { GAIN, type Weighing } from './weighing';

interface Step { loss: number; diff_loss: number; pri_loss: number; lambda_per_sample: number[]; grad_norm_before_clipping: number; clip_factor: number }
interface Fixture { rank: number; eta: number; optimizer: { lr: number; weight_decay: number }; variants: Record<string, { lambda_mode: 'fixed' | 'adaptive'; max_grad_norm: number; lora_file: string; steps: Step[] }> }

/** Of losses and λ. */
const SCALAR = 1e-4;
/** Of the largest value in the tensor. */
const GRADIENT = 1e-3;
/** Of parameters, where the golden gradient tells its sign: AdamW's first steps turn rounding noise into ±lr elsewhere. */
const PARAMETER = 5e-6;
const TELLING = 1e-4;

/** Golden tensors `<prefix><site>.lora_A|B.weight` in the layout's order: a [in,r] is lora_A [r,in] transposed, b likewise. */
export async function flatLora(file: WeightSource, prefix: string, layout: LoraLayout): Promise<Float32Array> {
  const all = new Float32Array(layout.size);
  for (const { name, inFeatures, outFeatures, a, b } of layout.sites) {
    const put = (data: Float32Array, at: number, rows: number, columns: number) => {
      for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) all[at + c * rows + r] = data[r * columns + c]!;
    };
    put(await file.read(`${prefix}${name}.lora_A.weight`), a.from, layout.rank, inFeatures);
    put(await file.read(`${prefix}${name}.lora_B.weight`), b.from, outFeatures, layout.rank);
  }
  return all;
}

const parts = (layout: LoraLayout) => layout.sites.flatMap(({ name, a, b }) => [{ name: `${name}.A`, ...a }, { name: `${name}.B`, ...b }]);

/** The worst of a comparison made tensor by tensor, with its tensor's name. */
export function worstOf(layout: LoraLayout, compare: (from: number, to: number) => number): { error: number; name: string } {
  const all = parts(layout).map(({ name, from, to }) => ({ name, error: compare(from, to) }));
  return all.reduce((most, next) => (next.error > most.error || Number.isNaN(next.error) ? next : most));
}

/** Rows of every variant in purecc_stage2.json. Packed, without parameters after a step: AdamW’s first steps are signs of gradients, which other weights turn where they are small. */
export async function pureccRows(dir: string, config: FixtureConfig, weighed: Weighing): Promise<Row[]> {
  const fixture = JSON.parse(await readFile(join(dir, 'purecc_stage2.json'), 'utf8')) as Fixture;
  const io = await safetensorsFile(join(dir, 'purecc_stage2.io.safetensors'));
  const mmdit = await anyMmdit(dir, 'mmditx', config, weighed.layer);
  const layout = loraLayout(loraSites(mmdit), fixture.rank);
  const [xSigma, target] = [await pictureOf(io, 'noisy'), await pictureOf(io, 'target')];
  const sigma = [...(await io.read('sigma'))];
  const words = async (role: string) => ({ context: await tensorOf<tf.Tensor3D>(io, `embeds.${role}`), pooled: await tensorOf<tf.Tensor2D>(io, `pooled.${role}`), at: sigma.map(() => -1) });
  const base = await words('base');
  const dataset = { latents: xSigma, pictures: sigma.length, unshifted: sigma.length, words: { complete: await words('concept'), base, target: await words('target'), class: base, null: await words('null') } };
  const [, height, width, channels] = xSigma.shape;
  const stage = purecc.stages.student;
  const rows: Row[] = [];
  const passed = (gain: number) => ({ blocks: config.depth, gain });

  for (const [variant, { lambda_mode, max_grad_norm, lora_file, steps }] of Object.entries(fixture.variants)) {
    const recipe: Recipe = {
      ...defaultRecipe('paper'), eta: fixture.eta, lambdaMode: lambda_mode, fixedLambda: 1, lambdaClamp: 'off', originalSource: 'trainable', batchSize: sigma.length, rank: fixture.rank,
      learningRate: fixture.optimizer.lr, weightDecay: fixture.optimizer.weight_decay, gradientClip: max_grad_norm,
    };
    const moments = freshMoments(await flatLora(await safetensorsFile(join(dir, lora_file)), 'transformer.', layout));
    // a variant that differs only in clipping has the gradients of its twin, which are taken before it
    const source = Object.entries(fixture.variants).find(([name, other]) => io.has(`${name}.grad.${layout.sites[0]!.name}.lora_A.weight`) && other.lambda_mode === lambda_mode && other.lora_file === lora_file)![0];
    const golden = await flatLora(io, `${source}.grad.`, layout);
    for (const [index, expected] of steps.entries()) {
      const name = `purecc ${variant} step ${index + 1}`;
      const student = toAdapter(layout, moments.values);
      const conceptRows = { rows: tf.zeros<tf.Rank.R2>([mmdit.config.depth, mmdit.config.hidden]), pooledDelta: null };
      const { parts, gradients, velocities } = await stepGradients({
        base: { mmdit, shift: 1, latentShape: () => [height, width, channels] }, dataset, stage, recipe, between: async () => {},
        batch: { pictures: sigma.map((_, i) => i), sigma, xSigma, target, chances: [0.5, 0.5] as const, priors: [] }, weights: { adapters: { extractor: {}, student }, rows: { rows: conceptRows } },
      });
      const tensors = figureTensors(parts);
      const figures = joinFlat([...tensors.losses, ...tensors.figures]);
      const { losses, perSample } = nameFigures(parts, new Float32Array(await figures.data<'float32'>()));
      disposeFigures(parts);
      const flatGradient = flattenGradients(layout, gradients.sites);
      const own = new Float32Array(await flatGradient.data<'float32'>());
      tf.dispose([figures, flatGradient, conceptRows.rows, ...Object.values(velocities), ...Object.values(gradients.sites).flatMap(({ a, b }) => [a, b])]);
      disposeAdapter(student);
      const scalar = { error: relative, tolerance: SCALAR };
      rows.push(weighed.row(`${name} losses`, [losses.flow!, losses.pure!, losses.total!], [expected.diff_loss, expected.pri_loss, expected.loss], scalar, passed(GAIN.transformer)));
      rows.push(weighed.row(`${name} λ`, perSample.lambdaStar!, expected.lambda_per_sample, scalar, passed(GAIN.gradients)));
      if (index === 0 && weighed.layer) rows.push(weighed.row(`${name} gradients`, own, golden, { error: relative, tolerance: GRADIENT }, passed(GAIN.gradients)));
      else if (index === 0) {
        const by = worstOf(layout, (from, to) => relative(own.subarray(from, to), golden.subarray(from, to)));
        rows.push(row(`${name} gradients (worst ${by.name.replace('transformer_blocks.', '')})`, by.error, GRADIENT));
      }
      const norm = globalNorm(own);
      rows.push(weighed.row(`${name} gradient norm`, [norm], [expected.grad_norm_before_clipping], scalar, passed(GAIN.gradients)));
      adamW(moments, own, { learningRate: recipe.learningRate, weightDecay: recipe.weightDecay, step: index + 1, scale: clipFactor(norm, recipe.gradientClip) });
      if (weighed.layer || !io.has(`${variant}.after_step${index + 1}.${layout.sites[0]!.name}.lora_A.weight`)) continue;
      const wanted = await flatLora(io, `${variant}.after_step${index + 1}.`, layout);
      const after = worstOf(layout, (from, to) => {
        const limit = TELLING * largest(golden.subarray(from, to));
        const told = Array.from({ length: to - from }, (_, i) => from + i).filter((i) => Math.abs(golden[i]!) > limit);
        return worst(told.map((i) => moments.values[i]!), told.map((i) => wanted[i]!));
      });
      rows.push(row(`${name} parameters`, after.error, PARAMETER));
    }
  }
  disposeMmdit(mmdit);
  return rows;
}
