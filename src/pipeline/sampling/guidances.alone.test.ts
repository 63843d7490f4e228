/** Lists of guidances: GCFG's identities (notes of the rule: v = v0 + Σ w·M ⊙ [v⁺ − v⁻]), several concepts, adapters with weights. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import type * as Mmdit from '../../models/mmdit';
import { loraSites, velocity, type Adapter } from '../../models/mmdit';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { seen } from '../../testing/passes';
import { tinyBase, tinyWords } from '../../testing/tiny';
import { normal } from '../random';
import type { EncodedPrompts, FlowBase } from '../base';
import type { RowTensors } from '../concept';
import { evaluate, type Evaluation } from '../evaluate';
import { disposeAdapter, initLora, loraLayout, sumAdapters, toAdapter } from '../lora';
import { plainComposition, type Composition } from '../../protocol/mix';
import { shareOut } from '../../methods/gcfg/scenes';
import { sampleAll, startingPoint } from './sample';
import { guidedField, untouched, type Guidance } from './velocityFields';

vi.mock('../../models/mmdit', async (original) => (await import('../../testing/passes')).counted(await original<typeof Mmdit>()));

let base: FlowBase;
let first: Adapter, second: Adapter;
let rows: RowTensors, otherRows: RowTensors;
let x: Tensor4D;
let empty: EncodedPrompts, text: EncodedPrompts, other: EncodedPrompts;
const sigma = 0.6;

beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  const adapter = (rank: number, step: number) => {
    const layout = loraLayout(loraSites(base.mmdit), rank);
    return toAdapter(layout, initLora(layout, { seed: 1, purpose: 'test', step }).map((value, i) => value + 0.2 * Math.sin(i + step)));
  };
  [first, second] = [adapter(2, 0), adapter(3, 1)];
  const { depth, hidden } = base.mmdit.config;
  const table = (step: number): RowTensors => ({ rows: tf.tensor2d(normal([depth * hidden], { seed: 1, purpose: 'test', step }), [depth, hidden]), pooledDelta: null });
  [rows, otherRows] = [table(70), table(71)];
  x = tf.randomNormal<tf.Rank.R4>([1, 4, 4, 4], 0, 1, 'float32', 5);
});
beforeEach(() => void ([empty, text, other] = [tinyWords(1, false, 1), tinyWords(1, true, 2), tinyWords(1, false, 3)]));
afterEach(() => tf.dispose([empty, text, other].flatMap(({ context, pooled }) => [context, pooled])));

const plain = (words: EncodedPrompts) => velocity(base.mmdit, { x, sigma: [sigma], context: words.context, pooled: words.pooled }, null, null);
const on = (words: EncodedPrompts, adapter: Evaluation['adapter'] = null): Evaluation => ({ words, adapter, rows: null });
const value = (guidances: Guidance[], scale = 1) => guidedField(base, untouched(empty), guidances).evaluate(x, sigma, scale);
const furthest = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
/** float32 rounding of a few sums. */
const ROUNDING = 5e-5;

