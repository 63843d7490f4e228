/**
 * How a kernel describes itself, to the shared suite (suite.ts) and to the bench: its three forms, its cases, and numbers to
 * feed them. Plain data and functions, so that a browser can load it; the suite itself needs the test runner.
 */
import type * as tf from '../../engine/tf';

export type Values = Float32Array | Float64Array;

export interface KernelCase {
  title: string;
  /** Of each input that has a gradient. */
  shapes: number[][];
  /** Shapes of what is read beside the inputs and gets no gradient, such as a model's weights. */
  constants?: number[][];
  /** Too large for gradients on a software adapter. */
  forwardOnly?: boolean;
  /** Passed through to the three forms. */
  options?: unknown;
}

export interface KernelSpec {
  name: string;
  cases: KernelCase[];
  /** As the product calls it. */
  run(inputs: tf.Tensor[], options: unknown, constants: tf.Tensor[]): tf.Tensor[];
  composed(inputs: tf.Tensor[], options: unknown, constants: tf.Tensor[]): tf.Tensor[];
  /** Frees what `run` made besides its outputs (frozen layers, say); called at the end of each case. */
  release?(): void;
  /** Float64, elementwise loops only. */
  reference(inputs: Values[], shapes: number[][], options: unknown, constants: Values[]): Float64Array[];
  /** Largest error allowed, relative to the largest value of the output (of the gradient), with its reason in the spec. */
  tolerance: { forward: number; gradient: number };
}

/** Uniform in −1…1, the same for the same seed. */
export function noise(size: number, seed: number): Float32Array {
  const values = new Float32Array(size);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state >>> 8) / 2 ** 23 - 1;
  }
  return values;
}
