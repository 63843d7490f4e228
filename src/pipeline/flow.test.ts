import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { cleanLatent, eulerSigmas, noised, normalQuantile, trainingSigmas } from './flow';

describe('sigmas', () => {
  it('quantiles are the normal distribution’s', () => {
    // Textbook values to 9 digits; the approximation is good to 1.2e-9.
    for (const [p, z] of [[0.5, 0], [0.975, 1.959963985], [0.001, -3.090232306], [0.01, -2.326347874], [0.9, 1.281551566]] as const) expect(normalQuantile(p)).toBeCloseTo(z, 7);
  });

  it('are stratified over the batch and centred on the shift', () => {
    for (let step = 0; step < 50; step++) {
      const [low, high] = trainingSigmas(2, 3, { seed: 1, step });
      expect(low).toBeLessThanOrEqual(0.75);
      expect(high).toBeGreaterThanOrEqual(0.75);
    }
    const many = trainingSigmas(4000, 1, { seed: 1, step: 0 });
    expect(many.reduce((a, b) => a + b) / many.length).toBeCloseTo(0.5, 2);
  });

  it('Euler schedules are diffusers’', () => {
    const fixture = JSON.parse(readFileSync('fixtures/sd3/scheduler.json', 'utf8')) as { schedules: Record<string, { sigmas: number[] }> };
    for (const [steps, { sigmas }] of Object.entries(fixture.schedules)) {
      // Written in float32.
      eulerSigmas(Number(steps), 3).forEach((sigma, i) => expect(sigma).toBeCloseTo(sigmas[i]!, 6));
    }
    expect(eulerSigmas(4, 1)).toEqual([1, 0.75, 0.5, 0.25, 0]);
  });
});

it('noising is undone by its own target', async () => {
  await tf.setBackend('cpu');
  const x0 = tf.randomNormal<tf.Rank.R4>([2, 3, 3, 4]), noise = tf.randomNormal<tf.Rank.R4>([2, 3, 3, 4]);
  const { xSigma, target } = noised(x0, noise, [0.3, 0.3]);
  // float32 rounding of three operations
  expect(tf.max(tf.abs(tf.sub(cleanLatent(xSigma, target, 0.3), x0))).dataSync()[0]).toBeLessThan(1e-6);
});