describe('GCFG’s identities', () => {
  it('G1, G2: one guidance of weight w is CFG(w); weight 1 is the conditional alone, all 0 the null alone, bit for bit', async () => {
    const guidance = { positive: on(text), negative: on(empty) };
    expect((await value([{ ...guidance, weight: 1 }])).dataSync()).toEqual(plain(text).dataSync());
    expect((await value([{ ...guidance, weight: 0 }])).dataSync()).toEqual(plain(empty).dataSync());
    expect((await value([])).dataSync()).toEqual(plain(empty).dataSync());
    const cfg = tf.add(plain(empty), tf.mul(tf.sub(plain(text), plain(empty)), 4));
    expect(furthest(await value([{ ...guidance, weight: 4 }]), cfg)).toBeLessThan(ROUNDING);
    expect((await value([{ ...guidance, weight: 1 }], 4)).dataSync()).toEqual((await value([{ ...guidance, weight: 4 }])).dataSync());
  });

  it('G3: a specialist of weight 1 and no control is the specialist', async () => {
    const specialist = (await evaluate(base, x, [sigma], [on(empty, first)], async () => {}))[0]!;
    expect((await value([{ positive: on(empty, first), negative: on(empty), weight: 1 }, { positive: on(text), negative: on(empty), weight: 0 }])).dataSync()).toEqual(specialist.dataSync());
  });

  it('G4: a negative prompt is the text at s and what is not wanted at −(s − 1)', async () => {
    const s = 3;
    const listed = await value([{ positive: on(text), negative: on(empty), weight: s }, { positive: on(other), negative: on(empty), weight: -(s - 1) }]);
    const usual = tf.add(plain(other), tf.mul(tf.sub(plain(text), plain(other)), s));
    expect(furthest(listed, usual)).toBeLessThan(ROUNDING);
  });

  it('G5: the order of guidances does not matter', async () => {
    const list: Guidance[] = [{ positive: on(text), negative: on(empty), weight: 2 }, { positive: on(text, first), negative: on(text), weight: 0.7 }, { positive: on(other), negative: on(empty), weight: -0.5 }];
    expect(furthest(await value(list), await value([...list].reverse()))).toBeLessThan(ROUNDING);
  });

  it('G8: equal evaluations are made once, those of weight 0 not at all', async () => {
    seen.length = 0;
    await value([{ positive: on(text), negative: on(empty), weight: 3 }, { positive: on(text, first), negative: on(text), weight: 0.5 }, { positive: on(other, second), negative: on(other), weight: 0 }]);
    // the base on two texts in one pass, the adapter on one in another
    expect(seen.sort()).toEqual([1, 2]);
    seen.length = 0;
    (await evaluate(base, x, [sigma], [on(text), on(empty), on(text), { ...on(empty), rows }], async () => {})).forEach((v) => v.dispose());
    expect(seen).toEqual([2]);
  });

  it('weights follow the noise level, masks the place', async () => {
    const early = (at: number) => (at > 0.5 ? 2 : 0);
    const guidance = { positive: on(text), negative: on(empty) };
    expect((await value([{ ...guidance, weight: early }])).dataSync()).toEqual((await value([{ ...guidance, weight: 2 }])).dataSync());
    const late = await guidedField(base, untouched(empty), [{ ...guidance, weight: early }]).evaluate(x, 0.4, 1);
    expect(late.dataSync()).toEqual(velocity(base.mmdit, { x, sigma: [0.4], context: empty.context, pooled: empty.pooled }, null, null).dataSync());
    const mask = tf.tensor4d(Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? 1 : 0)), [1, 4, 4, 1]);
    const left = await value([{ ...guidance, weight: 2, mask }]);
    const [whole, none] = [await value([{ ...guidance, weight: 2 }]), plain(empty)];
    expect(furthest(tf.slice(left, [0, 0, 0, 0], [1, 4, 2, 4]), tf.slice(whole, [0, 0, 0, 0], [1, 4, 2, 4]))).toBeLessThan(ROUNDING);
    expect(tf.slice(left, [0, 0, 2, 0], [1, 4, 2, 4]).dataSync()).toEqual(tf.slice(none, [0, 0, 2, 0], [1, 4, 2, 4]).dataSync());
    expect(furthest(left, none)).toBeGreaterThan(0.01);
  });
});

describe('several at once', () => {
  it('adapters with weights are one adapter, the exact sum', () => {
    const sum = sumAdapters([{ adapter: first, weight: 0.5 }, { adapter: second, weight: -2 }]);
    for (const { name } of loraSites(base.mmdit)) {
      const product = ({ a, b, scale }: Adapter[string]) => tf.mul(tf.matMul(a, b), scale);
      const wanted = tf.add(tf.mul(product(first[name]!), 0.5), tf.mul(product(second[name]!), -2));
      expect(furthest(product(sum[name]!), wanted), name).toBeLessThan(1e-5);
    }
    disposeAdapter(sum);
  });

  it('an evaluation takes a list of adapters and leaves nothing behind', async () => {
    const list = [{ adapter: first, weight: 1 }, { adapter: second, weight: 0.5 }];
    await expectNoLeak(async () => (await evaluate(base, x, [sigma], [on(text, list)], async () => {})).forEach((v) => v.dispose()));
    const [both, alone, same] = await evaluate(base, x, [sigma], [on(text, list), on(text, first), on(text, [{ adapter: first, weight: 1 }, { adapter: second, weight: 0 }])], async () => {});
    expect(furthest(both!, alone!)).toBeGreaterThan(1e-3);
    expect(furthest(same!, alone!)).toBeLessThan(ROUNDING);
  });

  it('[V] and [name] in one prompt are read from their own rows, each at its own place', async () => {
    const two = (): EncodedPrompts => ({ ...text, named: { cat: [4] } });
    const both = { ...on(two()), rows, named: { cat: otherRows } };
    const swapped = { ...on({ ...text, at: [4], named: { cat: [2] } }), rows: otherRows, named: { cat: rows } };
    const [v, again, one, name] = await evaluate(base, x, [sigma], [both, swapped, { ...on(text), rows }, { ...on(two()), named: { cat: otherRows } }], async () => {});
    expect(again!.dataSync()).toEqual(v!.dataSync());
    expect(furthest(v!, one!)).toBeGreaterThan(1e-3);
    expect(furthest(v!, name!)).toBeGreaterThan(1e-3);
    expect(furthest(name!, plain(text))).toBeGreaterThan(1e-3);
    // a prompt without the second mark ignores its rows
    const [without] = await evaluate(base, x, [sigma], [{ ...on(text), rows, named: { cat: otherRows } }], async () => {});
    expect(without!.dataSync()).toEqual(one!.dataSync());
  });
});

