import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import * as tf from '../engine/tf';
import type { TraceReport } from '../protocol/compute';
import type { Events } from '../protocol/messages';
import type { StepMetrics } from '../protocol/run';
import { useBackend } from '../testing/backend';
import { kernelShares, Tracing } from './tracing';
import { Turns } from './turns';

const row = (step: number, stepMs: number): StepMetrics => ({ runId: 'r', step, stage: 'student', losses: { flow: 0.1 }, sigma: [0.5], figures: {}, gradientNorm: 1, stepMs });

beforeAll(async () => { await useBackend('wasm'); });
let ended: (() => void)[] = [];
afterEach(() => {
  vi.useRealTimers();
  ended.forEach((end) => end());
  ended = [];
});

/** A machine with other work may stand still for as long between two lines of a test. */
const PAUSE_MS = 100;

const standStill = (ms: number) => { const end = performance.now() + ms; while (performance.now() < end); };

/** A session whose page is slow to be told of a step. */
function wired() {
  const sent: TraceReport[] = [];
  const events: string[] = [];
  const turns = new Turns();
  const tracing = new Tracing({ emit: (event, data) => { events.push(event); if (event === 'metrics') standStill(3 * PAUSE_MS); if (event === 'trace') sent.push(data as Events['trace']); } }, turns);
  ended.push(() => tracing.turn(false));
  return { sent, events, turns, tracing };
}
const product = () => tf.tidy(() => void tf.matMul(tf.ones([256, 256]), tf.ones([256, 256])));

it('reports the kernels of the last training step, not those of pictures, and not the same twice', async () => {
  const { sent, events, turns, tracing } = wired();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  tracing.turn(true);
  await turns.take('drawing', async () => product());
  // a preview is drawn in the training's turns, too, but between two steps
  await turns.take('training', async () => product());
  await new Promise((resolve) => { setTimeout(resolve, 2 * PAUSE_MS); });
  const start = performance.now();
  await turns.take('training', async () => { product(); product(); tf.tidy(() => { void tf.sum(tf.exp(tf.neg(tf.sqrt(tf.abs(tf.ones([4])))))); }); });
  tracing.host.emit('metrics', row(7, performance.now() - start + PAUSE_MS));
  await vi.waitFor(() => { vi.advanceTimersByTime(500); expect(sent.at(-1)?.step?.step).toBe(7); });
  const report = sent.at(-1)!;
  expect(report.clock).toBe('worker');
  expect(report.step!.kernels.find(({ name }) => name === 'BatchMatMul')).toMatchObject({ calls: 2 });
  expect(report.step!.kernels).toHaveLength(5);
  expect(report.step!.kernelMs).toBeLessThanOrEqual(report.step!.stepMs);
  expect(report.memory.tensors).toBe(tf.memory().numTensors);
  const before = sent.length;
  vi.advanceTimersByTime(5000);
  expect(sent).toHaveLength(before);
  expect(events).toContain('metrics');
});

it('measures and sends nothing until asked, nor after it was ended', async () => {
  const { sent, turns, tracing } = wired();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const untouched = () => {
    expect(Object.hasOwn(tf.engine(), 'runKernel')).toBe(false);
    vi.advanceTimersByTime(5000);
    expect(sent).toEqual([]);
  };
  untouched();
  tracing.turn(true);
  expect(Object.hasOwn(tf.engine(), 'runKernel')).toBe(true);
  tracing.turn(false);
  await turns.take('training', async () => product());
  tracing.host.emit('metrics', row(1, 5));
  untouched();
});

it('sums kernels by name, longest first', () => {
  expect(kernelShares([{ name: 'a', ms: 1 }, { name: 'b', ms: 4 }, { name: 'a', ms: 2 }])).toEqual([{ name: 'b', calls: 1, ms: 4 }, { name: 'a', calls: 2, ms: 3 }]);
});
