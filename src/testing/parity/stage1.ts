/**
 * Stage 1 of PureCC as released: a LoRA and a word's rows in both CLIP encoders learned together, by either rule of where a prompt
 * is pooled. The gradient goes from the flow's loss through the transformer into text tokens and pooled vector, and from there
 * through the text encoders into the rows.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { vjpOf } from '../../engine/vjp';
import { disposeClipText, encodeText, loadClipText, type ClipText, type Pooling } from '../../models/clip';
import { disposeMmdit, loraSites, velocityVjp } from '../../models/mmdit';
import { joinText } from '../../models/text';
import { noised } from '../../pipeline/flow';
import { disposeAdapter, flattenGradients, loraLayout, toAdapter } from '../../pipeline/lora';
import { freshMoments } from '../../pipeline/training/checkpoint';
import { adamW, globalNorm } from '../../pipeline/training/optimizer';
import { safetensorsFile } from '../files';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { flatLora, worstOf } from './purecc';
import { idsOf, pictureOf, relative, row, tensorOf, values, valuesNchw, worst, type Row } from './rows';
import { GAIN, type Weighing } from './weighing';

const OUTPUT = 2e-4;
/** Of losses. */
const SCALAR = 1e-4;
/** Of the largest value in the tensor. */
const GRADIENT = 1e-3;
/** Of parameters: fed with our own gradients, where the golden gradient tells its sign. */
const PARAMETER = 5e-6;
const TELLING = 1e-4;

const RULES: Readonly<Record<string, Pooling>> = { argmax: 'largest-id', first_eos: 'first-end' };
const ENCODERS = ['clip_l', 'clip_g'] as const;
type Encoder = (typeof ENCODERS)[number];
type Rows = Record<Encoder, tf.Tensor2D>;

interface Fixture { embedding_lr: number; embedding_weight_decay: number; variants: Record<string, { loss: number; lora_grad_norm: number }> }

/** What encoders say of ids with one word added, and the way back to its row in each. */
const taught = (encoders: Record<Encoder, ClipText>, ids: Record<Encoder, number[][]>, rows: Rows, pooling: Pooling, behind: tf.Tensor3D) =>
  vjpOf(rows, (added) => {
    const encoded = ENCODERS.map((name) => encodeText(encoders[name], ids[name], { added: added[name] as tf.Tensor2D, pooling }));
    const { context, pooled } = joinText(encoded, behind.shape[2], behind);
    return [context, pooled];
  });

/** The gradient of one encoder's fixture loss with respect to an added row. */
export async function conceptGradientRows(dir: string, name: Encoder, config: unknown, weighed: Weighing): Promise<Row[]> {
  const io = await safetensorsFile(join(dir, 'clip.io.safetensors'));
  const at = (key: string) => `${name}.concept.${key}`;
  if (!io.has(at('ids'))) return [];
  const model = await loadClipText(await safetensorsFile(join(dir, `${name}.safetensors`)), config, weighed.layer && { layer: weighed.layer });
  const ids = await idsOf(io, at('ids'));
  const [added, wantedHidden, wantedPooled] = [await tensorOf<tf.Tensor2D>(io, at('row')), await tensorOf<tf.Tensor3D>(io, at('target_hidden')), await tensorOf<tf.Tensor2D>(io, at('target_pooled'))];
  const rows: Row[] = [];
  for (const [rule, pooling] of Object.entries(RULES)) {
    const { outputs, pullback } = vjpOf({ added }, (given) => {
      const { context, pooled } = encodeText(model, ids, { added: given.added as tf.Tensor2D, pooling });
      return [context, pooled];
    });
    const dys = outputs.map((output, i) => tf.tidy(() => tf.mul(tf.sub(output, [wantedHidden, wantedPooled][i]!), 2 / output.size)));
    const gradient = pullback(dys).added!;
    rows.push(weighed.row(`${name} concept, gradient of the row (${rule})`, await values(gradient), await io.read(at(`grad_row.${rule}`)), { error: relative, tolerance: GRADIENT }, { blocks: model.layers.length, gain: GAIN.clip }));
    tf.dispose([...outputs, ...dys, gradient]);
  }
  tf.dispose([added, wantedHidden, wantedPooled]);
  disposeClipText(model);
  return rows;
}