describe('a scene', () => {
  const scale = 3;
  let left: Tensor4D;
  beforeAll(() => { left = tf.tensor4d(Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? 1 : 0)), [1, 4, 4, 1]); });
  const scene = (mask?: Tensor4D): Guidance => ({ positive: on(other, first), negative: on(text), weight: 1, scene: true, ...(mask && { mask }) });
  const prompt = (): Guidance => ({ positive: on(text), negative: on(empty), weight: 1 });
  const sampled = (guidances: Guidance[], composition?: Composition) => sampleAll({ base, field: guidedField(base, untouched(empty), guidances, composition), seeds: [5], steps: 4, guidance: scale });
  const half = (of: Tensor4D, from: number) => tf.slice(of, [0, 0, from, 0], [1, 4, 2, 4]);
  const byItself = (): Guidance => ({ positive: on(other, first), negative: on(empty), weight: 1 });

  it('stands in its mask as if it were drawn alone, whatever the prompt draws there', async () => {
    const [mixed, alone] = [await sampled([prompt(), scene(left)]), await sampled([byItself()])];
    expect(furthest(half(mixed, 0), half(alone, 0))).toBeLessThan(ROUNDING);
    expect(furthest(half(mixed, 2), half(alone, 2))).toBeGreaterThan(0.01);
    // beside it the prompt's picture knows of it: what surrounds a place is what stands there
    expect(furthest(half(mixed, 2), half(await sampled([prompt()]), 2))).toBeGreaterThan(1e-3);
  });

  it('is all of the picture without a mask, and the same by every composition that leaves one guidance as it is', async () => {
    const alone = await sampled([byItself()]);
    expect(furthest(await sampled([prompt(), scene()]), alone)).toBeLessThan(ROUNDING);
    expect(furthest(await sampled([prompt(), scene()], { ...plainComposition, orthogonal: true }), await sampled([prompt(), scene(left)]))).toBeGreaterThan(0.01);
    expect(furthest(await sampled([scene(left)], { ...plainComposition, orthogonal: true }), await sampled([scene(left)]))).toBeLessThan(10 * ROUNDING);
  });

  it('of weight w lies at w between the prompt’s velocity and its own', async () => {
    const evaluated = async (weight: number) => tf.slice(await guidedField(base, untouched(empty), [prompt(), { ...scene(), weight }]).evaluate(tf.concat4d([x, x], 0), sigma, scale), 0, [1, -1, -1, -1]);
    const [none, some, whole] = [await evaluated(1e-9), await evaluated(0.25), await evaluated(1)];
    expect(furthest(some, tf.add(tf.mul(none, 0.75), tf.mul(whole, 0.25)))).toBeLessThan(ROUNDING);
    expect(furthest(whole, none)).toBeGreaterThan(0.01);
  });

  it('costs its positive end and v0 at its own point, once for two that are the same, and leaves nothing behind', async () => {
    const field = guidedField(base, untouched(empty), [prompt(), scene(left), { ...scene(), weight: 0.5 }]);
    expect(field.scenes).toBe(1);
    const both = tf.concat4d([x, x], 0);
    seen.length = 0;
    await expectNoLeak(async () => (await field.evaluate(both, sigma, scale)).dispose());
    // the picture: nothing and the prompt in one pass; the scene: nothing, and its words with the adapter
    expect(seen.sort()).toEqual([1, 1, 2]);
  });

  it('is not stood beside by a prompt of which the scenes leave nothing: as with it, without its evaluations', async () => {
    const right = tf.sub<Tensor4D>(1, left);
    const cellsOf = (mask: Tensor4D) => ({ mask, cells: new Float32Array(mask.dataSync()) });
    const list = (known: boolean): Guidance[] => [left, right].map((mask, n) => ({ positive: on(n === 0 ? other : text, n === 0 ? first : second), negative: on(text), weight: 1, scene: true, ...(known ? cellsOf(mask) : { mask }) }));
    const three = tf.concat4d([x, x, x], 0);
    const [all, lean] = [await guidedField(base, untouched(empty), [prompt(), ...list(false)]).evaluate(three, sigma, scale), guidedField(base, untouched(empty), [prompt(), ...list(true)])];
    seen.length = 0;
    expect(furthest(await lean.evaluate(three, sigma, scale), all)).toBeLessThan(ROUNDING);
    // of each scene nothing, and its words with its adapter
    expect(seen).toEqual([1, 1, 1, 1]);
    // a cell that no scene takes is the prompt's
    const some = list(true);
    some[1]!.cells!.fill(0, 2, 4);
    seen.length = 0;
    (await guidedField(base, untouched(empty), [prompt(), ...some]).evaluate(three, sigma, scale)).dispose();
    expect(seen).toEqual([1, 1, 1, 1, 2]);
  });

  it('goes on while its weight is nothing, so that a schedule that takes it up later leads to where it ends', async () => {
    const from = (begin: (at: number) => boolean) => sampled([prompt(), { ...scene(), weight: (at) => (begin(at) ? 1 : 0) }]);
    const [own, late, early] = [await sampled([byItself()]), await from((at) => at < 0.5), await from((at) => at > 0.5)];
    expect(furthest(late, own)).toBeLessThan(ROUNDING);
    expect(furthest(early, own)).toBeGreaterThan(1e-3);
  });

  it('gives each place that two contest to one of them, by what their words have pulled in all steps so far', async () => {
    const everywhere = new Float32Array(16).fill(1);
    // of about the first one's strength, so that each has places
    const list = [{ adapter: second, weight: 1.2 }];
    const strong = () => on(text, list);
    const both: Guidance[] = [scene(), { ...scene(), positive: strong() }];
    const [drawn, one, two] = [await sampled([prompt(), ...both]), await sampled([byItself()]), await sampled([{ ...byItself(), positive: strong() }])];
    const pulledAlong = async (evaluation: Evaluation) => {
      const pulled = new Float32Array(16);
      const levels = [1, 0.75, 0.5, 0.25];
      let at = startingPoint(base, [5], undefined);
      for (const level of levels) {
        const [v0, v] = await evaluate(base, at, [level], [on(empty), evaluation], async () => {});
        tf.sum(tf.abs(tf.sub(v!, v0!)), 3).dataSync().forEach((value, cell) => { pulled[cell]! += value; });
        at = tf.sub(at, tf.mul(tf.add(v0!, tf.mul(tf.sub(v!, v0!), scale)), 0.25));
      }
      return pulled;
    };
    const masks = shareOut([everywhere, everywhere], [await pulledAlong(on(other, first)), await pulledAlong(strong())], 4, 4);
    const wanted = tf.tidy(() => tf.where<Tensor4D>(tf.greater(tf.tensor4d(masks[0]!, [1, 4, 4, 1]), 0.5), one, two));
    expect(furthest(drawn, wanted)).toBeLessThan(1e-3);
    expect(new Set(masks[0])).toEqual(new Set([0, 1]));
    // with masks whose numbers are at hand likewise; a mask alone is not looked into, and they add up
    const given = tf.ones<tf.Rank.R4>([1, 4, 4, 1]);
    expect(furthest(await sampled([prompt(), ...both.map((each) => ({ ...each, mask: given, cells: everywhere }))]), drawn)).toBeLessThan(ROUNDING);
    expect(furthest(await sampled([prompt(), ...both.map((each) => ({ ...each, mask: given }))]), drawn)).toBeGreaterThan(0.01);
    // the same field draws the same again: it begins anew with a run
    const field = guidedField(base, untouched(empty), [prompt(), ...both]);
    const again = async () => sampleAll({ base, field, seeds: [5], steps: 4, guidance: scale });
    expect((await again()).dataSync()).toEqual((await again()).dataSync());
    await expectNoLeak(async () => (await again()).dispose());
  });
});
