/**
 * Builds an AutoencoderKL from a checkpoint in diffusers' or the original layout, as the list of what each half does in turn. All
 * sizes are read from the tensors; a config tells the scaling and the groups of the norms. Either half may be absent.
 */
import * as v from 'valibot';
import { disposeLinear, frozenLinear, type FrozenLinear } from '../../engine/ops';
import { Fault } from '../../protocol/faults';
import { count, readConfig } from '../config';
import { transposed, WeightReader } from '../weights';
import type { WeightSource } from '../weightSource';
import { disposeConvolution, phasesOf, readConvolution, type Convolution, type Phases } from './convolution';
import { disposeGroupNorm, type GroupNorm } from './groupNorm';
import { originalVaeKey, ORIGINAL_VAE_PREFIX } from './keys';

export interface KlBlock { norm1: GroupNorm; conv1: Convolution; norm2: GroupNorm; conv2: Convolution; shortcut: Convolution | null }
export interface KlAttention { norm: GroupNorm; q: FrozenLinear; k: FrozenLinear; v: FrozenLinear; out: FrozenLinear }
export type KlLayer =
  | { kind: 'convolution'; convolution: Convolution }
  | { kind: 'block'; block: KlBlock }
  | { kind: 'attention'; attention: KlAttention }
  /** Zeros on the right and below, then every other pixel. */
  | { kind: 'halved'; convolution: Convolution }
  | { kind: 'doubled'; phases: Phases }
  | { kind: 'norm'; norm: GroupNorm };

export interface KlWeights {
  /** Picture → mean and log variance, 2·latentChannels. */
  encoder: KlLayer[] | null;
  decoder: KlLayer[] | null;
  latentChannels: number;
  downscale: number;
  /** latent = (encoded − shiftFactor)·scalingFactor */
  scalingFactor: number;
  shiftFactor: number;
}

const factor = v.nullish(v.pipe(v.number(), v.finite()));
/** diffusers' names and defaults. */
const klConfig = v.object({ scaling_factor: factor, shift_factor: factor, norm_num_groups: v.optional(count, 32) });
/** SD3's, for files without a config. */
const SD3 = { scaling_factor: 1.5305, shift_factor: 0.0609 };
const EPSILON = 1e-6;

interface Opened { reader: WeightReader; prefix: string; groups: number }
type Half = 'encoder' | 'decoder';

/** What stands before the keys of an autoencoder in this file: nothing, or a single-file checkpoint's prefix. */
export const klPrefix = (source: WeightSource): string => ['', ORIGINAL_VAE_PREFIX, 'vae.'].find((prefix) => ['encoder', 'decoder'].some((half) => source.has(`${prefix}${half}.conv_in.weight`))) ?? '';

const counted = (exists: (i: number) => boolean): number => {
  let n = 0;
  while (exists(n)) n++;
  return n;
};

function open(source: WeightSource, groups: number): Opened {
  const prefix = klPrefix(source);
  const original = ['encoder', 'decoder'].some((half) => source.has(`${prefix}${half}.mid.block_1.conv1.weight`));
  const levels = Math.max(...['encoder.down', 'decoder.up'].map((at) => counted((i) => source.has(`${prefix}${at}.${i}.block.0.conv1.weight`))));
  return { reader: new WeightReader(source, (name) => (original ? originalVaeKey(name, prefix, levels) : { key: prefix + name })), prefix, groups };
}

async function readNorm({ reader, groups }: Opened, name: string): Promise<GroupNorm> {
  const [channels = 0] = reader.shape(`${name}.weight`);
  if (channels % groups !== 0) throw new Fault('base-mismatch', `The autoencoder's norm “${name}” has ${channels} channels, which do not make ${groups} groups.`, 'Use the config that belongs to the weights.', { subject: 'vae/config.json' });
  return { weight: await reader.vector(`${name}.weight`, channels), bias: await reader.vector(`${name}.bias`, channels), groups, epsilon: EPSILON };
}

/** Stored as [out,in] or as a 1 × 1 convolution. */
async function pointwise({ reader }: Opened, name: string): Promise<FrozenLinear> {
  const shape = reader.shape(`${name}.weight`);
  const [out = 0, inputs = 0] = shape;
  const values = await reader.values(`${name}.weight`, shape.length === 4 ? [out, inputs, 1, 1] : [out, inputs]);
  return frozenLinear(transposed(values, out, inputs), inputs, out, await reader.vector(`${name}.bias`, out));
}

