import { beforeAll, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { expectNoLeak, useBackend } from '../testing/backend';
import { disposeAdapter, flattenGradients, initLora, loraLayout, parameterAt, toAdapter } from './lora';
import { globalNorm, clipFactor } from './training/optimizer';

const sites = [{ name: 'block.0.to_q', inFeatures: 40, outFeatures: 6 }, { name: 'block.0.to_out.0', inFeatures: 50, outFeatures: 3 }];
const layout = loraLayout(sites, 4);

beforeAll(async () => void (await useBackend('cpu')));

it('begins with A of standard deviation 1/r and B of zero, A drawn anew for every site', () => {
  const values = initLora(layout, { seed: 1, purpose: 4, step: 0 });
  const [first, second] = layout.sites;
  const a = values.subarray(first!.a.from, first!.a.to);
  // 160 draws: four standard errors of a standard deviation, 4/√320 of it.
  expect(Math.abs(Math.sqrt(a.reduce((sum, value) => sum + value ** 2, 0) / a.length) * 4 - 1)).toBeLessThan(0.23);
  expect(values.subarray(first!.b.from, first!.b.to).every((value) => value === 0)).toBe(true);
  expect(values[second!.a.from]).not.toBe(values[first!.a.from]);
});

it('tensors and flat numbers hold the same, in the same order', async () => {
  const values = Float32Array.from({ length: layout.size }, (_, i) => i);
  await expectNoLeak(() => {
    const adapter = toAdapter(layout, values);
    expect(adapter['block.0.to_q']!.a.shape).toEqual([40, 4]);
    expect(adapter['block.0.to_out.0']!.b.shape).toEqual([4, 3]);
    const back = flattenGradients(layout, adapter);
    expect(back.dataSync()).toEqual(values);
    const partial = flattenGradients(layout, { 'block.0.to_out.0': adapter['block.0.to_out.0']! });
    expect(Array.from(partial.dataSync().slice(0, 3))).toEqual([0, 0, 0]);
    expect(partial.dataSync().slice(layout.sites[1]!.a.from)).toEqual(values.slice(layout.sites[1]!.a.from));
    tf.dispose([back, partial]);
    disposeAdapter(adapter);
  });
});

it('names a parameter by its place', () => {
  expect(parameterAt(layout, 0)).toBe('block.0.to_q.lora_A');
  expect(parameterAt(layout, layout.sites[0]!.b.from)).toBe('block.0.to_q.lora_B');
  expect(parameterAt(layout, layout.size - 1)).toBe('block.0.to_out.0.lora_B');
});

it('clips as PyTorch does: never up, to the limit otherwise', () => {
  const gradient = Float32Array.from([3, 4]);
  expect(globalNorm(gradient)).toBe(5);
  expect(clipFactor(5, 10)).toBe(1);
  expect(clipFactor(5, 1)).toBeCloseTo(0.2, 6);
});

it('keeps values that are already in tensors out of reach', () => {
  const values = new Float32Array(layout.size).fill(1);
  const adapter = toAdapter(layout, values);
  values.fill(2);
  expect(tf.max(adapter['block.0.to_q']!.a).dataSync()[0]).toBe(1);
  disposeAdapter(adapter);
});
