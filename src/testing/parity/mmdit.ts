/**
 * The transformer against its fixtures: velocity, loss and the gradients of its inputs, in both file layouts and with an
 * original file renamed in memory by the key map, which must change nothing at all.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { disposeMmdit, loadMmdit, velocity, velocityVjp, type Mmdit, type MmditInput } from '../../models/mmdit';
import type { WeightSource } from '../../models/weightSource';
import { safetensorsFile } from '../files';
import type { LayerMaker } from '../../models/weights';
import { pictureOf, relative, row, tensorOf, values, valuesNchw, worst, type Row } from './rows';
import { traceRows, weightGradientRows } from './trace';
import { GAIN, type Weighing } from './weighing';

/** Sizes of one model in config.json. */
export interface FixtureConfig { depth: number; num_heads: number; head_dim: number }

/** Outputs reach about 6: five digits of float32. */
const OUTPUT = 2e-4;
/** Of the largest value in the tensor; some gradients are as small as 1e-4. */
const GRADIENT = 1e-3;

const diffusersConfig = ({ depth, num_heads, head_dim }: FixtureConfig) => ({ num_layers: depth, num_attention_heads: num_heads, attention_head_dim: head_dim });

type Mapping = [to: string, from: string, op: 'copy' | 'rows' | 'swap', part?: number];
/** Groups of templates; {i} is the block. Groups for optional parts name tensors that not every block has. */
type KeyMap = Record<string, Mapping[]> & { block_last: Mapping[]; block_not_last: Mapping[]; global: Mapping[] };

/** The file's tensors under diffusers' names, moved as the key map says. */
async function renamed(source: WeightSource, mapFile: string, depth: number): Promise<WeightSource> {
  const { note: _note, global, block_last, block_not_last, ...everyBlock } = JSON.parse(await readFile(mapFile, 'utf8')) as KeyMap;
  const blocks = Array.from({ length: depth }, (_, i) => [...Object.values(everyBlock).flat(), ...(i === depth - 1 ? block_last : block_not_last)].map((mapping) => ({ mapping, i })));
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const { mapping: [to, from, op, part = 0], i } of [...global.map((mapping) => ({ mapping, i: 0 })), ...blocks.flat()]) {
    const key = `model.diffusion_model.${from.replace('{i}', String(i))}`;
    if (!source.has(key)) continue;
    const data = await source.read(key);
    const [first = 1, ...rest] = source.shape(key);
    const [half, third] = [data.length / 2, data.length / 3];
    const moved = {
      copy: () => ({ shape: [first, ...rest], data }),
      rows: () => ({ shape: [first / 3, ...rest], data: data.slice(part * third, (part + 1) * third) }),
      swap: () => ({ shape: [first, ...rest], data: Float32Array.from([...data.subarray(half), ...data.subarray(0, half)]) }),
    };
    tensors.set(to.replace('{i}', String(i)), moved[op]());
  }
  return {
    keys: () => [...tensors.keys()],
    has: (key) => tensors.has(key),
    shape: (key) => tensors.get(key)!.shape,
    read: async (key) => tensors.get(key)!.data,
    readRows: async (key, from, to) => {
      const { shape, data } = tensors.get(key)!;
      return data.slice((from * data.length) / shape[0]!, (to * data.length) / shape[0]!);
    },
  };
}

async function inputOf(io: WeightSource): Promise<{ input: MmditInput; target: tf.Tensor4D }> {
  const [x, target, context, pooled] = [await pictureOf(io, 'in.x'), await pictureOf(io, 'in.target'), await tensorOf<tf.Tensor3D>(io, 'in.context'), await tensorOf<tf.Tensor2D>(io, 'in.pooled')];
  return { input: { x, sigma: [...(await io.read('in.timestep'))].map((timestep) => timestep / 1000), context, pooled }, target };
}

async function compare(name: string, model: Mmdit, io: WeightSource, by: Weighing): Promise<Row[]> {
  const { input, target } = await inputOf(io);
  const run = velocityVjp(model, input, null, null, { recompute: true, wantRows: false, wantInputs: true });
  const difference = tf.sub(run.velocity, target) as tf.Tensor4D;
  const loss = await values(tf.mean(tf.square(difference)));
  const dv = tf.mul(difference, 2 / difference.size) as tf.Tensor4D;
  const { inputs } = run.pullback(dv);
  const [there, back] = [{ blocks: model.config.depth, gain: GAIN.transformer }, { blocks: model.config.depth, gain: GAIN.gradients }];
  const gradient = async (what: string, found: Float32Array) => by.row(`${name} grad ${what}`, found, await io.read(`grad.${what}`), { error: relative, tolerance: GRADIENT }, back);
  return [
    by.row(`${name} v`, await valuesNchw(run.velocity), await io.read('out.v'), { error: worst, tolerance: OUTPUT }, there),
    by.row(`${name} loss`, loss, await io.read('out.loss'), { error: relative, tolerance: 1e-4 }, there),
    await gradient('x', await valuesNchw(inputs!.x)),
    await gradient('context', await values(inputs!.context)),
    await gradient('pooled', await values(inputs!.pooled)),
    ...(await traceRows(name, model, input, io, OUTPUT, by)),
    ...(await weightGradientRows(name, model, input, dv, io, GRADIENT, by)),
  ];
}

/** Packed weights against the numbers they act as, in float32: the packed layers themselves, without what rounding does. Frees `plain`. */
async function roundedRow(name: string, packed: Mmdit, plain: Mmdit, io: WeightSource): Promise<Row> {
  const { input } = await inputOf(io);
  const [found, wanted] = [velocity(packed, input, null, null), velocity(plain, input, null, null)];
  const error = worst(await values(found), await values(wanted));
  tf.dispose([found, wanted]);
  disposeMmdit(plain);
  return row(`${name} v, packed against the same numbers in float32`, error, OUTPUT);
}

/** A model of the folder in whichever layout is there. */
export async function anyMmdit(dir: string, name: string, config: FixtureConfig, layer?: LayerMaker): Promise<Mmdit> {
  const layout = existsSync(join(dir, `${name}.diffusers.safetensors`)) ? 'diffusers' : 'original';
  return loadMmdit(await safetensorsFile(join(dir, `${name}.${layout}.safetensors`)), diffusersConfig(config), layer && { blockLayer: layer });
}

/** One model of the folder in one of its layouts. */
export async function mmditRows(dir: string, name: string, layout: 'diffusers' | 'original' | 'renamed', config: FixtureConfig, by: Weighing): Promise<Row[]> {
  const file = await safetensorsFile(join(dir, `${name}.${layout === 'diffusers' ? 'diffusers' : 'original'}.safetensors`));
  const source = layout === 'renamed' ? await renamed(file, join(dir, 'keymap_mmdit.json'), config.depth) : file;
  const model = await loadMmdit(source, diffusersConfig(config), by.layer && { blockLayer: by.layer });
  const rows = await compare(`${name} (${layout})`, model, await safetensorsFile(join(dir, `${name}.io.safetensors`)), by);
  if (by.rounded) rows.push(await roundedRow(`${name} (${layout})`, model, await loadMmdit(source, diffusersConfig(config), { blockLayer: by.rounded }), await safetensorsFile(join(dir, `${name}.io.safetensors`))));
  disposeMmdit(model);
  return rows;
}
