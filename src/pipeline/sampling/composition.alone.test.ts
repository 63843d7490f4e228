/** GCFG's identities of many guidances, on the tiny transformer: what they cost, where they act, and that the null branch is the base's. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { composeVelocity } from '../../methods/gcfg/compose';
import type * as Mmdit from '../../models/mmdit';
import { loraSites, velocity, type Adapter } from '../../models/mmdit';
import { plainComposition, type Composition } from '../../protocol/mix';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { seen } from '../../testing/passes';
import { tinyBase, tinyWords } from '../../testing/tiny';
import { normal } from '../random';
import type { EncodedPrompts, FlowBase } from '../base';
import type { RowTensors } from '../concept';
import { evaluate, type Evaluation } from '../evaluate';
import { initLora, loraLayout, toAdapter } from '../lora';
import { guidedField, untouched, type Guidance } from './velocityFields';

vi.mock('../../models/mmdit', async (original) => (await import('../../testing/passes')).counted(await original<typeof Mmdit>()));

const SIGMA = 0.6, ROWS = 2;
/** float32 rounding of a few sums. */
const ROUNDING = 1e-4;
const everything: Composition = { orthogonal: true, together: true, parallel: 0.3, rescale: 0.4, zeroStar: true };

let base: FlowBase;
let adapters: Adapter[];
let tables: RowTensors[];
let x: Tensor4D, left: Tensor4D, right: Tensor4D;
let empty: EncodedPrompts, text: EncodedPrompts, other: EncodedPrompts;

beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  const layout = loraLayout(loraSites(base.mmdit), 2);
  adapters = Array.from({ length: 8 }, (_, step) => toAdapter(layout, initLora(layout, { seed: 1, purpose: 'test', step }).map((value, i) => value + 0.2 * Math.sin(i + step))));
  const { depth, hidden } = base.mmdit.config;
  tables = [70, 71].map((step) => ({ rows: tf.tensor2d(normal([depth * hidden], { seed: 1, purpose: 'test', step }), [depth, hidden]), pooledDelta: null }));
  x = tf.randomNormal<tf.Rank.R4>([ROWS, 4, 4, 4], 0, 1, 'float32', 5);
  [left, right] = [[1, 1, 0, 0], [0, 0, 1, 1]].map((row) => tf.tensor4d([...row, ...row, ...row, ...row], [1, 4, 4, 1])) as [Tensor4D, Tensor4D];
});
beforeEach(() => { [empty, text, other] = [tinyWords(ROWS, false, 1), tinyWords(ROWS, true, 2), tinyWords(ROWS, false, 3)]; });
afterEach(() => tf.dispose([empty, text, other].flatMap(({ context, pooled }) => [context, pooled])));

const on = (words: EncodedPrompts, adapter: Evaluation['adapter'] = null): Evaluation => ({ words, adapter, rows: null });
const plain = (words: EncodedPrompts) => velocity(base.mmdit, { x, sigma: [SIGMA, SIGMA], context: words.context, pooled: words.pooled }, null, null);
const alone = async (evaluation: Evaluation) => (await evaluate(base, x, [SIGMA, SIGMA], [evaluation], async () => {}))[0]!;
const value = (guidances: Guidance[], scale = 1, composition = plainComposition) => guidedField(base, untouched(empty), guidances, composition).evaluate(x, SIGMA, scale);
const furthest = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
const half = (v: Tensor4D, from: number) => Array.from(tf.slice(v, [0, 0, from, 0], [ROWS, 4, 2, 4]).dataSync());
/** K concepts on the text, each with an adapter of its own, beside the text itself. */
const concepts = (k: number, more: Partial<Guidance> = {}): Guidance[] => [
  { positive: on(text), negative: on(empty), weight: 1.5 },
  ...adapters.slice(0, k).map((adapter, i): Guidance => ({ positive: on(text, adapter), negative: on(text), weight: 0.3 + 0.1 * i, ...more })),
];

