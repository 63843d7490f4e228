/**
 * A model known by its tensors' names and shapes alone: a WeightSource of zeros, block layers that only reserve their
 * packed bytes, and a data set of the right shapes. From a manifest ({shapes}) or from the header of a safetensors file.
 */
import { frozenPacked } from '../../engine/ops';
import { reservePacked } from '../../engine/packed/packedMatrix';
import type { Packing } from '../../formats/packing';
import * as tf from '../../engine/tf';
import { loadMmdit, type Mmdit } from '../../models/mmdit';
import type { LayerMaker } from '../../models/weights';
import type { WeightSource } from '../../models/weightSource';
import type { EncodedPrompts, FlowBase } from '../../pipeline/base';
import type { Dataset } from '../../pipeline/training/dataset';

export type Shapes = Record<string, number[]>;

const count = (shape: readonly number[]) => shape.reduce((all, n) => all * n, 1);

export function zeroSource(shapes: Shapes): WeightSource {
  return {
    keys: () => Object.keys(shapes),
    has: (key) => key in shapes,
    shape: (key) => shapes[key]!,
    read: async (key) => new Float32Array(count(shapes[key]!)),
    readRows: async (key, from, to) => new Float32Array((to - from) * count(shapes[key]!.slice(key.endsWith('pos_embed') ? 2 : 1))),
  };
}

/** The first `blocks` blocks of a transformer in diffusers' layout; the last of them takes the shape of the model's last. */
export function firstBlocks(shapes: Shapes, blocks: number): Shapes {
  const index = (key: string) => Number(/^transformer_blocks\.(\d+)\./.exec(key)?.[1] ?? -1);
  const depth = 1 + Math.max(...Object.keys(shapes).map(index));
  return Object.fromEntries(Object.entries(shapes).flatMap(([key, shape]) => {
    const at = index(key);
    if (at < 0 || at < blocks - 1) return [[key, shape]];
    return at === depth - 1 ? [[key.replace(`.${at}.`, `.${blocks - 1}.`), shape]] : [];
  }));
}

/** SD3's autoencoder in diffusers' layout: what previews of a run need beside the transformer. Its config: channels 128, 256, 512, 512, two blocks a level, 16 latent channels, no quantisation layers. */
export function sd3AutoencoderShapes(): Shapes {
  const shapes: Shapes = {};
  const put = (name: string, weight: number[]) => Object.assign(shapes, { [`${name}.weight`]: weight, [`${name}.bias`]: [weight[0]!] });
  const convolution = (name: string, from: number, to: number, side = 3) => put(name, [to, from, side, side]);
  const block = (name: string, from: number, to: number) => {
    put(`${name}.norm1`, [from]);
    convolution(`${name}.conv1`, from, to);
    put(`${name}.norm2`, [to]);
    convolution(`${name}.conv2`, to, to);
    if (from !== to) convolution(`${name}.conv_shortcut`, from, to, 1);
  };
  const middle = (half: string) => {
    for (const i of [0, 1]) block(`${half}.mid_block.resnets.${i}`, 512, 512);
    put(`${half}.mid_block.attentions.0.group_norm`, [512]);
    for (const part of ['to_q', 'to_k', 'to_v', 'to_out.0']) put(`${half}.mid_block.attentions.0.${part}`, [512, 512]);
  };
  const levels = (half: string, at: string, widths: readonly number[], blocks: number, between: string) => widths.forEach((width, level) => {
    for (let i = 0; i < blocks; i++) block(`${half}.${at}.${level}.resnets.${i}`, i === 0 ? (widths[level - 1] ?? width) : width, width);
    if (level < widths.length - 1) convolution(`${half}.${at}.${level}.${between}.0.conv`, width, width);
  });
  convolution('encoder.conv_in', 3, 128);
  levels('encoder', 'down_blocks', [128, 256, 512, 512], 2, 'downsamplers');
  middle('encoder');
  put('encoder.conv_norm_out', [512]);
  convolution('encoder.conv_out', 512, 32);
  convolution('decoder.conv_in', 16, 512);
  middle('decoder');
  levels('decoder', 'up_blocks', [512, 512, 256, 128], 3, 'upsamplers');
  put('decoder.conv_norm_out', [128]);
  convolution('decoder.conv_out', 128, 3);
  return shapes;
}

const reserved = (packing: Packing): LayerMaker => (inFeatures, outFeatures, _values, bias) => frozenPacked(reservePacked(inFeatures, outFeatures, packing), bias);

export interface Job {
  shapes: Shapes;
  packing: Packing;
  /** Of the picture, in latent pixels. */
  latentSide: number;
  textTokens: number;
  pictures: number;
}

export async function shapedBase({ shapes, packing, latentSide }: Job): Promise<FlowBase> {
  const patch = shapes['pos_embed.proj.weight']![2]!;
  const mmdit: Mmdit = await loadMmdit(zeroSource(shapes), undefined, { maxPatches: latentSide / patch, blockLayer: reserved(packing) });
  return { mmdit, shift: 3, latentShape: () => [latentSide, latentSide, mmdit.config.channels] };
}

export function shapedDataset({ mmdit, latentShape }: FlowBase, { pictures, textTokens }: Job): Dataset {
  const { contextWidth, pooledWidth } = mmdit.config;
  const words = (marked: boolean, rows = pictures): EncodedPrompts => ({
    context: tf.zeros([rows, textTokens, contextWidth]), pooled: tf.zeros([rows, pooledWidth]), at: Array<number>(rows).fill(marked ? 2 : -1),
  });
  return { latents: tf.zeros([pictures, ...latentShape()]), pictures, unshifted: pictures, words: { complete: words(true), base: words(false), target: words(true), class: words(false), null: words(false) } };
}
