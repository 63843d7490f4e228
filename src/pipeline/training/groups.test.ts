import { beforeAll, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { loraSites } from '../../models/mmdit';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { tinyBase } from '../../testing/tiny';
import type { FlowBase } from '../base';
import { disposeGradients, formOf } from './groups';

const optimizer = { learningRate: 1, schedule: { shape: 'constant', part: 0 } as const, weightDecay: 0, clip: null };
let base: FlowBase;

beforeAll(async () => {
  await useBackend('cpu');
  base = await tinyBase();
});

const adapter = () => formOf({ kind: 'adapter', rank: 1, sites: 'attention', start: { from: 'noise', stream: 8 }, optimizer }, base);
const rows = (pooledDelta: boolean) => formOf({ kind: 'rows', pooledDelta, optimizer }, base);

it('adapter and rows lie flat, zeros where there was no gradient, and what was given is freed', () => expectNoLeak(() => {
  const [first] = loraSites(base.mmdit);
  const { depth, hidden, pooledWidth } = base.mmdit.config;
  const table = Array.from({ length: depth * hidden }, (_, i) => i);
  const given = (delta: number[] | null, seen = true) => ({
    sites: { [first!.name]: { a: tf.fill([first!.inFeatures, 1], 2), b: tf.fill([1, first!.outFeatures], 3) } }, rows: seen ? tf.tensor2d(table, [depth, hidden]) : null, pooledDelta: delta && tf.tensor1d(delta), inputs: null,
  }) as Parameters<typeof disposeGradients>[0];
  const delta = new Array<number>(pooledWidth).fill(5);
  for (const [gradient, form, wanted] of [
    [given(null), adapter(), [...new Array<number>(first!.inFeatures).fill(2), ...new Array<number>(first!.outFeatures).fill(3), ...new Array<number>(adapter().size - first!.inFeatures - first!.outFeatures).fill(0)]],
    [given(null), rows(false), table],
    [given(null), rows(true), [...table, ...delta.map(() => 0)]],
    [given(delta), rows(true), [...table, ...delta]],
    [given(null, false), rows(false), table.map(() => 0)],
  ] as const) {
    const flat = form.gradient(gradient);
    expect(Array.from(flat.dataSync())).toEqual(wanted);
    expect(form.size).toBe(wanted.length);
    flat.dispose();
    disposeGradients(gradient);
  }
}));

it('N5: names the parameter at an index, the rows as a whole, and a norm too large', () => {
  const form = adapter();
  const names = loraSites(base.mmdit).map(({ name }) => name);
  expect(form.nameOf(form.size - 1)).toBe(`the gradient of ${names.at(-1)}.lora_B`);
  expect(form.nameOf(0)).toBe(`the gradient of ${names[0]}.lora_A`);
  expect(form.nameOf(-1)).toBe('the norm of the gradient');
  expect(rows(false).nameOf(1)).toBe('the gradient of the concept rows');
});
