import { beforeAll, expect, it } from 'vitest';
import { useWebgpu } from '../testing/backend';
import { replaceKernels } from './webgpu/softwareKernels';
import * as tf from './tf';
import { startTracing, type KernelTime } from './tracing';

beforeAll(async () => {
  await useWebgpu();
  replaceKernels(true);
});

/** Our own product, then tfjs' transposition and square of it. */
const run = async () => {
  const y = tf.tidy(() => tf.square(tf.transpose(tf.matMul(tf.fill([96, 96], 0.5), tf.fill([96, 96], 0.25)))));
  const values = await y.data();
  y.dispose();
  return values;
};

it('times our kernels and tfjs’ on the GPU’s own clock, and changes no result', async () => {
  const plain = await run();
  const told: KernelTime<string>[] = [];
  const trace = startTracing({ tag: () => 'here', onKernel: (kernel) => told.push(kernel) });
  const start = performance.now();
  expect(await run()).toEqual(plain);
  await trace.settled();
  const wallMs = performance.now() - start;
  expect(trace.clock).toBe('gpu');
  expect(told.map(({ name }) => name)).toEqual(expect.arrayContaining(['mat_mul', 'Transpose', 'Square']));
  const product = told.find(({ name }) => name === 'mat_mul')!;
  expect(product.ms).toBeGreaterThan(0);
  expect(told.reduce((sum, { ms }) => sum + ms, 0)).toBeLessThan(wallMs);
  expect(told.every(({ tag }) => tag === 'here')).toBe(true);

  trace.stop();
  await trace.settled();
  const before = told.length;
  expect(await run()).toEqual(plain);
  await trace.settled();
  expect(told).toHaveLength(before);
});

it('takes more passes into one submit than a query set holds', async () => {
  const told: string[] = [];
  const batch = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE');
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', 1000);
  const trace = startTracing({ tag: () => '', onKernel: ({ name }) => told.push(name) });
  let x: tf.Tensor = tf.fill([8], 1);
  for (let i = 0; i < 600; i++) {
    const next = tf.neg(x);
    x.dispose();
    x = next;
  }
  expect([...(await x.data())]).toEqual(Array(8).fill(1));
  await trace.settled();
  trace.stop();
  x.dispose();
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', batch);
  expect(told.filter((name) => name === 'Neg')).toHaveLength(600);
});
