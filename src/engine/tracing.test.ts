import { afterEach, beforeAll, expect, it } from 'vitest';
import { useBackend } from '../testing/backend';
import * as tf from './tf';
import { kernelTrack, memoryNow, startTracing, type KernelTime, type Trace } from './tracing';

let trace: Trace | null = null;
beforeAll(async () => { await useBackend('wasm'); });
afterEach(() => {
  trace?.stop();
  trace = null;
});

function begin(tag: () => string = () => 'step'): KernelTime<string>[] {
  const told: KernelTime<string>[] = [];
  trace = startTracing({ tag, onKernel: (kernel) => told.push(kernel) });
  return told;
}
const work = () => tf.tidy(() => tf.softmax(tf.matMul(tf.ones([64, 128]), tf.ones([128, 64]))).dataSync());

it('tells each kernel once, under the tag of its moment, with times that fit into the wall time', () => {
  let tag = 'before';
  const told = begin(() => tag);
  tag = 'step';
  const start = performance.now();
  work();
  const wallMs = performance.now() - start;
  const names = told.map(({ name }) => name);
  expect(names.filter((name) => name === 'BatchMatMul')).toHaveLength(1);
  expect(names.filter((name) => name === 'Softmax')).toHaveLength(1);
  expect(told.every(({ tag: given, ms, recordedAt }) => given === 'step' && ms >= 0 && recordedAt >= start)).toBe(true);
  const sum = told.reduce((all, { ms }) => all + ms, 0);
  expect(sum).toBeGreaterThan(0);
  expect(sum).toBeLessThanOrEqual(wallMs);
});

it('changes no result, and leaves tfjs as it was when it stops', () => {
  const plain = work();
  begin();
  expect(Object.hasOwn(tf.engine(), 'runKernel')).toBe(true);
  expect(work()).toEqual(plain);
  trace?.stop();
  expect(Object.hasOwn(tf.engine(), 'runKernel')).toBe(false);
});

it('takes the time of an inner kernel off the outer one', () => {
  tf.registerKernel({
    kernelName: 'OuterOfTest', backendName: 'wasm',
    kernelFunc: () => {
      const until = performance.now() + 4;
      while (performance.now() < until);
      return tf.engine().runKernel('InnerOfTest', {}) as tf.Tensor;
    },
  });
  tf.registerKernel({
    kernelName: 'InnerOfTest', backendName: 'wasm',
    kernelFunc: () => {
      const until = performance.now() + 40;
      while (performance.now() < until);
      return tf.scalar(1);
    },
  });
  const told = begin();
  tf.tidy(() => void tf.engine().runKernel('OuterOfTest', {}));
  const msOf = (wanted: string) => told.find(({ name }) => name === wanted)!.ms;
  expect(msOf('InnerOfTest')).toBeGreaterThanOrEqual(39);
  expect(msOf('OuterOfTest')).toBeLessThan(msOf('InnerOfTest'));
});

it('keeps the peak, which memory after the fact no longer shows', () => {
  const before = memoryNow();
  begin();
  tf.tidy(() => void tf.square(tf.ones([1000, 1000])));
  expect(memoryNow().bytes).toBe(before.bytes);
  expect(trace!.peakBytes).toBeGreaterThanOrEqual(before.bytes + 4e6);
  expect(memoryNow()).toMatchObject({ gpuAllocatedBytes: null, gpuUsedBytes: null, wasmBytes: expect.any(Number) as number });
});

it('leaves no entries behind in the list of measures', () => {
  begin();
  work();
  expect(performance.getEntriesByType('measure')).toEqual([]);
});

it.each([['BatchMatMul', 'Products'], ['mat_mul', 'Products'], ['Softmax', 'Attention'], ['Max', 'Sums'], ['Maximum', 'Elementwise'], ['lambda_star_partial', 'Sums'], ['Transpose', 'Moves'], ['Multiply', 'Elementwise']])('%s goes to %s', (name, track) => {
  expect(kernelTrack(name).track).toBe(track);
});
