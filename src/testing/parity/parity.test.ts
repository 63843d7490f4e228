import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../backend';
import { linear } from '../../engine/ops';
import * as tf from '../../engine/tf';
import { docsText } from './docs';
import { parityRows } from './run';
import { row, table, worst } from './rows';
import { weighing } from './weighing';

const paths = { base: 'public/base', merges: 'fixtures/clip/clip_merges_48894.txt.gz' };

describe('parity', () => {
  beforeAll(() => useBackend('wasm'));

  it.each(['fixtures/sd3', 'fixtures/base', 'fixtures/adapter'])('every row of %s passes', async (dir) => {
    const rows = await parityRows(dir, paths);
    console.info(table(rows));
    expect(rows.length).toBeGreaterThan(dir.endsWith('sd3') ? 180 : 8);
    expect(rows.filter(({ pass }) => !pass)).toEqual([]);
  }, 240_000);

  it.each(['int8', 'int4'] as const)('every row passes with weights packed to %s', async (weights) => {
    const rows = await parityRows('fixtures/sd3', { ...paths, weights });
    expect(rows.length).toBeGreaterThan(200);
    expect(rows.filter(({ pass }) => !pass)).toEqual([]);
  }, 240_000);

  it('refuses a folder with nothing to compare', async () => {
    await expect(parityRows('fixtures/clip', paths)).rejects.toThrow('holds neither');
  });
});

describe('rows', () => {
  it('fail on NaN, on a missing value and beyond the tolerance', () => {
    expect(row('a', worst([1, NaN], [1, 2]), 1).pass).toBe(false);
    expect(row('a', worst([1], [1, 2]), 1).pass).toBe(false);
    expect(row('a', worst([1, 2.5], [1, 2]), 0.1).pass).toBe(false);
    expect(row('a', worst([1, 2], [1, 2]), 0).pass).toBe(true);
    expect(table([row('a', 2, 1)])).toContain('1 of 1 rows fail');
  });

  it('of packed weights are judged by what packing did, and never pass what is only noise', async () => {
    await useBackend('wasm');
    const by = weighing('int8');
    const weight = Float32Array.from({ length: 64 * 8 }, (_, i) => Math.sin(i));
    const layer = await by.layer!(64, 8, { values: async () => weight, packed: null }, null);
    const [x, given] = [tf.tensor2d(weight.filter((_, i) => i % 8 === 0), [1, 64]), { error: worst, tolerance: 1e-6 }];
    const wanted = tf.matMul(x, tf.tensor2d(weight, [64, 8])).dataSync();
    const found = linear(x, layer).dataSync();
    const pass = (values: ArrayLike<number>, blocks: number, gain: number) => by.row('a', values, wanted, given, { blocks, gain }).pass;
    expect(pass(found, 1, 3)).toBe(true);
    expect(pass(found, 0, 3)).toBe(false); // float32's tolerance
    expect(pass(found.map((value) => 1.1 * value), 1, 3)).toBe(false);
    expect(pass(new Float32Array(8), 100, 100)).toBe(false);
    expect(weighing('f32').row('a', found, wanted, given, { blocks: 1, gain: 3 }).pass).toBe(false);
  });

  it('of one model in several layouts stand together in docs, and one that fails says so', () => {
    const rows = [row('mmdit (original) v_x', 1e-5, 2e-4), row('mmdit (diffusers) v_x', 3e-5, 2e-4), row('lora (worst to_q.A)', 0, 1), row('ids', 1, 0)];
    const text = docsText([{ heading: 'Tiny', text: 'All.', runs: [{ backend: 'wasm', rows }, { backend: 'WGSL', rows: [...rows.slice(0, 2), row('lora (worst to_k.B)', 0.5, 1)] }] }], 'a day');
    expect(text).toContain('All. 3 of 4 rows pass on wasm, 3 of 3 rows pass on WGSL.');
    expect(text).toContain('| mmdit v\\_x | 2.0e-4 | 3.0e-5 | 3.0e-5 |');
    expect(text).toContain('| lora | 1.0e+0 | 0 | 5.0e-1 |');
    expect(text).toContain('| ids | exact | 1.0e+0 **fails** |  |');
  });
});