describe('GCFG’s identities', () => {
  it('G6: composing velocities is composing scores', async () => {
    const list = concepts(3, { mask: left });
    // s = −noise/σ with noise = x + (1 − σ)·v
    const score = (v: tf.Tensor) => tf.div(tf.add(x, tf.mul(v, 1 - SIGMA)), -SIGMA);
    let sum = score(plain(empty));
    for (const { positive, negative, weight, mask } of list) sum = tf.add(sum, tf.mul(tf.mul(tf.sub(score(await alone(positive)), score(await alone(negative))), mask ?? 1), 2 * (weight as number)));
    const back = tf.div(tf.sub(tf.mul(sum, -SIGMA), x), 1 - SIGMA);
    expect(furthest(await value(list, 2), back)).toBeLessThan(ROUNDING);
  });

  it('G7: the null branch is the base’s to the bit, whatever adapters, rows and options the guidances have', async () => {
    const bits = Array.from(plain(empty).dataSync());
    const ends = concepts(8).flatMap(({ positive, negative }) => [{ ...positive, rows: tables[0]! }, negative]);
    const [first] = await evaluate(base, x, [SIGMA, SIGMA], [on(empty), ...ends], async () => {});
    expect(Array.from(first!.dataSync())).toEqual(bits);
    for (const composition of [plainComposition, { ...plainComposition, orthogonal: true, together: true }]) {
      const outside = await value(concepts(8).map((each) => ({ ...each, mask: left })), 3, composition);
      expect(half(outside, 2)).toEqual(half(plain(empty), 2));
      expect(furthest(outside, plain(empty))).toBeGreaterThan(0.1);
    }
  });

  it.each([1, 2, 4, 8])('G8: %i concepts cost their distinct evaluations, and those of equal adapters share a pass', async (k) => {
    for (const [list, composition] of [[concepts(k), plainComposition], [concepts(k, { mask: left }), plainComposition], [concepts(k, { joint: true }), everything]] as const) {
      seen.length = 0;
      await value([...list], 2, composition);
      // nothing and the text on the base, then the text with each adapter
      expect(seen).toEqual([2 * ROWS, ...new Array<number>(k).fill(ROWS)]);
    }
    // the same concept on other words, against them: a row more in its pass and in the base's
    seen.length = 0;
    await value([...concepts(k), { positive: on(other, [{ adapter: adapters[0]!, weight: 1 }]), negative: on(other), weight: 1 }], 2);
    expect(seen).toEqual([3 * ROWS, 2 * ROWS, ...new Array<number>(k - 1).fill(ROWS)]);
  });

  it('G8: rows of different concepts share a pass, too, and give what they give alone', async () => {
    const list = [{ ...on(text), rows: tables[0]! }, { ...on(text), rows: tables[1]! }, { ...on({ ...other, named: { cat: [1, 3] } }), named: { cat: tables[0]! } }];
    seen.length = 0;
    const made = await evaluate(base, x, [SIGMA, SIGMA], list, async () => {});
    expect(seen).toEqual([3 * ROWS]);
    for (const [i, each] of list.entries()) expect(Array.from(made[i]!.dataSync())).toEqual(Array.from((await alone(each)).dataSync()));
    expect(furthest(made[0]!, made[1]!)).toBeGreaterThan(1e-3);
  });

  it('G9: outside its mask a guidance has no effect, to the bit, beside others and with options', async () => {
    for (const composition of [plainComposition, { ...plainComposition, orthogonal: true }]) {
      const [text, kept, changed, further] = concepts(3, { mask: left });
      const without = await value([text!, kept!], 2, composition);
      const beside = await value([text!, kept!, { ...changed!, weight: -2 }, { ...further!, weight: 3 }], 2, composition);
      expect(half(beside, 2)).toEqual(half(without, 2));
      expect(furthest(beside, without)).toBeGreaterThan(0.1);
    }
    // two in halves of their own: each half is that of the one alone
    const [one, two] = adapters;
    const both = await value([{ positive: on(text, one), negative: on(text), weight: 2, mask: left }, { positive: on(text, two), negative: on(text), weight: -1, mask: right }]);
    const apart = await Promise.all([[one!, 2, 0], [two!, -1, 2]].map(async ([adapter, weight, from]) => half(await value([{ positive: on(text, adapter as Adapter), negative: on(text), weight: weight as number, mask: from === 0 ? left : right }]), from as number)));
    [0, 2].forEach((from, i) => half(both, from).forEach((number, j) => expect(number).toBeCloseTo(apart[i]![j]!, 4)));
  });

  it('G10: a specialist reads no text: its part is the same whatever the prompt, beside a control that follows it', async () => {
    const [specialist] = adapters;
    const list = (words: EncodedPrompts, control: number): Guidance[] => [{ positive: on(empty, specialist), negative: on(empty), weight: 2 }, { positive: on(words), negative: on(empty), weight: control }];
    const parts = await Promise.all([text, other].map(async (words) => tf.sub(await value(list(words, 2.5)), tf.mul(tf.sub(plain(words), plain(empty)), 2.5))));
    expect(furthest(parts[0]!, parts[1]!)).toBeLessThan(ROUNDING);
    // w_concept·[v_concept − v0] + w_control·[v_control − v0] on the base's null
    const rule = tf.add(plain(empty), tf.mul(tf.sub(await alone(on(empty, specialist)), plain(empty)), 2));
    expect(furthest(parts[0]!, rule)).toBeLessThan(ROUNDING);
    expect(furthest(await value(list(text, 2.5)), await value(list(other, 2.5)))).toBeGreaterThan(0.1);
  });

  it('G11: two identical guidances are one where each keeps only what is its own', async () => {
    const [, concept] = concepts(1);
    const orthogonal = { ...plainComposition, orthogonal: true };
    const one = await value([concept!], 3, orthogonal);
    expect(furthest(await value([concept!, concept!], 3, orthogonal), one)).toBeLessThan(1e-3);
    expect(furthest(await value([concept!, concept!], 3), one)).toBeGreaterThan(0.1);
  });

  it('G12: the released form (1 − Σw)·v0 + Σ wᵢ·vᵢ is the difference form', async () => {
    const weights = [1.7, -0.6, 0.4];
    const ends = [on(text), on(other), on(text, adapters[0])];
    const released = tf.add(tf.mul(plain(empty), 1 - weights.reduce((a, b) => a + b)), tf.addN(await Promise.all(ends.map(async (end, i) => tf.mul(await alone(end), weights[i]!)))));
    expect(furthest(await value(ends.map((positive, i) => ({ positive, negative: on(empty), weight: weights[i]! }))), released)).toBeLessThan(ROUNDING);
  });
});

