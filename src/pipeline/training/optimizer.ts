/**
 * AdamW with decoupled weight decay (Loshchilov & Hutter; PyTorch's formula) over flat parameter groups on the CPU side,
 * in double precision between float32 numbers: a LoRA of rank 4 in attention is about a
 * hundred thousand, so a step costs a millisecond; of rank 16, with MLPs, 0.9 million and about ten.
 * On WebGPU engine/kernels/adamW.ts does the same where the numbers are.
 * The global gradient norm is clipped over the LoRA tensors only; concept rows have their own rate, no decay, no clipping.
 */
import type { RateSchedule } from '../../methods/method';
import type { Moments } from './checkpoint';

/** PyTorch's defaults, on every backend. */
export const BETA1 = 0.9;
export const BETA2 = 0.999;
export const EPSILON = 1e-8;

/** √Σ g², summed in double precision. */
export function globalNorm(gradient: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  return Math.sqrt(sum);
}

/** What a gradient is multiplied by so that its norm does not exceed `limit` (PyTorch's clip_grad_norm_). */
export const clipFactor = (norm: number, limit: number): number => Math.min(1, limit / (norm + 1e-6));

/** What a stage's rate is multiplied by at a step of it (0, 1, …): 1 up to its last part, then as diffusers' linear and cosine schedules over that part. */
export function rateFactor({ shape, part }: RateSchedule, step: number, count: number): number {
  const decaying = Math.round(part * count);
  const past = step - (count - decaying);
  if (shape === 'constant' || past <= 0) return 1;
  return shape === 'linear' ? 1 - past / decaying : 0.5 * (1 + Math.cos((Math.PI * past) / decaying));
}

export interface AdamWOptions {
  learningRate: number;
  weightDecay: number;
  /** Steps of this group so far, this one counted: 1, 2, … */
  step: number;
  /** Multiplies the gradient (clipping). */
  scale: number;
}

/** One step in place. */
export function adamW({ values, m, v }: Moments, gradient: Float32Array, { learningRate, weightDecay, step, scale }: AdamWOptions): void {
  const rate = learningRate / (1 - BETA1 ** step);
  const root = Math.sqrt(1 - BETA2 ** step);
  const decay = 1 - learningRate * weightDecay;
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i]! * scale;
    const mean = BETA1 * m[i]! + (1 - BETA1) * g;
    const square = BETA2 * v[i]! + (1 - BETA2) * g * g;
    m[i] = mean;
    v[i] = square;
    values[i] = values[i]! * decay - (rate * mean) / (Math.sqrt(square) / root + EPSILON);
  }
}
