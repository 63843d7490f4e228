/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011), keyed by (seed, purpose, step), so that any
 * number can be had without drawing those before it: a resumed run meets the same noise, and previews never draw from
 * training's stream. Normals by Box–Muller, filled in NCHW order whatever the layout, as PyTorch's pictures are.
 */
import { invariant } from '../engine/invariant';

/** Written into checkpoints and pictures: numbers change meaning when this does. */
export const RANDOM_VERSION = 1;

/** What the numbers are for; part of the key. Never renumber. 4 and 5 start PureCC's adapters: a method names its own streams by number. */
export const purposes = { trainingNoise: 1, trainingSigma: 2, trainingBatch: 3, rowInit: 6, picture: 7, test: 8, trainingChance: 9, priorCaption: 10, rowFit: 11, walkNoise: 12, walkScene: 13, walkReference: 14 } as const;
export type Purpose = keyof typeof purposes;
export interface RandomKey { seed: number; purpose: Purpose | number; step: number }

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of a 32×32-bit product. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/** One block: four 32-bit words from a counter of four and a key of two. Ten rounds. */
export function philox(counter: readonly [number, number, number, number], key: readonly [number, number]): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0), low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2), low1 = Math.imul(M1, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** `count` uniforms in (0,1), the middle of each of 2³² cells. */
export function uniform(count: number, { seed, purpose, step }: RandomKey): Float64Array {
  invariant(Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff, `a seed is a whole number below 2³², not ${seed}`);
  const out = new Float64Array(count);
  for (let i = 0; i < count; i += 4) {
    const words = philox([i / 4, step >>> 0, 0, 0], [seed >>> 0, typeof purpose === 'number' ? purpose : purposes[purpose]]);
    for (let j = 0; j < 4 && i + j < count; j++) out[i + j] = (words[j]! + 0.5) / 4294967296;
  }
  return out;
}

/** `count` whole numbers in 0…below−1. */
export function integers(count: number, below: number, key: RandomKey): number[] {
  return Array.from(uniform(count, key), (u) => Math.floor(u * below));
}

/** Standard normals. A shape of rank 4 is [B,h,w,C]: drawn in NCHW order, returned in NHWC order. Others as they come. */
export function normal(shape: readonly number[], key: RandomKey): Float32Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const u = uniform(count + (count % 2), key);
  const drawn = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(u[i]!));
    const angle = 2 * Math.PI * u[i + 1]!;
    drawn[i] = radius * Math.cos(angle);
    if (i + 1 < count) drawn[i + 1] = radius * Math.sin(angle);
  }
  return shape.length === 4 ? toNhwc(drawn, shape as [number, number, number, number]) : drawn;
}

function toNhwc(nchw: Float32Array, [B, h, w, C]: [number, number, number, number]): Float32Array {
  const out = new Float32Array(nchw.length);
  const area = h * w;
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < C; c++) {
      const from = (b * C + c) * area;
      for (let p = 0; p < area; p++) out[(b * area + p) * C + c] = nchw[from + p]!;
    }
  }
  return out;
}