describe('a field with options', () => {
  it('is the composition of its velocities, in the order of the list, at weights of the noise level', async () => {
    const list = concepts(3, { joint: true }).map((each, i): Guidance => ({ ...each, weight: (sigma) => sigma * (i + 1), ...(i === 2 && { mask: left }) }));
    const parts = await Promise.all(list.map(async ({ positive, negative, mask = null, joint = false }, i) => ({ difference: tf.sub<Tensor4D>(await alone(positive), await alone(negative)), weight: SIGMA * (i + 1), mask, joint })));
    const composed = await composeVelocity(plain(empty) as Tensor4D, parts, 3, everything, { x, sigma: SIGMA });
    const made = await value(list, 3, everything);
    expect(furthest(made, composed)).toBeLessThan(1e-3);
    // and each option has its say
    for (const [option, off] of Object.entries(plainComposition)) expect(furthest(await value(list, 3, { ...everything, [option]: off }), made), option).toBeGreaterThan(5e-3);
  });

  it('leaves nothing behind, also when it is stopped', async () => {
    const list = concepts(2, { mask: left, joint: true });
    await expectNoLeak(async () => (await value(list, 2)).dispose());
    await expectNoLeak(async () => (await value(list, 2, everything)).dispose());
    const stop = new AbortController();
    const between = async () => { if (seen.length > 1) stop.abort(); };
    for (const composition of [plainComposition, everything]) {
      seen.length = 0;
      await expectNoLeak(() => expect(guidedField(base, untouched(empty), list, composition).evaluate(x, SIGMA, 2, { between, signal: stop.signal })).rejects.toThrow('Stopped'));
    }
  });
});
