/**
 * Says who a head belongs to: pixels → a vector of length 1, alike for one person in different looks. Residual blocks that halve the
 * picture (two 3 × 3 convolutions with group norms, beside them the averaged picture through a 1 × 1 one), then one linear layer.
 * Sizes follow from the file. It has a gradient in the pixels, for losses that ask whom a drawn picture shows; nothing in it is trained here.
 */
import * as v from 'valibot';
import { convolve, disposeLinear, frozenLinear, groupNorm, linear, type FrozenLinear } from '../../engine/ops';
import { add, avgPool, div, maximum, mul, norm, reshape, sigmoid, type Tensor, type Tensor1D, type Tensor2D, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { count, readConfig } from '../config';
import { chainVjp, type ChainVjp } from '../layersVjp';
import { drainAsync, throughLayers, type Between } from '../steps';
import { disposeConvolution, readConvolution, type Convolution } from '../vae/convolution';
import { WeightReader } from '../weights';
import type { WeightSource } from '../weightSource';

interface Norm { weight: Tensor1D; bias: Tensor1D }
interface Residual { a: Convolution; b: Convolution; skip: Convolution; normA: Norm; normB: Norm }

export interface IdentityEncoder {
  /** Side of the pictures it takes, in pixels. */
  imageSize: number;
  /** Numbers of a vector. */
  width: number;
  /** Where the head stands in a bust's square: left, top, side, in shares of it. */
  head: readonly [number, number, number];
  blocks: Residual[];
  out: FrozenLinear;
}

/** Of every group norm in it. */
const GROUPS = 8;

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const identityConfig = v.object({ image_size: count, head: v.optional(v.tuple([share, share, share]), [0, 0, 1]) });

/** Throws Faults `base-mismatch`, `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadIdentityEncoder(source: WeightSource, config: unknown): Promise<IdentityEncoder> {
  const { image_size: imageSize, head } = readConfig(config, identityConfig, 'identity_encoder/config.json');
  const reader = new WeightReader(source);
  const blocks: Residual[] = [];
  while (reader.has(`blocks.${blocks.length}.a.weight`)) {
    const at = `blocks.${blocks.length}.`;
    const channels = reader.shape(`${at}a.weight`)[0]!;
    const readNorm = async (name: string): Promise<Norm> => ({ weight: await reader.vector(`${at}${name}.weight`, channels), bias: await reader.vector(`${at}${name}.bias`, channels) });
    const read = (name: string) => readConvolution(reader, at + name);
    blocks.push({ a: await read('a'), b: await read('b'), skip: await read('skip'), normA: await readNorm('na'), normB: await readNorm('nb') });
  }
  const channels = blocks.at(-1)?.b.filter.shape[3] ?? 3;
  const side = imageSize / 2 ** blocks.length;
  const width = reader.shape('out.weight')[0]!;
  const values = await reader.values('out.weight', [width, channels * side * side]);
  const out = frozenLinear(rowsLast(values, channels, side * side, width), channels * side * side, width, await reader.vector('out.bias', width));
  reader.finish();
  return { imageSize, width, head, blocks, out };
}

/** [out, C·area] → [area·C, out], to suit NHWC. */
function rowsLast(values: Float32Array, channels: number, area: number, width: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let o = 0; o < width; o++) {
    for (let c = 0; c < channels; c++) for (let p = 0; p < area; p++) turned[(p * channels + c) * width + o] = values[(o * channels + c) * area + p]!;
  }
  return turned;
}

const silu = (x: Tensor4D): Tensor4D => mul(x, sigmoid(x));

function residual(x: Tensor4D, { a, b, skip, normA, normB }: Residual): Tensor4D {
  const around = (t: Tensor4D, { filter, bias }: Convolution, stride: 1 | 2) => convolve(t, filter, bias, { stride, pad: [[1, 1], [1, 1]] });
  const first = silu(groupNorm(around(x, a, 2), normA.weight, normA.bias, GROUPS));
  const second = groupNorm(around(first, b, 1), normB.weight, normB.bias, GROUPS);
  return silu(add(second, convolve(avgPool(x, 2, 2, 'valid'), skip.filter, skip.bias, { pad: [[0, 0], [0, 0]] })));
}

function unit(x: Tensor4D, out: FrozenLinear): Tensor2D {
  const vector = linear(reshape(x, [x.shape[0], out.inFeatures]) as Tensor2D, out);
  return div(vector, maximum(norm(vector, 2, 1, true), 1e-12));
}

const layersOf = ({ blocks, out }: IdentityEncoder): ((x: Tensor) => Tensor)[] => [...blocks.map((block) => (x: Tensor) => residual(x as Tensor4D, block)), (x) => unit(x as Tensor4D, out)];

function check({ imageSize }: IdentityEncoder, [, height, width, channels]: Tensor4D['shape']): void {
  invariant(height === imageSize && width === imageSize && channels === 3, `the identity encoder takes ${imageSize} × ${imageSize} pixels in colour`);
}

/** Heads [B,S,S,3] in −1…1, S = imageSize → [B,width] of length 1. The caller disposes. */
export function identityVectors(model: IdentityEncoder, pixels: Tensor4D, between: Between = async () => {}): Promise<Tensor2D> {
  check(model, pixels.shape);
  return drainAsync(throughLayers(layersOf(model), mul<Tensor>(pixels, 1), (layer, x) => layer(x)), between) as Promise<Tensor2D>;
}

/** The same with the way back to the pixels. */
export function identityVjp(model: IdentityEncoder, pixels: Tensor4D, between: Between = async () => {}): Promise<ChainVjp<Tensor4D, Tensor2D>> {
  check(model, pixels.shape);
  return drainAsync(chainVjp<Tensor4D, Tensor2D>(layersOf(model), pixels), between);
}

export function disposeIdentityEncoder({ blocks, out }: IdentityEncoder): void {
  for (const { a, b, skip, normA, normB } of blocks) {
    [a, b, skip].forEach(disposeConvolution);
    [normA, normB].forEach(({ weight, bias }) => { weight.dispose(); bias.dispose(); });
  }
  disposeLinear(out);
}
