import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { expectNoLeak, useBackend } from '../../testing/backend';
import type { Sampler } from '../../protocol/pictures';
import type { FlowBase } from '../base';
import { eulerSigmas } from '../flow';
import type { VelocityField } from './velocityFields';
import { sample, sampleAll, type SampleOptions } from './sample';
import { skipLayerGuidance } from './skipLayers';


/** Data that are normal around 0 with this deviation: the flow from x at σ = 1 ends at exactly DEVIATION·x. */
const DEVIATION = 0.6;
const base = { shift: 3, latentShape: () => [2, 2, 1] } as unknown as FlowBase;
/** E[noise − x0 | x], for x = (1−σ)·x0 + σ·noise. */
const slope = (sigma: number) => (sigma - (1 - sigma) * DEVIATION ** 2) / ((1 - sigma) ** 2 * DEVIATION ** 2 + sigma ** 2);
const field: VelocityField = { rows: 1, scenes: 0, evaluate: async (x, sigma) => tf.mul<Tensor4D>(x, slope(sigma)) };
const run = (options: Partial<SampleOptions>) => ({ base, field, seeds: [7], steps: 8, guidance: 1, ...options });
const first = async (x: Promise<Tensor4D>) => { const latent = await x; const value = (await latent.data<'float32'>())[0]!; latent.dispose(); return value; };

describe('samplers', () => {
  beforeAll(() => useBackend('wasm'));

  it('come to where the flow ends: Euler’s error halves with twice the steps, that of 2M falls to a quarter', async () => {
    const noise = tf.ones<tf.Rank.R4>([1, 2, 2, 1]);
    const errorOf = async (sampler: Sampler, steps: number) => Math.abs(await first(sampleAll(run({ noise, steps, sampler, shift: 1 }))) - DEVIATION);
    const [euler, twice] = [await errorOf('euler', 40), await errorOf('euler', 80)];
    const [second, fine] = [await errorOf('dpmpp-2m', 40), await errorOf('dpmpp-2m', 80)];
    expect(euler / twice).toBeGreaterThan(1.8);
    expect(euler / twice).toBeLessThan(2.3);
    expect(second / fine).toBeGreaterThan(3);
    expect(fine).toBeLessThan(twice / 4);
    noise.dispose();
  });

  it('leave nothing behind, finished or left early', async () => {
    await expectNoLeak(async () => { (await sampleAll(run({ sampler: 'dpmpp-2m' }))).dispose(); });
    await expectNoLeak(async () => { for await (const { step } of sample(run({ sampler: 'dpmpp-2m' }))) if (step === 3) break; });
  });

  it('take the base’s shift unless they are told one, and Euler’s steps unless told', async () => {
    const levels = async (options: Partial<SampleOptions>) => { const all: number[] = []; for await (const { sigma } of sample(run(options))) all.push(sigma); return all; };
    expect(await levels({})).toEqual(eulerSigmas(8, 3).slice(1));
    expect(await levels({ shift: 1 })).toEqual(eulerSigmas(8, 1).slice(1));
    expect(await first(sampleAll(run({})))).toBe(await first(sampleAll(run({ sampler: 'euler' }))));
    expect(await first(sampleAll(run({})))).not.toBe(await first(sampleAll(run({ sampler: 'dpmpp-2m' }))));
  });
});

describe('skip-layer guidance', () => {
  const text = { words: {} as never, adapter: null, rows: null };
  const weights = (start: number, stop: number, guidance = 4) => {
    const { weight, positive, negative } = skipLayerGuidance(text, { layers: [7, 8], scale: 2.5, start, stop }, { steps: 8, shift: 3, guidance });
    expect([positive, negative]).toEqual([text, { ...text, skip: [7, 8] }]);
    return eulerSigmas(8, 3).map((sigma) => (weight as (sigma: number) => number)(sigma));
  };

  it('acts strictly between its shares of the steps, whatever the scale of text guidance', () => {
    expect(weights(0.01, 0.2)).toEqual([0, 0.625, 0, 0, 0, 0, 0, 0, 0]);
    expect(weights(0.125, 0.5)).toEqual([0, 0, 0.625, 0.625, 0, 0, 0, 0, 0]);
    expect(weights(-1, 0.99, 1)).toEqual([2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 0]);
    expect(weights(0.01, 0.2, 0)).toEqual(Array(9).fill(0));
  });
});
