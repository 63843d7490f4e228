/**
 * The transformer against its fixtures: velocity, loss and the gradients of its inputs, in both file layouts and with an
 * original file renamed in memory by the key map, which must change nothing at all.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { disposeMmdit, loadMmdit, velocityVjp, type Mmdit } from '../../models/mmdit';
import type { WeightSource } from '../../models/weightSource';
import { safetensorsFile } from '../files';
import { pictureOf, relative, row, tensorOf, values, valuesNchw, worst, type Row } from './rows';

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

async function compare(name: string, model: Mmdit, io: WeightSource): Promise<Row[]> {
  const [x, target, context, pooled] = [await pictureOf(io, 'in.x'), await pictureOf(io, 'in.target'), await tensorOf<tf.Tensor3D>(io, 'in.context'), await tensorOf<tf.Tensor2D>(io, 'in.pooled')];
  const sigma = [...(await io.read('in.timestep'))].map((timestep) => timestep / 1000);
  const run = velocityVjp(model, { x, sigma, context, pooled }, null, null, { recompute: true, wantRows: false, wantInputs: true });
  const difference = tf.sub(run.velocity, target) as tf.Tensor4D;
  const loss = await values(tf.mean(tf.square(difference)));
  const { inputs } = run.pullback(tf.mul(difference, 2 / difference.size));
  return [
    row(`${name} v`, worst(await valuesNchw(run.velocity), await io.read('out.v')), OUTPUT),
    row(`${name} loss`, relative(loss, await io.read('out.loss')), 1e-4),
    row(`${name} grad x`, relative(await valuesNchw(inputs!.x), await io.read('grad.x')), GRADIENT),
    row(`${name} grad context`, relative(await values(inputs!.context), await io.read('grad.context')), GRADIENT),
    row(`${name} grad pooled`, relative(await values(inputs!.pooled), await io.read('grad.pooled')), GRADIENT),
  ];
}

/** A model of the folder in whichever layout is there. */
export async function anyMmdit(dir: string, name: string, config: FixtureConfig): Promise<Mmdit> {
  const layout = existsSync(join(dir, `${name}.diffusers.safetensors`)) ? 'diffusers' : 'original';
  return loadMmdit(await safetensorsFile(join(dir, `${name}.${layout}.safetensors`)), diffusersConfig(config));
}

/** One model of the folder in one of its layouts. */
export async function mmditRows(dir: string, name: string, layout: 'diffusers' | 'original' | 'renamed', config: FixtureConfig): Promise<Row[]> {
  const file = await safetensorsFile(join(dir, `${name}.${layout === 'diffusers' ? 'diffusers' : 'original'}.safetensors`));
  const source = layout === 'renamed' ? await renamed(file, join(dir, 'keymap_mmdit.json'), config.depth) : file;
  const model = await loadMmdit(source, diffusersConfig(config));
  const rows = await compare(`${name} (${layout})`, model, await safetensorsFile(join(dir, `${name}.io.safetensors`)));
  disposeMmdit(model);
  return rows;
}
