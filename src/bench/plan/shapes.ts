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
