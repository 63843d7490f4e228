/**
 * LoRA parameters as one flat Float32Array with named ranges, and the tensors made from it.
 * y += scale · x·a·b with a [in,r], b [r,out], scale alpha/r = 1. Order: for each site of the model, a then b.
 * Init as PureCC's (PEFT "gaussian"): a ~ N(0, standard deviation 1/r), b = 0, so that a fresh adapter changes nothing.
 */
import { cutFlat, joinFlat } from '../engine/kernels/flatCopy';
import * as tf from '../engine/tf';
import type { Tensor, Tensor1D, Tensor2D } from '../engine/tf';
import type { Adapter, LoraSite, VelocityGradients } from '../models/mmdit';
import { normal, type RandomKey } from './random';

interface Range { from: number; to: number }
export interface LoraLayout {
  rank: number;
  /** Numbers in all. */
  size: number;
  sites: (LoraSite & { a: Range; b: Range })[];
}

export function loraLayout(sites: readonly LoraSite[], rank: number): LoraLayout {
  let size = 0;
  const take = (count: number): Range => ({ from: size, to: (size += count) });
  const placed = sites.map((site) => ({ ...site, a: take(site.inFeatures * rank), b: take(rank * site.outFeatures) }));
  return { rank, size, sites: placed };
}

export function initLora(layout: LoraLayout, key: RandomKey): Float32Array {
  const values = new Float32Array(layout.size);
  const drawn = normal([layout.sites.reduce((sum, { a }) => sum + a.to - a.from, 0)], key);
  let used = 0;
  for (const { a } of layout.sites) for (let i = a.from; i < a.to; i++) values[i] = drawn[used++]! / layout.rank;
  return values;
}

/** Tensors of their own, from numbers here or (WebGPU) on the device. The caller disposes them (disposeAdapter). */
export function toAdapter({ sites, rank }: LoraLayout, values: Float32Array | Tensor1D): Adapter {
  const parts = cutFlat(values, sites.flatMap(({ inFeatures, outFeatures }) => [[inFeatures, rank], [rank, outFeatures]])) as Tensor2D[];
  return Object.fromEntries(sites.map(({ name }, i) => [name, { a: parts[2 * i]!, b: parts[2 * i + 1]!, scale: 1 }]));
}

/** Same numbers under new handles, so that the owner may replace its own. */
export function cloneAdapter(adapter: Adapter): Adapter {
  return Object.fromEntries(Object.entries(adapter).map(([name, { a, b, scale }]) => [name, { a: tf.clone(a), b: tf.clone(b), scale }]));
}

export interface WeightedAdapter { adapter: Adapter; weight: number }

/** Σ weight · adapter, exactly: ranks side by side, scale and weight folded into b. A site that several have is the sum of theirs. The caller disposes it. */
export function sumAdapters(adapters: readonly WeightedAdapter[]): Adapter {
  const names = [...new Set(adapters.flatMap(({ adapter }) => Object.keys(adapter)))];
  return Object.fromEntries(names.map((name) => {
    const pairs = adapters.flatMap(({ adapter: { [name]: pair }, weight }) => (pair ? [{ ...pair, scale: pair.scale * weight }] : []));
    const [a, b] = tf.tidy(() => [tf.concat2d(pairs.map((pair) => pair.a), 1), tf.concat2d(pairs.map((pair) => tf.mul<Tensor2D>(pair.b, pair.scale)), 0)] as const as unknown as tf.Tensor) as unknown as [Tensor2D, Tensor2D];
    return [name, { a, b, scale: 1 }];
  }));
}

export function disposeAdapter(adapter: Adapter | null): void {
  for (const { a, b } of Object.values(adapter ?? {})) tf.dispose([a, b]);
}

/** Gradients by site as one flat tensor in the layout's order; sites without one count as zero. The caller disposes it. */
export function flattenGradients(layout: LoraLayout, sites: VelocityGradients['sites']): Tensor1D {
  return tf.tidy(() =>
    joinFlat(
      layout.sites.flatMap(({ name, a, b }): Tensor[] => {
        const gradient = sites[name];
        return gradient ? [gradient.a, gradient.b] : [tf.zeros([a.to - a.from + b.to - b.from])];
      }),
    ),
  );
}

/** Name of the parameter at a flat index, for messages: "transformer_blocks.0.attn.to_q.lora_A". */
export function parameterAt(layout: LoraLayout, index: number): string {
  const site = layout.sites.find(({ a, b }) => index >= a.from && index < b.to);
  return site ? `${site.name}.${index < site.a.to ? 'lora_A' : 'lora_B'}` : `parameter ${index}`;
}