async function readBlock(opened: Opened, name: string): Promise<KlLayer> {
  const { reader } = opened;
  return {
    kind: 'block',
    block: {
      norm1: await readNorm(opened, `${name}.norm1`), conv1: await readConvolution(reader, `${name}.conv1`),
      norm2: await readNorm(opened, `${name}.norm2`), conv2: await readConvolution(reader, `${name}.conv2`),
      shortcut: reader.has(`${name}.conv_shortcut.weight`) ? await readConvolution(reader, `${name}.conv_shortcut`) : null,
    },
  };
}

async function readAttention(opened: Opened, name: string): Promise<KlLayer> {
  const part = (each: string) => pointwise(opened, `${name}.${each}`);
  return { kind: 'attention', attention: { norm: await readNorm(opened, `${name}.group_norm`), q: await part('to_q'), k: await part('to_k'), v: await part('to_v'), out: await part('to_out.0') } };
}

async function readHalf(opened: Opened, half: Half): Promise<KlLayer[] | null> {
  const { reader } = opened;
  if (!reader.has(`${half}.conv_in.weight`)) return null;
  const convolution = async (name: string): Promise<KlLayer> => ({ kind: 'convolution', convolution: await readConvolution(reader, name) });
  const around = async (name: string) => (reader.has(`${name}.weight`) ? [await convolution(name)] : []);
  const middle: KlLayer[] = [await readBlock(opened, `${half}.mid_block.resnets.0`), await readAttention(opened, `${half}.mid_block.attentions.0`), await readBlock(opened, `${half}.mid_block.resnets.1`)];
  const levels: KlLayer[] = [];
  const at = half === 'encoder' ? 'encoder.down_blocks' : 'decoder.up_blocks';
  for (let level = 0; reader.has(`${at}.${level}.resnets.0.conv1.weight`); level++) {
    for (let i = 0; reader.has(`${at}.${level}.resnets.${i}.conv1.weight`); i++) levels.push(await readBlock(opened, `${at}.${level}.resnets.${i}`));
    const [down, up] = [`${at}.${level}.downsamplers.0.conv`, `${at}.${level}.upsamplers.0.conv`];
    if (reader.has(`${down}.weight`)) levels.push({ kind: 'halved', convolution: await readConvolution(reader, down) });
    if (reader.has(`${up}.weight`)) levels.push({ kind: 'doubled', phases: phasesOf(await readConvolution(reader, up)) });
  }
  return [
    ...(half === 'decoder' ? await around('post_quant_conv') : []),
    await convolution(`${half}.conv_in`),
    ...(half === 'encoder' ? [...levels, ...middle] : [...middle, ...levels]),
    { kind: 'norm', norm: await readNorm(opened, `${half}.conv_norm_out`) },
    await convolution(`${half}.conv_out`),
    ...(half === 'encoder' ? await around('quant_conv') : []),
  ];
}

/** config: diffusers' (scaling_factor, shift_factor, norm_num_groups), SD3's where there is none. Throws Faults `base-mismatch`, `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadKlWeights(source: WeightSource, config: unknown): Promise<KlWeights> {
  const declared = readConfig(config ?? SD3, klConfig, 'vae/config.json');
  const opened = open(source, declared.norm_num_groups);
  const { reader, prefix } = opened;
  if (!reader.has('encoder.conv_in.weight')) reader.shape('decoder.conv_in.weight'); // names what is missing
  const [encoder, decoder] = [await readHalf(opened, 'encoder'), await readHalf(opened, 'decoder')];
  for (const half of ['encoder', 'decoder'] as const) reader.finish(`${prefix}${half}.`);
  return {
    encoder, decoder,
    latentChannels: decoder ? reader.shape('decoder.conv_in.weight')[1]! : reader.shape('encoder.conv_out.weight')[0]! / 2,
    downscale: 2 ** (decoder ?? encoder!).filter(({ kind }) => kind === 'halved' || kind === 'doubled').length,
    scalingFactor: declared.scaling_factor ?? 0.18215,
    shiftFactor: declared.shift_factor ?? 0,
  };
}

function disposeLayer(layer: KlLayer): void {
  if (layer.kind === 'norm') return disposeGroupNorm(layer.norm);
  if (layer.kind === 'doubled') return layer.phases.forEach(disposeConvolution);
  if (layer.kind === 'block') {
    const { norm1, norm2, conv1, conv2, shortcut } = layer.block;
    [norm1, norm2].forEach(disposeGroupNorm);
    return [conv1, conv2, ...(shortcut ? [shortcut] : [])].forEach(disposeConvolution);
  }
  if (layer.kind === 'attention') {
    const { norm, q, k, v: values, out } = layer.attention;
    disposeGroupNorm(norm);
    return [q, k, values, out].forEach(disposeLinear);
  }
  disposeConvolution(layer.convolution);
}

export const disposeKlWeights = ({ encoder, decoder }: KlWeights): void => [...(encoder ?? []), ...(decoder ?? [])].forEach(disposeLayer);