/** Packed, without rows after a step, as in stage 2. */
export async function stage1Rows(dir: string, configs: { mmditx: FixtureConfig; clip_l: unknown; clip_g: unknown }, weighed: Weighing): Promise<Row[]> {
  const fixture = JSON.parse(await readFile(join(dir, 'concept_stage1.json'), 'utf8')) as Fixture;
  const io = await safetensorsFile(join(dir, 'concept_stage1.io.safetensors'));
  const lora = await safetensorsFile(join(dir, 'concept_stage1_lora.safetensors'));
  const mmdit = await anyMmdit(dir, 'mmditx', configs.mmditx, weighed.layer);
  const each = async <T>(make: (name: Encoder) => Promise<T>): Promise<Record<Encoder, T>> => ({ clip_l: await make('clip_l'), clip_g: await make('clip_g') });
  const encoders = await each(async (name) => loadClipText(await safetensorsFile(join(dir, `${name}.safetensors`)), configs[name], weighed.layer && { layer: weighed.layer }));
  const ids = await each((name) => idsOf(io, `${name}.ids`));
  const start = await each((name) => tensorOf<tf.Tensor2D>(io, `row_init.${name}`));
  const behind = await tensorOf<tf.Tensor3D>(io, 't5.hidden');
  const [x0, noise] = [await pictureOf(io, 'x0'), await pictureOf(io, 'noise')];
  const sigma = [...(await io.read('sigma'))];
  const { xSigma, target } = noised(x0, noise, sigma);
  const first = loraSites(mmdit)[0]!.name;
  const layout = loraLayout(loraSites(mmdit), lora.shape(`transformer.${first}.lora_A.weight`)[0]!);
  const adapter = toAdapter(layout, await flatLora(lora, 'transformer.', layout));
  const rows = [row('stage 1 noised pictures', worst(await valuesNchw(xSigma), await io.read('noisy')), OUTPUT)];

  const { depth } = configs.mmditx;
  const [output, scalar, ofGradient, back] = [{ error: worst, tolerance: OUTPUT }, { error: relative, tolerance: SCALAR }, { error: relative, tolerance: GRADIENT }, { blocks: depth, gain: GAIN.gradients }] as const;
  for (const [rule, expected] of Object.entries(fixture.variants)) {
    const name = `stage 1 ${rule}`;
    const words = (what: string, found: Float32Array, wanted: Float32Array) => weighed.row(`${name} ${what}`, found, wanted, output, { blocks: Math.max(...ENCODERS.map((one) => encoders[one].layers.length)), gain: GAIN.clip });
    const said = taught(encoders, ids, start, RULES[rule]!, behind);
    const [context, pooled] = said.outputs as [tf.Tensor3D, tf.Tensor2D];
    const run = velocityVjp(mmdit, { x: xSigma, sigma, context, pooled }, adapter, null, { recompute: true, wantRows: false, wantInputs: true });
    const difference = tf.sub<tf.Tensor4D>(run.velocity, target);
    const loss = tf.tidy(() => tf.mean(tf.square(difference)));
    const dv = tf.mul<tf.Tensor4D>(difference, 2 / difference.size);
    const { sites, inputs } = run.pullback(dv);
    const gradients = said.pullback([inputs!.context, inputs!.pooled]);
    rows.push(
      words('text tokens', await values(context), await io.read('prompt_embeds')),
      words('pooled', await values(pooled), await io.read(`${rule}.pooled`)),
      weighed.row(`${name} v`, await valuesNchw(run.velocity), await io.read(`${rule}.v`), output, { blocks: depth, gain: GAIN.drawn }),
      weighed.row(`${name} loss`, await values(loss), [expected.loss], scalar, { blocks: depth, gain: GAIN.drawn }),
      weighed.row(`${name} gradient of the text tokens`, await values(inputs!.context), await io.read(`${rule}.grad_prompt_embeds`), ofGradient, back),
      weighed.row(`${name} gradient of pooled`, await values(inputs!.pooled), await io.read(`${rule}.grad_pooled`), ofGradient, back),
    );
    const flat = flattenGradients(layout, sites);
    const own = new Float32Array(await values(flat));
    rows.push(weighed.row(`${name} LoRA gradient norm`, [globalNorm(own)], [expected.lora_grad_norm], scalar, back));
    if (io.has(`${rule}.grad.${first}.lora_A.weight`)) {
      const golden = await flatLora(io, `${rule}.grad.`, layout);
      const by = worstOf(layout, (from, to) => relative(own.subarray(from, to), golden.subarray(from, to)));
      rows.push(weighed.layer ? weighed.row(`${name} LoRA gradients`, own, golden, ofGradient, back) : row(`${name} LoRA gradients (worst ${by.name.replace('transformer_blocks.', '')})`, by.error, GRADIENT));
    }
    for (const encoder of ENCODERS) {
      const gradient = new Float32Array(await values(gradients[encoder]!));
      const golden = await io.read(`${rule}.grad_row.${encoder}`);
      rows.push(weighed.row(`${name} gradient of ${encoder}’s row`, gradient, golden, ofGradient, { blocks: depth + encoders[encoder].layers.length, gain: GAIN.gradients }));
      if (weighed.layer) continue;
      const moments = freshMoments(new Float32Array(await values(start[encoder])));
      adamW(moments, gradient, { learningRate: fixture.embedding_lr, weightDecay: fixture.embedding_weight_decay, step: 1, scale: 1 });
      const told = [...golden.keys()].filter((i) => Math.abs(golden[i]!) > TELLING * Math.max(...golden.map(Math.abs)));
      const after = await io.read(`${rule}.row_after.${encoder}`);
      rows.push(row(`${name} ${encoder}’s row after a step`, worst(told.map((i) => moments.values[i]!), told.map((i) => after[i]!)), PARAMETER));
    }
    tf.dispose([context, pooled, run.velocity, difference, loss, dv, flat, inputs!.x, inputs!.context, inputs!.pooled, ...Object.values(gradients).flatMap((tensor) => tensor ?? []), ...Object.values(sites).flatMap(({ a, b }) => [a, b])]);
  }
  tf.dispose([x0, noise, xSigma, target, behind, ...Object.values(start)]);
  disposeAdapter(adapter);
  Object.values(encoders).forEach(disposeClipText);
  disposeMmdit(mmdit);
  return rows;
}
